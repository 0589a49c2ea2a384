package session

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/signet-go/signet/internal/packed"
)

const watchEvery = 3 * time.Second // an end in another process shows within this and one call of the Store

// watch holds the sessions of open streams.
type watch struct {
	ended func(context.Context, []version) (ids []string) // asks for all at once

	watching atomic.Int64 // len(sessions): lets requests pass by without the lock while there are none
	mu       sync.Mutex
	sessions map[string]*watched
	rouse    chan struct{} // of the running poller
}

// watched is a session with open streams.
type watched struct {
	v       version
	done    chan struct{}
	streams map[<-chan struct{}]struct{} // their contexts, by Done
}

// add watches a session until ctx ends, and starts the poller if none runs. A ctx that is known
// already adds nothing.
func (w *watch) add(ctx context.Context, v version) <-chan struct{} {
	w.mu.Lock()
	defer w.mu.Unlock()
	s := w.sessions[v.g.ID]
	if s == nil {
		s = &watched{v: v, done: make(chan struct{}), streams: map[<-chan struct{}]struct{}{}}
		if w.sessions == nil {
			w.sessions = map[string]*watched{}
		}
		w.sessions[v.g.ID] = s
		w.watching.Store(int64(len(w.sessions)))
	}
	s.sawLocked(v.g, v.idle)
	if _, known := s.streams[ctx.Done()]; !known {
		s.streams[ctx.Done()] = struct{}{}
		context.AfterFunc(ctx, func() { w.leave(ctx.Done(), s) })
	}
	if w.rouse == nil {
		w.rouse = make(chan struct{}, 1)
		go w.poll(w.rouse)
	}
	return s.done
}

// leave forgets a stream that is over, and its session with the last one.
func (w *watch) leave(stream <-chan struct{}, s *watched) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(s.streams, stream)
	if len(s.streams) == 0 && w.sessions[s.v.g.ID] == s {
		w.forgetLocked(s)
		w.nudgeLocked()
	}
}

// forgetLocked watches a session no more.
func (w *watch) forgetLocked(s *watched) {
	delete(w.sessions, s.v.g.ID)
	w.watching.Store(int64(len(w.sessions)))
}

// touch notes that a session was used, so that its stream does not end for idleness, and what it is
// by now: it may have another tag.
func (w *watch) touch(g *packed.Generation, idle int64) {
	if w.watching.Load() == 0 {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if s := w.sessions[g.ID]; s != nil {
		s.sawLocked(g, idle)
	}
}

// sawLocked keeps the newest of what is known.
func (s *watched) sawLocked(g *packed.Generation, idle int64) {
	s.v.g, s.v.idle = newer(s.v.g, g), max(s.v.idle, idle)
}

// known is what this process has seen of g's session, while it has open streams, else g.
func (w *watch) known(g *packed.Generation) *packed.Generation {
	w.mu.Lock()
	defer w.mu.Unlock()
	s := w.sessions[g.ID]
	if s == nil {
		return g
	}
	g = newer(g, s.v.g)
	return g.IdleAt(max(g.Idle, s.v.idle))
}

// end closes the streams of a session.
func (w *watch) end(id string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if s := w.sessions[id]; s != nil {
		close(s.done)
		w.forgetLocked(s)
	}
	w.nudgeLocked()
}

// move has the streams of a session go on with what it has become.
func (w *watch) move(id string, v version) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if s := w.sessions[id]; s != nil && w.sessions[v.g.ID] == nil {
		delete(w.sessions, id)
		s.v, w.sessions[v.g.ID] = v, s
	}
}

// wake makes the poller look now.
func (w *watch) wake() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.nudgeLocked()
}

// nudgeLocked makes the poller look now. It ends when there is nothing left to watch.
func (w *watch) nudgeLocked() {
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

// snapshot lists the watched sessions; when there are none it retires the poller.
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
	all, ids, err := m.resolve(ctx, all)
	ended, err2 := m.keeper.endings(ctx, all)
	if err = errors.Join(err, err2); err != nil {
		m.log.Warn("streams not checked", "streams", len(all), "error", err)
	}
	for i, v := range all {
		if ended[i] {
			ids = append(ids, v.g.ID)
		}
	}
	return ids
}

// resolve returns those of all of which more is known than an id. The others were opened while the
// Store was out of reach: it is asked for each, until the first time that it does not answer.
func (m *Manager) resolve(ctx context.Context, all []version) (known []version, ended []string, err error) {
	for _, v := range all {
		switch {
		case v.g.Created != 0:
			known = append(known, v)
		case err == nil:
			var now version
			switch now, err = m.newest(ctx, v.g); {
			case err == nil:
				m.watch.touch(now.g, now.idle)
			case errors.Is(err, ErrNoSession):
				ended, err = append(ended, v.g.ID), nil
			case errors.Is(err, errLeaveAlone):
				err = nil
			}
		}
	}
	return known, ended, err
}
