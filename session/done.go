package session

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

const watchEvery = 3 * time.Second // an end in another process shows within this and one call of the Store

// Done is closed when the session in ctx ends: for WebSockets, server-sent
// events and other answers that outlive a look at the session. It is at once
// for an end in this process, within 5 s for one elsewhere (a Store that fails
// ends nothing). Without a session it is closed already. However many streams
// are open, one poller asks the Store, with one read for all.
func Done(ctx context.Context) <-chan struct{} {
	s := From(ctx)
	if s == nil || s.Load() != nil {
		return closed
	}
	s.mu.Lock()
	v := version{g: s.base, idle: s.idle}
	s.mu.Unlock()
	if v.g == nil {
		return closed
	}
	return s.m.watch.add(ctx, v)
}

// closed is what Done returns when there is nothing to wait for.
var closed = func() chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}()

// watch holds the sessions of open streams.
type watch struct {
	ended func(context.Context, []version) (ids []string) // asks for all at once

	streams  atomic.Int64 // lets requests pass by without the lock while there are none
	mu       sync.Mutex
	sessions map[string]*watched
	rouse    chan struct{} // of the running poller
}

// watched is a session with open streams.
type watched struct {
	v       version
	done    chan struct{}
	streams int
}

// add watches a session until ctx ends, and starts the poller if none runs.
func (w *watch) add(ctx context.Context, v version) <-chan struct{} {
	w.mu.Lock()
	defer w.mu.Unlock()
	s := w.sessions[v.g.id]
	if s == nil {
		s = &watched{v: v, done: make(chan struct{})}
		if w.sessions == nil {
			w.sessions = map[string]*watched{}
		}
		w.sessions[v.g.id] = s
	}
	s.streams++
	w.streams.Add(1)
	context.AfterFunc(ctx, func() { w.leave(v.g.id, s) })
	if w.rouse == nil {
		w.rouse = make(chan struct{}, 1)
		go w.poll(w.rouse)
	}
	return s.done
}

// leave forgets a stream that is over, and its session with the last one.
func (w *watch) leave(id string, s *watched) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.streams.Add(-1)
	if s.streams--; s.streams == 0 && w.sessions[id] == s {
		delete(w.sessions, id)
		w.nudge()
	}
}

// touch notes that a session was used, so that its stream does not end for
// idleness.
func (w *watch) touch(id string, idle int64) {
	if w.streams.Load() == 0 {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if s := w.sessions[id]; s != nil {
		s.v.idle = max(s.v.idle, idle)
	}
}

// end closes the streams of a session.
func (w *watch) end(id string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if s := w.sessions[id]; s != nil {
		close(s.done)
		delete(w.sessions, id)
	}
	w.nudge()
}

// wake makes the poller look now.
func (w *watch) wake() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.nudge()
}

// nudge makes the poller look now. It ends when there is nothing left to watch.
func (w *watch) nudge() {
	select {
	case w.rouse <- struct{}{}:
	default: // none runs, or it is awake
	}
}

// poll runs while there are sessions to watch.
func (w *watch) poll(rouse chan struct{}) {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-rouse:
		}
		all := w.snapshot()
		if all == nil {
			return
		}
		for _, id := range w.ended(context.Background(), all) {
			w.end(id)
		}
	}
}

// snapshot lists the watched sessions; when there are none it retires the
// poller.
func (w *watch) snapshot() []version {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.sessions) == 0 {
		w.rouse = nil
		return nil
	}
	all := make([]version, 0, len(w.sessions))
	for _, s := range w.sessions {
		all = append(all, s.v)
	}
	return all
}

// endedNow returns the ids of those sessions that have ended.
func (m *Manager) endedNow(ctx context.Context, all []version) (ids []string) {
	ended, err := m.keeper.endings(ctx, all)
	if err != nil {
		m.log.Warn("streams not checked", "streams", len(all), "error", err)
	}
	for i, v := range all {
		if ended[i] {
			ids = append(ids, v.g.id)
		}
	}
	return ids
}
