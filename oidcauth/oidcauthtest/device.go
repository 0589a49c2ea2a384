package oidcauthtest

import (
	"encoding/json"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"
)

// A device is the browser's part in Device Bound Session Credentials, with keys in software. It does
// what Chromium does: see [Browser.DeviceAlg]. The browser's mutex guards it.
type device struct {
	waiting  []registration // asked for by answers, not begun yet
	sessions []*DeviceSession
	signed   []time.Time // when a renewal was signed, for the quota
}

const (
	// deviceQuota is how many renewals a browser signs in deviceWindow.
	deviceQuota  = 5
	deviceWindow = 5 * time.Minute

	// deviceRest is how long a browser leaves a renewal alone that has failed.
	deviceRest = 30 * time.Second

	// deviceRounds bounds the challenges of one renewal.
	deviceRounds = 3
)

// A DeviceSession is one of the browser's bindings: a key, and the cookie that it renews with the
// key.
type DeviceSession struct {
	ID         string // session_identifier
	RefreshURL string
	Cookie     string   // the name of the bound cookie
	Initiators []string // allowed_refresh_initiators
	Excluded   []string // paths whose requests don't wait for the cookie
	Key        *Key     // never leaves a real device; a test may sign with it whatever it likes

	origin    string
	challenge string     // sent ahead, "" for none
	renewing  sync.Mutex // requests wait for one renewal; taken before the browser's mu
	restUntil time.Time  // under renewing
}

// A registration is what a Secure-Session-Registration header asks for.
type registration struct {
	target                   *url.URL
	challenge, authorization string
	behalf                   *Navigation // of whose answer it was
}

// DeviceSessions returns the bindings that the browser has, oldest first.
func (b *Browser) DeviceSessions() []*DeviceSession {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.device.sessions)
}

// Restart closes the browser and opens it again: cookies without an expiry are gone, the others and
// the bindings stay.
func (b *Browser) Restart() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.jar.cookies = slices.DeleteFunc(b.jar.cookies, func(c *cookie) bool { return c.expires.IsZero() })
}

// obeyDevice reads what an answer says about device-bound sessions. The browser's mutex is held.
func (b *Browser) obeyDevice(n *Navigation, x *Exchange, u *url.URL) {
	if clear := x.Answer.Get("Clear-Site-Data"); trustworthy(u) && regexp.MustCompile(`"(cookies|storage|\*)"`).MatchString(clear) {
		b.device.sessions = slices.DeleteFunc(b.device.sessions, func(s *DeviceSession) bool {
			return registrable(mustParse(s.origin).Hostname()) == registrable(u.Hostname())
		})
	}
	if b.DeviceAlg == "" || u.Scheme != "https" {
		return
	}
	for _, value := range x.Answer.Values("Secure-Session-Registration") {
		algs, rest, _ := strings.Cut(strings.TrimPrefix(value, "("), ")")
		target, err := u.Parse(fieldParameter(rest, "path"))
		if err == nil && originOf(target) == originOf(u) && slices.Contains(strings.Fields(algs), b.DeviceAlg) {
			b.device.waiting = append(b.device.waiting, registration{target, fieldParameter(rest, "challenge"), fieldParameter(rest, "authorization"), n})
		}
	}
	for _, value := range x.Answer.Values("Secure-Session-Challenge") {
		if s := b.deviceSession(fieldParameter(value, "id")); s != nil && s.origin == originOf(u) {
			s.challenge, _, _ = strings.Cut(strings.TrimPrefix(value, `"`), `"`)
		}
	}
}

// deviceSession returns the binding with this identifier, nil without one. The mutex is held.
func (b *Browser) deviceSession(id string) *DeviceSession {
	for _, s := range b.device.sessions {
		if s.ID == id {
			return s
		}
	}
	return nil
}

// fieldParameter returns a string parameter of a structured field, "" without it.
func fieldParameter(value, name string) string {
	if found := regexp.MustCompile(`; *` + name + `="((?:[^"\\]|\\.)*)"`).FindStringSubmatch(value); found != nil {
		return strings.NewReplacer(`\"`, `"`, `\\`, `\`).Replace(found[1])
	}
	return ""
}

// register makes the registrations that were asked for: after the navigation that asked, as
// browsers do, whose next request is usually faster.
func (t *Tab) register() {
	b := t.browser
	b.mu.Lock()
	waiting := b.device.waiting
	b.device.waiting = nil
	b.mu.Unlock()
	for _, r := range waiting {
		key := NewKey(b.DeviceAlg, "")
		body, x := t.sendDevice(r.target, r.behalf, http.Header{"Secure-Session-Response": {key.deviceProof(true, r.challenge, r.authorization)}})
		if s := newDeviceSession(r.target, body, &x); s != nil {
			s.Key = key
			b.mu.Lock()
			b.device.sessions = slices.DeleteFunc(b.device.sessions, func(o *DeviceSession) bool { return o.ID == s.ID && o.origin == s.origin })
			b.device.sessions = append(b.device.sessions, s)
			b.mu.Unlock()
		}
	}
}

// A deviceAnswer is what registration and renewal are answered with.
type deviceAnswer struct {
	ID         string `json:"session_identifier"`
	RefreshURL string `json:"refresh_url"`
	Continue   *bool  `json:"continue"`
	Scope      struct {
		Origin        string
		Specification []struct{ Type, Domain, Path string } `json:"scope_specification"`
	}
	Credentials []struct{ Type, Name, Attributes string }
	Initiators  []string `json:"allowed_refresh_initiators"`
}

// newDeviceSession returns the binding that an answer makes, nil where a browser takes it for none.
func newDeviceSession(u *url.URL, body string, x *Exchange) *DeviceSession {
	var answer deviceAnswer
	if x.Status/100 != 2 || json.Unmarshal([]byte(body), &answer) != nil || answer.ID == "" || len(answer.Credentials) != 1 {
		return nil
	}
	refresh, err := u.Parse(answer.RefreshURL)
	cookie := answer.Credentials[0]
	if err != nil || originOf(refresh) != originOf(u) || answer.Scope.Origin != originOf(u) || !x.sets(cookie.Name, cookie.Attributes) {
		return nil
	}
	s := &DeviceSession{ID: answer.ID, RefreshURL: refresh.String(), Cookie: cookie.Name, Initiators: answer.Initiators, origin: originOf(u)}
	for _, rule := range answer.Scope.Specification {
		if rule.Type == "exclude" {
			s.Excluded = append(s.Excluded, rule.Path)
		}
	}
	return s
}

// sets reports whether the answer sets a cookie with exactly these attributes, its life aside.
func (x *Exchange) sets(name, attributes string) bool {
	for _, c := range x.SetCookie {
		if c.Name != name {
			continue
		}
		got := *c
		got.Value, got.MaxAge, got.Expires, got.Raw = "", 0, time.Time{}, ""
		want, err := http.ParseSetCookie(name + "=; " + attributes)
		if err != nil {
			return false
		}
		return got.String() == want.String()
	}
	return false
}

// covers reports whether requests to u wait for the bound cookie.
func (s *DeviceSession) covers(u *url.URL) bool {
	return originOf(u) == s.origin && !slices.ContainsFunc(s.Excluded, func(path string) bool {
		rest, below := strings.CutPrefix(u.EscapedPath(), strings.TrimSuffix(path, "/"))
		return below && (rest == "" || rest[0] == '/')
	})
}

// mayStart reports whether a request of n may start a renewal: one that another site began may not,
// unless its host is named.
func (s *DeviceSession) mayStart(n *Navigation, u *url.URL) bool {
	from := n.from.origin()
	return from == nil || site(from) == site(u) || slices.Contains(s.Initiators, "*") || slices.Contains(s.Initiators, from.Hostname())
}
