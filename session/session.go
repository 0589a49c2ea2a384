// Package session keeps sessions of web users: in one sealed cookie, or in a Store.
package session

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/signet-go/signet/internal/seal"
)

var (
	// ErrUnavailable: the Store can't be reached, so nobody can say whether the session lives. Answer 503 with Retry-After
	// (WriteUnavailable does); never treat it as signed out, never clear the cookie.
	ErrUnavailable = errors.New("session: store unavailable")
	// ErrNoSession: there is no session (never begun, ended, expired, revoked).
	ErrNoSession = errors.New("session: no session")
	// ErrTooLarge: the session does not fit the permitted cookies; the text names Config.ServerSide as the way out.
	ErrTooLarge = errors.New("session: too large for cookies")
	// ErrCommitted: the response has begun and the change can't reach the browser's cookie any more.
	ErrCommitted = errors.New("session: response already begun")
)

// Config: zero values are safe.
type Config struct {
	Keys           []string      // base64 32-byte keys, newest first (NewKey); required
	Store          Store         // nil: one process, no marks
	ServerSide     bool          // sessions live in Store; the cookie holds a random id
	Lifetime       time.Duration // absolute [12 h]
	IdleTimeout    time.Duration // [1 h]; negative: none
	CookieName     string        // ["session"]: the __Host- prefix is added unless CookieInsecure, Domain or Path say otherwise
	CookieDomain   string
	CookiePath     string
	CookieInsecure bool // drops Secure and the prefix (rename Insecure…); only for loopback development, checked by the caller
	MaxChunks      int  // [4]
	MemoryBytes    int  // decoded-session memory [16 MiB]; negative: none
	Logger         *slog.Logger
	OnKeyUse       func(keyID string) // counts sessions per key id (name free)
}

// NewKey returns a random key for Config.Keys.
func NewKey() string { return seal.NewKey() }

// Store is what design.md says.
type Store = seal.Store

// A Manager is immutable but for SetKeys, and safe for concurrent use.
type Manager struct{}

// New validates c and does no I/O. All mistakes in one error.
func New(c Config) (*Manager, error) { panic("skeleton") }

// Handler loads the session of each request (lazily: nothing is decoded or read from the Store before somebody asks) and saves
// changes before the first byte of the response. Nesting is harmless: an inner Handler of the same Manager passes through.
func (m *Manager) Handler(next http.Handler) http.Handler { panic("skeleton") }

// SetKeys rotates keys while serving.
func (m *Manager) SetKeys(keys []string) error { panic("skeleton") }

// Revoke ends all sessions tagged tag that began before now (one clock; see Tag).
func (m *Manager) Revoke(ctx context.Context, tag string) error { panic("skeleton") }

// RevokeAt is Revoke for tags stamped by a foreign clock with TagAt: it ends sessions whose stamp is at or before at (a tie ends).
// A mark never moves backwards.
func (m *Manager) RevokeAt(ctx context.Context, tag string, at time.Time) error { panic("skeleton") }

// Ready reports whether the Store answers (nil Store: always).
func (m *Manager) Ready(ctx context.Context) error { panic("skeleton") }

// Config returns the effective configuration, defaults filled in, without Keys.
func (m *Manager) Config() Config { panic("skeleton") }

// Sealer and Vault lend the manager's keys and store to the packages of this module; Vault is nil without a Store.
func (m *Manager) Sealer(purpose string) *seal.Sealer { panic("skeleton") }
func (m *Manager) Vault(purpose string) *seal.Vault   { panic("skeleton") }

// A Session is a request's view of its browser's session. Safe for concurrent use by the goroutines of one request.
type Session struct{}

// From returns the session handle that Handler put into ctx, nil without Handler. The handle exists for signed-out browsers too.
func From(ctx context.Context) *Session { panic("skeleton") }

// Manager returns the manager that made s.
func (s *Session) Manager() *Manager { panic("skeleton") }

// Load decodes the session now: nil when there is a living session, ErrNoSession, or ErrUnavailable.
func (s *Session) Load() error { panic("skeleton") }

// ID is the session's identifier for logs, leases and hand-over: stable over generations, new with every Renew, not the cookie's
// secret (in server mode a hash of it). Empty when there is none.
func (s *Session) ID() string                     { panic("skeleton") }
func (s *Session) Created() time.Time             { panic("skeleton") }
func (s *Session) Expires() time.Time             { panic("skeleton") } // the nearer of absolute and idle limit
func (s *Session) Deadline() time.Time            { panic("skeleton") } // absolute
func (s *Session) Get(name string) ([]byte, bool) { panic("skeleton") }

// Set keeps value under name (opaque: never compressed). It begins a session when there is none.
func (s *Session) Set(name string, value []byte) error { panic("skeleton") }
func (s *Session) Delete(name string)                  { panic("skeleton") }

// Token and SetToken are Get and Set for tokens: JWTs are packed, and unpacked only when asked for.
func (s *Session) Token(name string) (string, bool)         { panic("skeleton") }
func (s *Session) SetToken(name string, token string) error { panic("skeleton") }

// Tag lets Revoke(tag) end this session; stamped by the manager's clock above any mark that exists at saving.
func (s *Session) Tag(tag string) { panic("skeleton") }

// TagAt lets RevokeAt(tag, at) end this session if at is not before the given time (a foreign clock, e.g. the ID token's iat).
func (s *Session) TagAt(tag string, at time.Time) { panic("skeleton") }

// Limit caps the absolute deadline (a provider's session_expiry); it never extends it.
func (s *Session) Limit(t time.Time) { panic("skeleton") }

// Renew ends the current session, if any, and begins an empty one under a new id (new login). keep names app fields to carry over.
func (s *Session) Renew(keep ...string) error { panic("skeleton") }

// Destroy ends the session: the cookie is expired, a server-side row deleted, and its id marked dead where a Store is set.
// A Store failure is returned (ErrUnavailable) after the local part is done.
func (s *Session) Destroy(ctx context.Context) error { panic("skeleton") }

// DestroyID marks the session with this ID dead (the one that was current when a login began).
func (m *Manager) DestroyID(ctx context.Context, id string) error { panic("skeleton") }

// Save writes pending changes now (Handler calls it before the first byte). Errors: ErrTooLarge, ErrUnavailable, ErrCommitted.
func (s *Session) Save(ctx context.Context) error { panic("skeleton") }

// Exclusive runs fn while nobody else runs Exclusive for the same session: in this process by a lock, between processes by a
// lease in the Store that is renewed while fn runs. latest is the newest generation, read under the lock; what fn sets on it is
// published when fn returns nil: to the Store, and to this process's memory of recent generations (60 s), so that requests that
// still carry an older cookie get it, also when the response of this request has begun or ctx's request is gone. ctx should not be a
// request's. s itself is not changed: call Sync.
func (s *Session) Exclusive(ctx context.Context, fn func(ctx context.Context, latest *Session) error) error {
	panic("skeleton")
}

// Sync adopts the newest published generation; the response then carries its cookie if it has not begun.
func (s *Session) Sync(ctx context.Context) error { panic("skeleton") }

// Memo returns build's result, computed once per decoded generation of the session and shared by all requests that carry it
// (so the result must be immutable). Changes made in this request drop it.
func (s *Session) Memo(build func(*Session) any) any { panic("skeleton") }

// Done is closed when the session in ctx ends (revoked, ended, expired): for WebSockets and SSE. Within 5 s across processes.
func Done(ctx context.Context) <-chan struct{} { panic("skeleton") }

// Field is a typed value that an application keeps in the session (JSON).
type Field[T any] string

func (f Field[T]) Get(ctx context.Context) (T, bool)  { panic("skeleton") }
func (f Field[T]) Set(ctx context.Context, v T) error { panic("skeleton") }
func (f Field[T]) Delete(ctx context.Context) error   { panic("skeleton") }

// NewMemoryStore returns a bounded, swept Store for one process.
func NewMemoryStore() *MemoryStore { panic("skeleton") }

type MemoryStore struct{}

func (*MemoryStore) Get(ctx context.Context, keys ...string) ([][]byte, error) { panic("skeleton") }
func (*MemoryStore) Set(ctx context.Context, key string, value []byte, ttl time.Duration) error {
	panic("skeleton")
}
func (*MemoryStore) Add(ctx context.Context, key string, value []byte, ttl time.Duration) (bool, error) {
	panic("skeleton")
}
func (*MemoryStore) Swap(ctx context.Context, key string, old, value []byte, ttl time.Duration) (bool, error) {
	panic("skeleton")
}
func (*MemoryStore) Delete(ctx context.Context, key string, old []byte) (bool, error) {
	panic("skeleton")
}
