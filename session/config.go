package session

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/signet-go/signet/internal/seal"
)

// Config says how sessions are kept. Zero values are safe and the usual choice; only Keys is
// required. [New] copies it.
type Config struct {
	// Keys are base64 texts of 32 random bytes (NewKey makes one), newest first: the first seals,
	// all open. Every replica needs the same list. To rotate, first append the new key everywhere,
	// then move it to the front, and drop the old one when OnKeyUse no longer reports it. Required.
	Keys []string

	// Store is shared by all processes: it holds revocation marks, leases, lists of sessions and
	// recent generations, and with ServerSide the sessions. Zero means that there is one process:
	// Revoke is refused, and a copied cookie of an ended session is useless only while this process
	// remembers that end.
	Store Store

	// ServerSide keeps sessions in Store; the cookie then holds a random id of 256 bits. Zero means
	// that the sealed cookie is the session.
	ServerSide bool

	// Lifetime is the absolute limit of a session, counted from its beginning or last Renew, 1 s to
	// 400 days. A shorter Lifetime applies to sessions that exist already. Zero means 12 hours.
	Lifetime time.Duration

	// IdleTimeout ends a session that has not been used for this long, at least 1 s. Zero means 1
	// hour; negative means never.
	IdleTimeout time.Duration

	// CookieName is the cookie's name without prefix. "__Host-" is put in front, unless
	// CookieDomain, CookiePath or InsecureCookie rule it out. Zero means "session".
	CookieName string

	// CookieDomain sends the cookie to all hosts of a domain: every one of them can then set it.
	// Gives up "__Host-". Zero means this host alone.
	CookieDomain string

	// CookiePath limits the cookie to a path. It is no security boundary. Another path than "/"
	// gives up "__Host-". Zero means "/".
	CookiePath string

	// InsecureCookie drops Secure and "__Host-", so the cookie is also sent over plain http: only
	// for development on loopback with a browser that refuses Secure cookies there, which the
	// caller must check. Zero means Secure.
	InsecureCookie bool

	// SameSiteStrict withholds the cookie from every request that another site causes, links
	// included: visitors who follow one appear signed out until their next click. With package
	// oidcauth, guards have the browser load the page again from this site, which costs one more
	// request; unguarded pages treat such visitors as signed out. Zero means Lax, which withholds
	// it from everything but links.
	SameSiteStrict bool

	// Persistence says whether cookies outlive the browser, unless [Session.SetPersistence] does.
	// Zero means Persistent.
	Persistence Persistence

	// MaxChunks is how many cookies of at most 4,096 bytes a session may take, 1 to 9. Unused with
	// ServerSide. Zero means 4.
	MaxChunks int

	// MemoryBytes bounds the memory of decoded sessions. Zero means 16 MiB; negative means that
	// none are remembered.
	MemoryBytes int

	// DeviceBound binds a login's session to a key that never leaves the browser's device, if the
	// browser supports it (Device Bound Session Credentials): a cookie copied to another machine
	// then works for at most BoundLife. It needs package oidcauth, whose logins ask for it
	// and which has the routes for it. Zero means DeviceOff.
	DeviceBound DeviceBinding

	// BoundLife is the life of the short-lived cookie that the browser renews by proving that it has
	// the key, 10 s to 1 h; below 2 minutes browsers run out of renewals. Unused with DeviceOff. Zero
	// means 10 minutes.
	BoundLife time.Duration

	// StoreTimeout bounds each call of Store. Zero means 3 s.
	StoreTimeout time.Duration

	// Logger receives what an operator should see, never a secret, a cookie or a value: the package
	// overview lists the lines. Zero means slog.Default().
	Logger *slog.Logger

	// OnKeyUse is called with the id (see Manager.KeyIDs) of the key that sealed a session, each
	// time one is loaded. It shows when an old key can be removed. It must be fast and safe for
	// concurrent use. Zero means no calls.
	OnKeyUse func(keyID string)
}

const (
	defaultLifetime    = 12 * time.Hour
	defaultIdle        = time.Hour
	defaultName        = "session"
	defaultChunks      = 4
	defaultMemory      = 16 << 20
	defaultTimeout     = 3 * time.Second
	defaultBoundLife   = 10 * time.Minute
	maxLifetime        = 400 * 24 * time.Hour // browsers cut a cookie's life there (RFC 6265bis §5.5)
	hostPrefix         = "__Host-"            // RFC 6265bis §4.1.3.2
	markSlack          = 24 * time.Hour       // ends and marks outlive every session by this: clocks may be set back
	memoryOfGeneration = time.Minute          // how long a newer generation is at least remembered for late requests
)

// NewKey returns a fresh random key for [Config].Keys.
func NewKey() string { return seal.NewKey() }

// filled returns c with defaults in place of zero values.
func (c Config) filled() Config {
	c.Lifetime = or(c.Lifetime, defaultLifetime)
	c.IdleTimeout = or(c.IdleTimeout, defaultIdle)
	c.CookieName = or(c.CookieName, defaultName)
	c.CookiePath = or(c.CookiePath, "/")
	c.MaxChunks = or(c.MaxChunks, defaultChunks)
	c.MemoryBytes = or(c.MemoryBytes, defaultMemory)
	c.StoreTimeout = or(c.StoreTimeout, defaultTimeout)
	c.BoundLife = or(c.BoundLife, defaultBoundLife)
	c.Logger = or(c.Logger, slog.Default())
	return c
}

// or returns value, or preset for a zero value.
func or[T comparable](value, preset T) T {
	var zero T
	if value == zero {
		return preset
	}
	return value
}

// problems reports every mistake in a filled Config, but for its keys.
func (c Config) problems() error {
	var errs []error
	report := func(bad bool, format string, args ...any) {
		if bad {
			errs = append(errs, fmt.Errorf("session: "+format, args...))
		}
	}
	report(c.ServerSide && c.Store == nil, "ServerSide needs a Store")
	report(c.Lifetime < time.Second || c.Lifetime > maxLifetime, "Lifetime is %v, want 1 s to 400 days", c.Lifetime)
	report(c.IdleTimeout > 0 && c.IdleTimeout < time.Second, "IdleTimeout is %v, want at least 1 s, or negative for none",
		c.IdleTimeout)
	report(c.MaxChunks < 1 || c.MaxChunks > chunkLimit, "MaxChunks is %d, want 1 to %d", c.MaxChunks, chunkLimit)
	report(c.Persistence > Transient, "Persistence is %d, want Persistent or Transient", c.Persistence)
	report(c.StoreTimeout < 0, "StoreTimeout is %v, want a positive duration", c.StoreTimeout)
	report(c.BoundLife < minBoundLife || c.BoundLife > maxBoundLife, "BoundLife is %v, want 10 s to 1 h", c.BoundLife)
	report(!slices.Contains([]DeviceBinding{DeviceOff, DeviceOn, DeviceRequire}, c.DeviceBound),
		"DeviceBound is %q, want DeviceOff, DeviceOn or DeviceRequire", string(c.DeviceBound))
	report(c.DeviceBound == DeviceRequire && c.InsecureCookie,
		"DeviceBound is DeviceRequire and InsecureCookie is set: browsers bind sessions over https only, so that nobody could stay signed in")
	report(strings.HasPrefix(c.CookieName, "__"), "CookieName is %q, want it without prefix", c.CookieName)
	report(len(c.CookieName) > 1 && isChunk(c.CookieName[len(c.CookieName)-2:]),
		"CookieName is %q, want it without the ending of a chunk, which may be another manager's", c.CookieName)
	report(!c.cookieFits(), "CookieName %q, CookieDomain %q and CookiePath %q make no valid cookie",
		c.CookieName, c.CookieDomain, c.CookiePath)
	return errors.Join(errs...)
}

// isChunk reports whether ending is what the names of later chunks end in.
func isChunk(ending string) bool { return ending[0] == '.' && ending[1] >= '0' && ending[1] <= '9' }

// keysError names the setting in front of each mistake.
func keysError(err error) error {
	var joined interface{ Unwrap() []error }
	if !errors.As(err, &joined) {
		return err
	}
	var errs []error
	for _, err := range joined.Unwrap() {
		errs = append(errs, fmt.Errorf("session: Keys: %w", err))
	}
	return errors.Join(errs...)
}

// cookieFits asks net/http, which would drop a bad attribute with no more than a log line.
func (c Config) cookieFits() bool {
	cookie := &http.Cookie{Name: c.CookieName, Value: "x", Domain: c.CookieDomain, Path: c.CookiePath}
	return cookie.Valid() == nil && strings.HasPrefix(c.CookiePath, "/") && len(cookie.String()) < 1024
}

// cookieName is the full name, with the prefix that makes browsers refuse the cookie from other
// hosts and from plain http.
func (c Config) cookieName() string {
	if c.InsecureCookie || c.CookieDomain != "" || c.CookiePath != "/" {
		return c.CookieName
	}
	return hostPrefix + c.CookieName
}
