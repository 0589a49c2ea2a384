package session_test

import (
	"context"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/session"
)

func TestDoneClosesForASessionThatEndedSinceTheRequestBegan(t *testing.T) {
	for name, c := range map[string]session.Config{
		"cookie mode without a Store": {},
		"cookie mode with a Store":    {Store: session.NewMemoryStore()},
		"server mode":                 {Store: session.NewMemoryStore(), ServerSide: true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBrowser(t, newManager(t, c))
				b.set("v", "1")
				b.send(func(_ http.ResponseWriter, r *http.Request) {
					require.NoError(t, session.From(r.Context()).Load()) // a guard
					// The user signs out in another tab before the stream is set up.
					b.clone().send(func(_ http.ResponseWriter, r *http.Request) {
						require.NoError(t, session.From(r.Context()).Destroy(r.Context()))
					})
					ctx, cancel := context.WithCancel(r.Context())
					defer cancel()
					select {
					case <-session.Done(ctx):
					case <-time.After(30 * time.Minute):
						t.Error("the stream of an ended session is open after half an hour")
					}
				})
			})
		})
	}
}

func TestAResponseThatSetsASessionIsNeverPublic(t *testing.T) {
	b := newBrowser(t, newManager(t, session.Config{}))
	answer := b.send(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "public, max-age=600")
		require.NoError(t, session.From(r.Context()).Set("v", []byte("1")))
	})
	require.NotEmpty(t, answer.Header().Get("Set-Cookie"))
	require.NotContains(t, answer.Header().Get("Cache-Control"), "public")
}

func TestAnEndedSessionStaysDeadWhateverOthersEnd(t *testing.T) {
	m := newManager(t, session.Config{})
	victim := newBrowser(t, m)
	victim.set("v", "1")
	thief := victim.clone()
	victim.send(func(_ http.ResponseWriter, r *http.Request) {
		require.NoError(t, session.From(r.Context()).Destroy(r.Context()))
	})
	require.ErrorIs(t, thief.clone().load(), session.ErrNoSession)
	// Visitors whose sessions begin and end: a cart, and POST /auth/logout.
	for i := range 800_000 {
		b := newBrowser(t, m)
		b.receive(b.send(func(_ http.ResponseWriter, r *http.Request) { _ = session.From(r.Context()).Set("cart", []byte("1")) }))
		b.send(func(_ http.ResponseWriter, r *http.Request) { _ = session.From(r.Context()).Destroy(r.Context()) })
		if i%1000 == 0 && thief.clone().load() == nil {
			t.Log(i, "sessions of others")
			break
		}
	}
	require.ErrorIs(t, thief.load(), session.ErrNoSession, "the ended session lives again")
}
