// Package gallery shows every error answer that people can meet, those of the app and those of the
// library, without anything having gone wrong.
//
// It promises that the answers are the real ones: the library makes its own on a stage, with a
// provider that exists as a function only. It opens no socket, writes no log and touches no session
// of a real user. Start at Gallery; the stage is in stage.go.
package gallery

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"sync"

	"github.com/signet-go/signet/example-webapp/internal/problem"
	"github.com/signet-go/signet/oidcauth"
	"github.com/signet-go/signet/session"
)

// An Exhibit is one kind of error answer in the gallery: the answer itself, and when people meet
// it.
type Exhibit struct {
	When    string
	Problem *oidcauth.Problem
}

// A Gallery is the list, made when it is first asked for. Safe for concurrent use.
type Gallery struct{ list func() []Exhibit }

// New returns one for an app that the browser finds at base, a path without a slash at its end.
func New(base string) *Gallery {
	return &Gallery{list: sync.OnceValue(func() []Exhibit { return exhibits(base) })}
}

// Exhibits are one answer of each kind, by status.
func (g *Gallery) Exhibits() []Exhibit { return g.list() }

// find returns the answer with code as it is shown, nil when there is none.
func (g *Gallery) find(code string) *oidcauth.Problem {
	list := g.list()
	i := slices.IndexFunc(list, func(e Exhibit) bool { return e.Problem.Code == code })
	if i < 0 {
		return nil
	}
	p := *list[i].Problem
	p.Reference = reference
	return &p
}

// Show answers with the exhibit that the path names, as it looks: refuse has the word where there is
// none.
//
// The status is the real one, so that the page is what a monitor or a cache would see too; it has
// no Retry-After, since there is nothing to wait for.
func (g *Gallery) Show(answer func(http.ResponseWriter, *http.Request, *oidcauth.Problem), refuse func(http.ResponseWriter, *http.Request, int)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if p := g.find(r.PathValue("code")); p != nil {
			answer(w, r, p)
			return
		}
		refuse(w, r, http.StatusNotFound)
	}
}

// reference stands where real pages have a random one.
const reference = "EXAMPLE123"

// exhibits returns one answer of each kind, by status. Those of the library are made by the
// library, on a stage of its own, so that the gallery shows what it really says and no session, log
// or provider takes part. Their links have base in front.
func exhibits(base string) []Exhibit {
	list := append(ownExhibits(), stagedExhibits(base)...)
	slices.SortStableFunc(list, func(a, b Exhibit) int { return a.Problem.Status - b.Problem.Status })
	return list
}

// ownExhibits are the app's own answers.
//
// They are the very values that requests get, by way of package problem.
func ownExhibits() []Exhibit {
	return []Exhibit{
		{"An address that nothing answers.", problem.Refused[http.StatusNotFound]},
		{"A method that an address does not know.", problem.Refused[http.StatusMethodNotAllowed]},
		{"A form that another site sent.", problem.Refused[http.StatusForbidden]},
		{"A request under a host name that is not ours.", problem.Refused[http.StatusMisdirectedRequest]},
		{"The refresh token is not accepted any more.", problem.Of(oidcauth.ErrLoginRequired)},
		{"An API wants a fresher or stronger login (RFC 9470).", problem.Of(&oidcauth.StepUpError{})},
		{"Redis can't be reached.", problem.Of(session.ErrUnavailable)},
		{"An API takes too long.", problem.Of(context.DeadlineExceeded)},
		{"An API breaks the connection, or says too much.", problem.Of(errOnStage)},
	}
}

// stagedExhibits are the answers of the library's routes and guards.
//
// A scene that stops leading to an error would leave a gap in the list, which the tests would see.
func stagedExhibits(base string) []Exhibit {
	list := make([]Exhibit, 0, len(scenes))
	for _, scene := range scenes {
		if p := play(scene, base); p != nil {
			list = append(list, Exhibit{scene.when, p})
		}
	}
	return list
}

// errOnStage is the cause of all that goes wrong on a stage. Nobody logs it.
var errOnStage = errors.New("this is only a demonstration")
