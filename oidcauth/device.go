package oidcauth

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"slices"

	"github.com/signet-go/signet/internal/bound"
	"github.com/signet-go/signet/internal/inside"
	"github.com/signet-go/signet/internal/logtext"
	"github.com/signet-go/signet/session"
)

// Names of the routes where browsers bind sessions, below the prefix.
const (
	deviceStart   = "device/start"
	deviceRefresh = "device/refresh"
)

// bindsDevices reports whether sessions are bound to the browser's device, where it can.
func (a *core) bindsDevices() bool { return a.sessions.Config().DeviceBound != session.DeviceOff }

// A binder binds sessions to keys of the browser's device, and judges requests that come without a
// proof of theirs.
type binder struct{ *core }

// offer has pages invite browsers to bind their sessions, each at the Authenticator that has
// signed its user in.
func (d *binder) offer() {
	if !d.bindsDevices() {
		return
	}
	if d.site.Origin[:5] != "https" {
		d.log.Warn("no device is bound over plain http", "issuer", d.config.Issuer, "origin", d.site.Origin)
	}
	inside.OfManager(d.sessions).InviteAt(func(s any) string {
		id, err := identityOf(s.(*session.Session))
		if err != nil {
			return ""
		}
		owner := d.ownerOf(id)
		if owner == nil {
			return ""
		}
		return owner.site.At(deviceStart)
	})
}

// serveStart binds the browser's session to the key that it has made (Device Bound Session
// Credentials §8.8).
func (d *binder) serveStart(w http.ResponseWriter, r *http.Request) {
	if d.refuses(w, r) {
		return
	}
	binding, err := inside.OfSession(d.sessions.From(r.Context())).Bind(r.Context(), bound.ResponseIn(r.Header))
	if err != nil {
		d.refuse(w, r, "registration", binding, err)
		return
	}
	user := UserFrom(r.Context())
	d.log.LogAttrs(r.Context(), slog.LevelInfo, "device bound", slog.String("issuer", d.config.Issuer),
		slog.String("session", binding.Session), slog.String("thumbprint", binding.Thumbprint), logtext.Fingerprint("sub", known(user).Subject))
	d.tellDevice(r.Context(), DeviceEvent{User: user, Thumbprint: binding.Thumbprint})
	d.answer(w, binding)
}

// serveRefresh renews the bound cookie of whoever proves to have the session's key. It asks
// nobody but the Store, and is no use of the session.
func (d *binder) serveRefresh(w http.ResponseWriter, r *http.Request) {
	if d.refuses(w, r) {
		return
	}
	binding, err := inside.OfManager(d.sessions).RenewBinding(r.Context(), r.Header)
	switch {
	case err != nil:
		d.refuse(w, r, "renewal", binding, err)
	case binding.Challenge != "":
		bound.SetChallenge(w.Header(), binding.Identifier, binding.Challenge)
		writeJSON(w, http.StatusForbidden, map[string]string{"error": "device_proof_required"})
	default:
		d.tellDevice(r.Context(), DeviceEvent{Thumbprint: binding.Thumbprint, Renewal: true})
		d.answer(w, binding)
	}
}

// refuses turns away what no browser sends to the device routes.
func (d *binder) refuses(w http.ResponseWriter, r *http.Request) bool {
	if d.methodNotAllowed(w, r, http.MethodPost) {
		return true
	}
	if err := d.csrf.Check(r); err != nil {
		d.fail(w, r, &Problem{Status: http.StatusForbidden, Code: "cross_origin", Err: err})
		return true
	}
	return false
}

// refuse answers a registration or renewal that came to nothing. A Store that is down says
// nothing about the binding, and browsers keep it for a 5xx; without a challenge a 403 ends it.
func (d *binder) refuse(w http.ResponseWriter, r *http.Request, during string, binding *inside.Binding, err error) {
	if errors.Is(err, session.ErrUnavailable) {
		d.fail(w, r, &Problem{Status: http.StatusServiceUnavailable, Code: "store_unavailable", Err: err})
		return
	}
	d.tellDevice(r.Context(), DeviceEvent{Thumbprint: binding.Thumbprint, Renewal: during == "renewal", Err: err})
	d.fail(w, r, &Problem{Status: http.StatusForbidden, Code: "device_refused", Err: &deviceError{during, binding, err}})
}

// A deviceError says, for the log, which binding was refused.
type deviceError struct {
	during  string
	binding *inside.Binding
	err     error
}

// Error names the session and the key, as far as they are known.
func (e *deviceError) Error() string {
	return "device " + e.during + " of session " + logtext.Quote(e.binding.Session) + ", key " + logtext.Quote(e.binding.Thumbprint) + ": " + e.err.Error()
}

// Unwrap returns the cause.
func (e *deviceError) Unwrap() error { return e.err }

// tellDevice calls the hook.
func (a *core) tellDevice(ctx context.Context, e DeviceEvent) {
	if a.config.Hooks.Device != nil {
		a.config.Hooks.Device(ctx, e)
	}
}

// Instructions are what the browser does with a binding from now on (Device Bound Session
// Credentials §9.9).
type instructions struct {
	Identifier  string        `json:"session_identifier"`
	RefreshURL  string        `json:"refresh_url"`
	Scope       deviceScope   `json:"scope"`
	Credentials []deviceProof `json:"credentials"`
	Initiators  []string      `json:"allowed_refresh_initiators"`
}

type deviceScope struct {
	Origin        string       `json:"origin"`
	IncludeSite   bool         `json:"include_site"`
	Specification []deviceRule `json:"scope_specification"`
}

type deviceRule struct {
	Type   string `json:"type"`
	Domain string `json:"domain"`
	Path   string `json:"path"`
}

type deviceProof struct {
	Type       string `json:"type"`
	Name       string `json:"name"`
	Attributes string `json:"attributes"`
}

// answer hands out a bound cookie, and says when to renew it.
func (d *binder) answer(w http.ResponseWriter, binding *inside.Binding) {
	http.SetCookie(w, binding.Cookie)
	writeJSON(w, http.StatusOK, instructions{
		Identifier: binding.Identifier, RefreshURL: d.site.At(deviceRefresh),
		Scope:       deviceScope{Origin: d.site.Origin, Specification: d.exceptions()},
		Credentials: []deviceProof{{"cookie", binding.Cookie.Name, binding.Attributes}},
		Initiators:  d.initiators(),
	})
}

// exceptions are the requests that never wait for the bound cookie: those of the own routes,
// which work without, but for the session endpoint, which judges as any page does.
func (d *binder) exceptions() (rules []deviceRule) {
	origin, _ := url.Parse(d.site.Origin)
	add := func(other *Authenticator) {
		if other.site.Origin != d.site.Origin {
			return
		}
		for _, path := range slices.Sorted(maps.Keys(other.routes)) {
			if path != other.site.Prefix+"session" {
				rules = append(rules, deviceRule{"exclude", origin.Hostname(), other.site.Base + path})
			}
		}
	}
	siblingsOf(d.sessions).near(d.key, add)
	return rules
}

// initiators are the hosts whose links lead here with a bound cookie that is renewed on the way:
// those of the providers. From everywhere else, one of our pages comes first; any other site could
// else tell by the time that a link takes who is signed in here.
func (d *binder) initiators() []string {
	hosts := []string{} // not null in JSON
	add := func(raw string) {
		if u, err := url.Parse(raw); err == nil && u.Hostname() != "" && !slices.Contains(hosts, u.Hostname()) {
			hosts = append(hosts, u.Hostname())
		}
	}
	siblingsOf(d.sessions).near(d.key, func(other *Authenticator) {
		if other.provider == nil {
			return
		}
		add(other.config.Issuer)
		if meta := other.provider.Peek(); meta != nil {
			add(meta.AuthorizationEndpoint)
		}
	})
	slices.Sort(hosts)
	return hosts
}
