//go:build soak

package main_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"syscall"
	"time"
)

// A tally is what the users of a soak got.
type tally struct {
	requests, during, later int // answers, and those of an outage: in a fault, or later
	left, lost, out         int // sign-outs: asked for, of a token that died with a replica, and wrong ones
	refused                 int // tokens by the API: those whose times were wrong when they were made
	wrong, risen            int // answers of nobody's, and sessions that came back after their end
}

// soakers are the users of a soak, each with a browser and think times.
type soakers struct {
	all    []*visitor
	faults *soakFaults
	stop   context.CancelFunc
	gone   sync.WaitGroup

	mu    sync.Mutex
	sum   tally
	noted int
}

// startSoakers lets them in, a few at a time.
func startSoakers(f *fleet, faults *soakFaults) *soakers {
	ctx, stop := context.WithCancel(context.Background())
	s := &soakers{faults: faults, stop: stop}
	for i := range soakUsers {
		v := f.newVisitor(userName(i))
		s.all = append(s.all, v)
		s.gone.Go(func() {
			pause(ctx, rand.N(10*time.Second))
			s.enter(ctx, v)
			for ctx.Err() == nil {
				pause(ctx, rand.N(12*time.Second))
				s.step(ctx, v)
			}
		})
	}
	return s
}

// leave ends all of it, what is under way included.
func (s *soakers) leave() { s.stop(); s.gone.Wait() }

func (s *soakers) total() tally {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sum
}

func (s *soakers) count(add func(*tally)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	add(&s.sum)
}

// note says at once what was not as promised, or came later than expected.
func (s *soakers) note(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.noted++; s.noted <= 200 {
		fmt.Println(time.Now().Format("15:04:05.000"), fmt.Sprintf(format, args...), "after", s.faults.latest())
	}
}

// enter signs v in, however long that takes.
func (s *soakers) enter(ctx context.Context, v *visitor) {
	for ctx.Err() == nil {
		if err := v.signIn(); err == nil {
			return
		} else if !s.faults.excuse() {
			s.note("%s did not get in: %.300v", v.name, err)
			s.count(func(t *tally) { t.later++ })
		}
		pause(ctx, time.Second)
	}
}

// step is one thing that a user does.
func (s *soakers) step(ctx context.Context, v *visitor) {
	path, at, dice := "/api/call", rand.IntN(2), rand.IntN(100)
	switch {
	case dice < 2:
		s.signOut(ctx, v)
		return
	case dice < 5:
		path = "/api/refresh"
	case dice < 40:
		path = "/api/me"
	}
	count := 1
	if dice%4 == 0 { // a page with several scripts, or several tabs
		count = 4
	}
	cookies, out := v.cookie(), make([]bool, count)
	_ = together(count, func(i int) error {
		out[i] = s.use(ctx, v, at+i, path, cookies)
		return nil
	})
	for _, signedOut := range out {
		if signedOut {
			s.lose(v)
			s.enter(ctx, v)
			return
		}
	}
}

// lose writes down that v has to sign in again.
func (s *soakers) lose(v *visitor) {
	if s.faults.excuses(v.name) {
		s.count(func(t *tally) { t.lost++ })
		return
	}
	s.count(func(t *tally) { t.out++ })
	s.note("%s was signed out", v.name)
}

// use makes one request, and reports whether the answer was that nobody is signed in.
func (s *soakers) use(ctx context.Context, v *visitor, at int, path string, cookies []*http.Cookie) (signedOut bool) {
	excused := s.faults.excuse()
	r, err := s.balanced(ctx, v, at, path, cookies)
	if ctx.Err() != nil {
		return false
	}
	excused = excused || s.faults.excuse()
	s.count(func(t *tally) { t.requests++ })
	switch {
	case err != nil, r.status >= 500, path == "/api/call" && r.status == http.StatusOK && r.Status >= 500:
		if excused {
			s.count(func(t *tally) { t.during++ })
			return false
		}
		s.count(func(t *tally) { t.later++ })
		s.note("%s: %s: later than the fault: %v", v.name, path, summary(r, err))
	case r.status == http.StatusUnauthorized:
		return true
	case path == "/api/call" && r.status == http.StatusOK && r.Status == http.StatusUnauthorized:
		s.count(func(t *tally) { t.refused++ })
		s.note("%s: the API refused a token", v.name)
	case r.status != http.StatusOK,
		path == "/api/me" && r.Subject != v.name,
		path == "/api/call" && (r.Status != http.StatusOK || r.owner() != v.name):
		s.count(func(t *tally) { t.wrong++ })
		s.note("%s: %s: %v", v.name, path, summary(r, err))
	}
	return false
}

func summary(r *reply, err error) string {
	if err != nil {
		return err.Error()
	}
	return fmt.Sprintf("%d %.200s", r.status, r.text)
}

// balanced asks one replica, and the other where the first is not there, as a load balancer does.
func (s *soakers) balanced(ctx context.Context, v *visitor, at int, path string, cookies []*http.Cookie) (*reply, error) {
	r, err := v.ask(ctx, v.fleet.base(at)+path, cookies)
	if errors.Is(err, syscall.ECONNREFUSED) {
		r, err = v.ask(ctx, v.fleet.base(at+1)+path, cookies)
	}
	return r, err
}

// signOut ends the session of v, and looks whether the cookie of before is worth anything.
func (s *soakers) signOut(ctx context.Context, v *visitor) {
	old := v.cookie()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, v.fleet.base(0)+"/auth/logout", nil)
	if err != nil {
		panic(err) // startFleet made the address
	}
	for _, c := range old {
		req.AddCookie(c)
	}
	resp, err := v.fleet.transport.RoundTrip(req)
	if err != nil {
		return
	}
	resp.Body.Close()
	v.jar.SetCookies(req.URL, resp.Cookies())
	if resp.StatusCode >= 400 {
		return // it did not get through
	}
	s.count(func(t *tally) { t.left++ })
	for at := range 2 {
		if r, err := s.balanced(ctx, v, at, "/api/me", old); err == nil && r.status == http.StatusOK {
			s.count(func(t *tally) { t.risen++ })
			s.note("%s: a session came back after its end", v.name)
		}
	}
	s.enter(context.WithoutCancel(ctx), v) // also when the soak ends here: everybody is looked for then
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
