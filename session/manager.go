package session

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/signet-go/signet/internal/packed"
	"github.com/signet-go/signet/internal/seal"
)

var (
	// ErrUnavailable means that the Store can't be reached, so it is unknown whether the session is
	// alive. Answer 503 with Retry-After ([WriteUnavailable] does); never treat it as signed out,
	// never clear the cookie.
	ErrUnavailable = errors.New("session: store unavailable")

	// ErrNoSession means that there is no session: it never began, has ended, has expired or was
	// revoked.
	ErrNoSession = errors.New("session: no session")

	// ErrTooLarge means that the session does not fit the permitted cookies (the text names
	// Config.ServerSide as the way out), or has more than 256 names.
	ErrTooLarge = errors.New("session: too large")

	// ErrCommitted means that the response has begun, so the changes can't reach the browser's
	// cookie anymore.
	ErrCommitted = errors.New("session: response already begun")

	// ErrReturned means that the handler has returned, so a change would never be saved. In the
	// background, change the session in [Session.Exclusive].
	ErrReturned = errors.New("session: the handler has returned: change the session before, or in Session.Exclusive")

	// ErrNoStore is returned by [Manager.Revoke], [Manager.RevokeAt], [Session.Enlist],
	// [Manager.List] and [Manager.End] if Config.Store is not set.
	ErrNoStore = errors.New("session: Config.Store is not set: revocations and lists of sessions need one")
)

// A Manager keeps the sessions of one cookie. Make it with [New]. It is immutable but for
// [Manager.SetKeys], and safe for concurrent use.
type Manager struct {
	config Config
	log    *slog.Logger
	ring   *seal.Keyring
	store  Store       // bounded in time; nil without Config.Store
	vault  *seal.Vault // the manager's rows in it
	keeper keeper
	format *format
	cache  cache
	recent *recent
	locks  locks
	watch  watch
	told   told

	devices *devices

	companion struct {
		once  sync.Once
		value any
	}
}

// New returns a [Manager] for c. It does no I/O, so a Store may be down. All mistakes in c are
// reported in one error.
func New(c Config) (*Manager, error) {
	ring, err := seal.NewKeyring(c.Keys)
	c = c.filled()
	if err := errors.Join(keysError(err), c.problems()); err != nil {
		return nil, err
	}
	c.Keys = nil // the ring has them; a printed Config must not
	m := &Manager{config: c, log: c.Logger, ring: ring, format: newFormat(c)}
	m.cache.max = c.MemoryBytes
	m.recent = newRecent(m.log)
	if c.Store != nil {
		m.store = timedStore{c.Store, c.StoreTimeout}
		m.vault = m.rows("session " + m.format.name)
	}
	if c.ServerSide {
		m.keeper = &serverKeeper{m}
	} else {
		m.keeper = newCookieKeeper(m)
	}
	m.devices = newDevices(m)
	m.watch.ended = m.endedNow
	return m, nil
}

// SetKeys rotates keys while serving: the first seals, all open. It affects only this process:
// every other replica needs the same call, and [Config].Keys says in which order. Error: every
// mistake in keys, as [New] reports them; then the old keys stay.
func (m *Manager) SetKeys(keys []string) error {
	if err := m.ring.Set(keys); err != nil {
		return keysError(err)
	}
	m.cache.flush()
	return nil
}

// KeyIDs returns the ids of the current keys, newest first, as [Config].OnKeyUse reports them.
func (m *Manager) KeyIDs() []string { return m.ring.IDs() }

// Ready reports whether the Store answers. Without a Store it always does. Error: [ErrUnavailable].
func (m *Manager) Ready(ctx context.Context) error {
	if m.vault == nil {
		return nil
	}
	_, err := m.vault.Get(ctx, "ready")
	return err
}

// Config returns the effective configuration, defaults filled in, without Keys.
func (m *Manager) Config() Config { return m.config }

// CookieName is the session cookie's full name, with the prefix that its attributes allow.
func (m *Manager) CookieName() string { return m.config.cookieName() }

// rows are the rows of one purpose in the Store; nil without one.
func (m *Manager) rows(purpose string) *seal.Vault {
	if m.store == nil {
		return nil
	}
	return m.ring.Vault(m.store, purpose)
}

// DestroyID ends the session with this [Session.ID], wherever its cookie is: the one that was
// current when a login began, say. An empty or unknown id is not an error. Error: [ErrUnavailable];
// this process then no longer honors the session, but others may.
func (m *Manager) DestroyID(ctx context.Context, id string) error {
	if id == "" {
		return nil
	}
	_, err := m.end(context.WithoutCancel(ctx), m.endingOf(&packed.Generation{ID: id}))
	return err
}

// begin makes a session that nobody knows yet, and the secret of its cookie in server mode.
func (m *Manager) begin(now time.Time) (g *packed.Generation, secret string) {
	g = &packed.Generation{Created: now.UnixMilli(), Idle: m.idleFrom(now)}
	g.Deadline = g.Created + m.config.Lifetime.Milliseconds()
	g.ID, secret = m.newID()
	return g, secret
}

// newID returns the id of a session to come, and in server mode the secret of its cookie.
func (m *Manager) newID() (id, secret string) {
	if m.config.ServerSide {
		secret = newSecret()
		return secretID(secret), secret
	}
	return randomText(idSize), ""
}

const idSize = 16

// randomText is so many random bytes in base64.
func randomText(size int) string {
	b := make([]byte, size)
	rand.Read(b)
	return base64.RawURLEncoding.EncodeToString(b)
}
