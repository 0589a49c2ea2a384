package session_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/signet-go/signet/session"
	"github.com/stretchr/testify/require"
)

const cookieName = "__Host-session"

// newManager fills in what a test does not care about.
func newManager(t testing.TB, c session.Config) *session.Manager {
	t.Helper()
	if c.Keys == nil {
		c.Keys = []string{session.NewKey()}
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	m, err := session.New(c)
	require.NoError(t, err)
	return m
}

// browser keeps cookies as a browser does, but for their time.
type browser struct {
	t       testing.TB
	m       *session.Manager
	cookies map[string]string
}

func newBrowser(t testing.TB, m *session.Manager) *browser {
	return &browser{t: t, m: m, cookies: map[string]string{}}
}

// clone is a second browser with the same cookies: what a thief has, or a request that was sent
// earlier.
func (b *browser) clone() *browser {
	return &browser{t: b.t, m: b.m, cookies: maps.Clone(b.cookies)}
}

func (b *browser) header() string {
	var pairs []string
	for _, name := range slices.Sorted(maps.Keys(b.cookies)) {
		pairs = append(pairs, name+"="+b.cookies[name])
	}
	return strings.Join(pairs, "; ")
}

// send makes a request without keeping the cookies of its response.
func (b *browser) send(h http.HandlerFunc) *httptest.ResponseRecorder {
	r := httptest.NewRequest("GET", "https://shop.example/", nil)
	if len(b.cookies) > 0 {
		r.Header.Set("Cookie", b.header())
	}
	w := httptest.NewRecorder()
	b.m.Handler(h).ServeHTTP(w, r)
	return w
}

// receive keeps the cookies of a response.
func (b *browser) receive(w *httptest.ResponseRecorder) {
	for _, c := range w.Result().Cookies() {
		if c.MaxAge < 0 {
			delete(b.cookies, c.Name)
		} else {
			b.cookies[c.Name] = c.Value
		}
	}
}

func (b *browser) get(h http.HandlerFunc) *httptest.ResponseRecorder {
	w := b.send(h)
	b.receive(w)
	return w
}

// with runs fn with the session of a request.
func (b *browser) with(fn func(s *session.Session)) *httptest.ResponseRecorder {
	return b.get(func(_ http.ResponseWriter, r *http.Request) { fn(session.From(r.Context())) })
}

// set signs the browser in, if need be, with a value.
func (b *browser) set(name, value string) *httptest.ResponseRecorder {
	b.t.Helper()
	return b.with(func(s *session.Session) { require.NoError(b.t, s.Set(name, []byte(value))) })
}

// value is what a request of the browser reads; "" without a session or value.
func (b *browser) value(name string) (value string) {
	b.with(func(s *session.Session) {
		data, _ := s.Get(name)
		value = string(data)
	})
	return value
}

// load is what Load says in a request of the browser.
func (b *browser) load() (err error) {
	b.with(func(s *session.Session) { err = s.Load() })
	return err
}

func (b *browser) id() (id string) {
	b.with(func(s *session.Session) { id = s.ID() })
	return id
}

func setCookies(w *httptest.ResponseRecorder) []string { return w.Result().Header["Set-Cookie"] }

// spyStore counts what reaches a Store, and fails or stalls when told to.
type spyStore struct {
	session.Store
	down  atomic.Bool
	gets  atomic.Int64
	calls atomic.Int64

	mu     sync.Mutex
	keys   [][]string        // of each Get
	values map[string][]byte // last written
	before func(op string)   // runs before a call
}

var errDown = errors.New("connection refused")

func newSpy(s session.Store) *spyStore { return &spyStore{Store: s, values: map[string][]byte{}} }

func (s *spyStore) note(op, key string, value []byte) error {
	s.calls.Add(1)
	s.mu.Lock()
	if value != nil {
		s.values[key] = bytes.Clone(value)
	}
	before := s.before
	s.mu.Unlock()
	if before != nil {
		before(op)
	}
	if s.down.Load() {
		return errDown
	}
	return nil
}

func (s *spyStore) Get(ctx context.Context, keys ...string) ([][]byte, error) {
	s.gets.Add(1)
	s.mu.Lock()
	s.keys = append(s.keys, keys)
	s.mu.Unlock()
	if err := s.note("Get", "", nil); err != nil {
		return nil, err
	}
	return s.Store.Get(ctx, keys...)
}

func (s *spyStore) Set(ctx context.Context, key string, value []byte, ttl time.Duration) error {
	if err := s.note("Set", key, value); err != nil {
		return err
	}
	return s.Store.Set(ctx, key, value, ttl)
}

func (s *spyStore) Add(ctx context.Context, key string, value []byte, ttl time.Duration) (bool, error) {
	if err := s.note("Add", key, value); err != nil {
		return false, err
	}
	return s.Store.Add(ctx, key, value, ttl)
}

func (s *spyStore) Swap(ctx context.Context, key string, old, value []byte, ttl time.Duration) (bool, error) {
	if err := s.note("Swap", key, value); err != nil {
		return false, err
	}
	return s.Store.Swap(ctx, key, old, value, ttl)
}

func (s *spyStore) Delete(ctx context.Context, key string, old []byte) (bool, error) {
	if err := s.note("Delete", key, nil); err != nil {
		return false, err
	}
	return s.Store.Delete(ctx, key, old)
}

// logBook collects log lines.
type logBook struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *logBook) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(b)
}

func (l *logBook) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

func (l *logBook) logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(l, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

// configs are the ways to keep sessions, for what must hold in all of them.
func configs() map[string]session.Config {
	return map[string]session.Config{
		"cookie":           {},
		"cookie and store": {Store: session.NewMemoryStore()},
		"server side":      {Store: session.NewMemoryStore(), ServerSide: true},
	}
}

// everywhere runs a test for each of configs.
func everywhere(t *testing.T, test func(t *testing.T, c session.Config)) {
	for name, c := range configs() {
		t.Run(name, func(t *testing.T) { test(t, c) })
	}
}

// sendAfter loads the session after a while.
func (b *browser) sendAfter(wait time.Duration) *httptest.ResponseRecorder {
	time.Sleep(wait)
	return b.with(func(s *session.Session) { require.NoError(b.t, s.Load()) })
}
