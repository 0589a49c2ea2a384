package session_test

import (
	"math/rand/v2"
	"net/http"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/session"
)

// A listWorld is two processes and some browsers of two users. It knows who should be signed in.
type listWorld struct {
	t         *testing.T
	rand      *rand.Rand
	processes []*session.Manager
	browsers  []*browser
	user      []string // who is signed in in each browser; "": nobody
	spare     []*browser
}

// pick returns a browser, at either process.
func (w *listWorld) pick() int {
	i := w.rand.IntN(len(w.browsers))
	w.browsers[i].m = w.processes[w.rand.IntN(len(w.processes))]
	return i
}

// step lets one thing happen.
func (w *listWorld) step() {
	i := w.pick()
	b, user := w.browsers[i], w.user[i]
	if user == "" || w.rand.IntN(5) == 0 {
		w.user[i] = []string{"alice", "bob"}[w.rand.IntN(2)]
		w.spare = append(w.spare, b.clone()) // what somebody copied of the session before
		b.enlist(w.user[i], phone)
		return
	}
	switch w.rand.IntN(6) {
	case 0:
		b.with(func(s *session.Session) { require.NoError(w.t, s.Destroy(w.t.Context())) })
		w.user[i] = ""
	case 1, 2:
		w.endOne(i)
	case 3:
		b.get(func(_ http.ResponseWriter, r *http.Request) { require.NoError(w.t, b.m.EndOthers(r.Context())) })
		w.forget(user, i)
	case 4:
		if w.rand.IntN(4) == 0 {
			require.NoError(w.t, b.m.Revoke(w.t.Context(), user))
			w.forget(user, -1)
		}
	case 5:
		require.NoError(w.t, b.load())
	}
}

// endOne has a browser end one of its user's sessions, by what the list calls it.
func (w *listWorld) endOne(i int) {
	all := w.browsers[i].list(w.user[i])
	victim := all[w.rand.IntN(len(all))]
	user := w.user[i]
	for j, other := range w.browsers {
		if w.user[j] == user && slices.ContainsFunc(other.list(user), func(s session.Listed) bool { return s.Current && s.ID == victim.ID }) {
			w.user[j] = ""
		}
	}
	require.NoError(w.t, w.browsers[i].end(user, victim.ID))
}

// forget notes that all sessions of a user have ended but that of one browser.
func (w *listWorld) forget(user string, but int) {
	for i := range w.user {
		if w.user[i] == user && i != but {
			w.user[i] = ""
		}
	}
}

// check compares the lists, and the sessions, with what should be.
func (w *listWorld) check() {
	for _, m := range w.processes {
		for _, user := range []string{"alice", "bob"} {
			living := 0
			for i, b := range w.browsers {
				b.m = m
				if w.user[i] == user {
					require.NoError(w.t, b.load())
					living++
				}
			}
			require.Len(w.t, newBrowser(w.t, m).list(user), living)
		}
	}
	for i, b := range w.browsers {
		if w.user[i] == "" {
			require.ErrorIs(w.t, b.load(), session.ErrNoSession)
		}
	}
	for _, copied := range w.spare {
		require.ErrorIs(w.t, copied.load(), session.ErrNoSession)
	}
}

func TestListsAgreeWithWhoIsSignedInWhateverHappens(t *testing.T) {
	listed(t, func(t *testing.T, c session.Config) {
		for seed := range uint64(8) {
			c.Store, c.IdleTimeout = session.NewMemoryStore(), -1
			w := &listWorld{t: t, rand: rand.New(rand.NewPCG(seed, 0))}
			here, there := processes(t, c)
			w.processes = []*session.Manager{here, there}
			for range 6 {
				w.browsers, w.user = append(w.browsers, newBrowser(t, here)), append(w.user, "")
			}
			for range 60 {
				w.step()
				time.Sleep(time.Duration(w.rand.IntN(60)) * time.Second)
				synctest.Wait()
				w.check()
			}
		}
	})
}
