package main

import (
	"context"
	"errors"
	"net/http"
	"slices"

	"github.com/signet-go/signet/oidcauth"
	"github.com/signet-go/signet/session"
)

// An exhibit is one kind of error answer in the gallery: the answer itself, and when people meet it.
type exhibit struct {
	When    string
	Problem *oidcauth.Problem
}

// exhibits returns one answer of each kind, by status. Those of the library are made by the library, on a stage of its own, so that
// the gallery shows what it really says and no session, log or provider takes part. Their links have base in front.
func exhibits(base string) []exhibit {
	list := append(ownExhibits(), stagedExhibits(base)...)
	slices.SortStableFunc(list, func(a, b exhibit) int { return a.Problem.Status - b.Problem.Status })
	return list
}

// ownExhibits are the app's own answers.
//
// They are the very values that requests get, by way of refused and problemOf.
func ownExhibits() []exhibit {
	return []exhibit{
		{"An address that nothing answers.", refused[http.StatusNotFound]},
		{"A method that an address does not know.", refused[http.StatusMethodNotAllowed]},
		{"A form that another site sent.", refused[http.StatusForbidden]},
		{"A request under a host name that is not ours.", refused[http.StatusMisdirectedRequest]},
		{"The refresh token is not accepted any more.", problemOf(oidcauth.ErrLoginRequired)},
		{"An API wants a fresher or stronger login (RFC 9470).", problemOf(&oidcauth.StepUpError{})},
		{"Redis can't be reached.", problemOf(session.ErrUnavailable)},
		{"An API takes too long.", problemOf(context.DeadlineExceeded)},
		{"An API breaks the connection, or says too much.", problemOf(errAPIBody)},
	}
}

// stagedExhibits are the answers of the library's routes and guards.
//
// A scene that stops leading to an error would leave a gap in the list, which the tests would see.
func stagedExhibits(base string) []exhibit {
	list := make([]exhibit, 0, len(scenes))
	for _, scene := range scenes {
		if p := play(scene, base); p != nil {
			list = append(list, exhibit{scene.when, p})
		}
	}
	return list
}

// galleryReference stands where real pages have a random one.
const galleryReference = "EXAMPLE123"

// gallery lists the exhibits.
//
// It is open to everybody, since constant texts have nothing to hide.
func (a *app) gallery(w http.ResponseWriter, r *http.Request) {
	p := a.newPage(r, "Error pages")
	p.Data = a.exhibits()
	pages.Write(w, http.StatusOK, "gallery.html", p)
}

// exhibit shows one of them as it looks, with its status.
//
// The status is the real one, so that the page is what a monitor or a cache would see too; it has no Retry-After, since
// there is nothing to wait for.
func (a *app) exhibit(w http.ResponseWriter, r *http.Request) {
	list := a.exhibits()
	i := slices.IndexFunc(list, func(e exhibit) bool { return e.Problem.Code == r.PathValue("code") })
	if i < 0 {
		a.refuse(w, r, http.StatusNotFound)
		return
	}
	p := *list[i].Problem
	p.Reference = galleryReference
	a.answer(w, r, &p)
}

// errOnStage is the cause of all that goes wrong on a stage. Nobody logs it.
var errOnStage = errors.New("this is only a demonstration")
