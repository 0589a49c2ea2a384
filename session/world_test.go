package session_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/signet-go/signet/session"
)

// A world is the managers and browsers that a history happens to, beside the model of what has to
// come of it.
type world struct {
	model
	t        *testing.T
	replicas []*session.Manager
	keys     [][]string // of each replica
	tabs     [2]tab
	copies   [2][]tab // what each browser ever held
	requests [slots]*request
	config   session.Config
}

// A tab is a browser's cookies, and what the model says of them.
type tab struct {
	cookies *browser
	held    cookie
}

// A request is under way, or its response is. Its handler does as it is told.
type request struct {
	call
	browser, replica int
	leave            context.CancelFunc
	work             chan func(w http.ResponseWriter, s *session.Session)
	busy             bool
	w                *httptest.ResponseRecorder
}

// newWorld has both browsers signed in as the first user.
func newWorld(t *testing.T, m mode) *world {
	w := &world{t: t, config: m.config()}
	w.mode = m
	key := session.NewKey()
	for range m.replicas {
		w.keys = append(w.keys, []string{key})
		w.replicas = append(w.replicas, w.manager([]string{key}))
	}
	for i, in := range []int{0, elsewhere} {
		w.tabs[i].cookies = newBrowser(t, nil)
		w.step(step{open, in, 0})
		w.step(step{login, in, 0})
		w.step(step{arrive, in, 0})
	}
	return w
}

func (w *world) manager(keys []string) *session.Manager {
	c := w.config
	c.Keys = keys
	return newManager(w.t, c)
}

// end lets everything come to its end, as a bubble must.
func (w *world) end() {
	w.pass(time.Minute)
	for _, r := range w.requests {
		if r != nil {
			w.finish(r)
			r.leave()
		}
	}
	synctest.Wait()
}

func (w *world) step(s step) {
	switch browser := s.in / elsewhere; s.do {
	case open:
		w.open(s.in, s.arg%w.mode.replicas)
	case replay:
		w.replay(browser, s.arg)
	case kill:
		w.kill(browser)
	case revoke:
		w.revoke(s.arg)
	case rekey:
		w.rekey(s.arg % w.mode.replicas)
	case restart:
		w.restart(s.arg % w.mode.replicas)
	case wait:
		w.pass(time.Duration(s.arg) * time.Second)
	default:
		if r := w.requests[s.in]; r != nil {
			w.act(r, s)
		}
	}
}

// pass lets time pass. It shows the flights that are asleep what was noted meanwhile: the time that
// wakes them does not.
func (w *world) pass(d time.Duration) {
	w.locked(func() {})
	time.Sleep(d)
	synctest.Wait()
}

// act is a step of a handler, or of its response.
func (w *world) act(r *request, s step) {
	switch s.do {
	case finish:
		w.finish(r)
	case arrive:
		w.arrive(r)
	case lose:
		r.leave()
		w.finish(r)
		r.lost = true
	case flush:
		w.run(r, func(rw http.ResponseWriter, _ *session.Session) { rw.WriteHeader(http.StatusOK) })
		w.begun(r)
	default:
		w.run(r, func(_ http.ResponseWriter, on *session.Session) { w.handle(&r.call, on, s) })
	}
}

// open sends a request with the cookies of its browser.
func (w *world) open(in, replica int) {
	if r := w.requests[in]; r != nil {
		w.arrive(r)
		w.finish(r)
		r.leave()
	}
	browser := in / elsewhere
	w.requests[in] = w.send(w.tabs[browser], replica)
	w.requests[in].browser = browser
}

// send sends a request with the cookies of a tab.
func (w *world) send(from tab, replica int) *request {
	r := &request{replica: replica, work: make(chan func(http.ResponseWriter, *session.Session)), w: httptest.NewRecorder()}
	r.held, r.arrived = from.held, time.Now()
	ctx, leave := context.WithCancel(w.t.Context())
	r.leave = leave
	incoming := httptest.NewRequestWithContext(ctx, "GET", "https://shop.example/", nil)
	if len(from.cookies.cookies) > 0 {
		incoming.Header.Set("Cookie", from.cookies.header())
	}
	handler := w.replicas[replica].Handler(http.HandlerFunc(func(rw http.ResponseWriter, incoming *http.Request) {
		for do := range r.work {
			do(rw, session.From(incoming.Context()))
			r.busy = false
		}
	}))
	go func() {
		handler.ServeHTTP(r.w, incoming)
		r.busy = false
	}()
	return r
}

// run has r's handler do something, and time pass until it is done.
func (w *world) run(r *request, do func(rw http.ResponseWriter, s *session.Session)) {
	if r.over {
		return
	}
	r.busy = true
	r.work <- do
	w.settle(r)
}

func (w *world) settle(r *request) {
	waited := 0
	for synctest.Wait(); r.busy && waited < 100; waited++ {
		w.pass(time.Second)
	}
	w.expect(!r.busy, "a handler waits for ever")
}

// finish lets r's handler return.
func (w *world) finish(r *request) {
	if r.over {
		return
	}
	r.over, r.busy = true, true
	close(r.work)
	w.settle(r)
	w.begun(r)
	w.saved(&r.call)
}

// begun has the model look at what the response says, once.
func (w *world) begun(r *request) {
	if !r.begun {
		w.committed(&r.call, r.w.Result().Cookies())
		r.begun = true
	}
}

// arrive gives the browser what there is of r's response.
func (w *world) arrive(r *request) {
	if !r.begun {
		w.finish(r)
	}
	if r.lost {
		return
	}
	r.lost = true
	tab := &w.tabs[r.browser]
	tab.cookies.receive(r.w)
	switch {
	case r.given != nil:
		tab.held = *r.given
		w.copies[r.browser] = append(w.copies[r.browser], tabOf(*tab))
	case r.expires:
		tab.held = cookie{}
	}
}

// tabOf is another browser with the same cookies.
func tabOf(t tab) tab { return tab{t.cookies.clone(), t.held} }

// replay sends a copy of what the browser once held from elsewhere.
func (w *world) replay(browser, which int) {
	copies := w.copies[browser]
	r := w.send(copies[which%len(copies)], which%w.mode.replicas)
	w.run(r, func(_ http.ResponseWriter, s *session.Session) { w.replayed(r.held, s.Load()) })
	r.busy = true
	close(r.work)
	w.settle(r)
	r.leave()
}

// kill ends the session that a browser holds by its ID.
func (w *world) kill(browser int) {
	if of := w.tabs[browser].held.of; of != nil {
		w.expect(w.replicas[0].DestroyID(w.t.Context(), of.id) == nil, "DestroyID fails")
		w.over(of)
	}
}

// revoke ends all sessions of a user. Without a Store nobody can.
func (w *world) revoke(user int) {
	if !w.mode.store {
		return
	}
	w.expect(w.replicas[0].Revoke(w.t.Context(), userTag(user)) == nil, "Revoke fails")
	for _, s := range w.sessions {
		if s.user == user {
			w.over(s)
		}
	}
}

// rekey tells all replicas a new key, and then one of them to seal with it.
func (w *world) rekey(replica int) {
	key := session.NewKey()
	for i, m := range w.replicas {
		w.keys[i] = append(w.keys[i], key)
		w.expect(m.SetKeys(w.keys[i]) == nil, "SetKeys fails")
	}
	w.keys[replica] = slices.Insert(w.keys[replica][:len(w.keys[replica])-1], 0, key)
	w.expect(w.replicas[replica].SetKeys(w.keys[replica]) == nil, "SetKeys fails")
}

// restart waits for a replica's requests and flights, and has it forget everything.
func (w *world) restart(replica int) {
	for _, r := range w.requests {
		if r != nil && r.replica == replica {
			w.finish(r)
			r.lost = r.lost || !w.mode.store // what its cookie says, nobody else would know
		}
	}
	for w.flying > 0 {
		w.pass(slow)
	}
	w.replicas[replica] = w.manager(w.keys[replica])
	if !w.mode.store {
		w.forget(w.tabs[0].held, w.tabs[1].held)
	}
}
