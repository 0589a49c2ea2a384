package redisstore

import (
	"context"
	"sync"
	"time"
)

// gather lets reads that come while another is under way go together, in one command, when that one
// is answered: a busy process then makes fewer system calls, and its Redis too. A read that comes
// alone goes at once. Nobody waits for others longer than patience, and a read never sees less than
// what was written before it came: it joins only what has not been sent.
type gather struct {
	mu      sync.Mutex
	busy    bool   // a read is under way, and tells when it is over
	waiting *batch // what goes next, nil: nothing
}

const (
	patience = 2 * time.Millisecond // with a read that is under way
	mostKeys = 512                  // of a command: more would hold up a server
)

// batch is a command to be, of several callers.
type batch struct {
	ctx   context.Context // of the first caller, for its values
	until time.Time       // the latest deadline of all, unless one has none
	ever  bool            // one has none
	keys  []string
	alarm *time.Timer // for patience

	done   chan struct{} // closed with what is below
	values [][]byte
	err    error
}

// readFunc reads rows.
type readFunc func(ctx context.Context, keys []string) ([][]byte, error)

// get is one caller's read.
func (g *gather) get(ctx context.Context, keys []string, read readFunc) ([][]byte, error) {
	if g.begin() {
		defer g.over(read)
		return read(ctx, keys)
	}
	b, at := g.join(ctx, keys, read)
	if b == nil {
		return read(ctx, keys)
	}
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-b.done:
		if b.err != nil {
			return nil, b.err
		}
		return b.values[at : at+len(keys) : at+len(keys)], nil
	}
}

// begin reports whether nothing was under way. Then something is, until over.
func (g *gather) begin() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	began := !g.busy
	g.busy = true
	return began
}

// join finds the batch that keys go with, and where they stand in it; nil when it has no room.
func (g *gather) join(ctx context.Context, keys []string, read readFunc) (b *batch, at int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if b = g.waiting; b == nil {
		b = &batch{ctx: context.WithoutCancel(ctx), done: make(chan struct{})}
		b.alarm = time.AfterFunc(patience, func() { g.hurry(b, read) })
		g.waiting = b
	}
	if at = len(b.keys); at+len(keys) > mostKeys {
		return nil, 0
	}
	b.keys = append(b.keys, keys...)
	switch until, bounded := ctx.Deadline(); {
	case !bounded:
		b.ever = true
	case until.After(b.until):
		b.until = until
	}
	return b, at
}

// over notes that the read that was under way is answered, and makes those that wait.
func (g *gather) over(read readFunc) {
	b := g.next()
	if b == nil {
		return
	}
	go func() {
		for ; b != nil; b = g.next() {
			b.run(read)
		}
	}()
}

// next returns what is under way from now on, nil when that is nothing.
func (g *gather) next() *batch {
	g.mu.Lock()
	defer g.mu.Unlock()
	b := g.waiting
	g.waiting, g.busy = nil, b != nil
	if b != nil {
		b.alarm.Stop()
	}
	return b
}

// hurry sends b alongside the read in flight, if it is still waiting.
func (g *gather) hurry(b *batch, read readFunc) {
	g.mu.Lock()
	waits := g.waiting == b
	if waits {
		g.waiting = nil
	}
	g.mu.Unlock()
	if waits {
		b.run(read)
	}
}

// run makes the command. It ends with the last caller's time, not with any one's request.
func (b *batch) run(read readFunc) {
	defer close(b.done)
	ctx := b.ctx
	if !b.ever {
		bounded, cancel := context.WithDeadline(ctx, b.until)
		defer cancel()
		ctx = bounded
	}
	b.values, b.err = read(ctx, b.keys)
}
