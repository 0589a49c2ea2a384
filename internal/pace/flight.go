package pace

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/signet-go/signet/internal/logtext"
)

// A Flight makes one call out of many callers who want the same. The call runs apart from each of
// them: whoever goes away leaves it running for the others. It is bounded in time, and a panic in
// it, which outside a request's goroutine nobody else would stop, becomes an error. The zero value
// is ready; it must not be copied, and is safe for concurrent use.
type Flight[T any] struct {
	// Log hears of panics. Nil means slog.Default().
	Log *slog.Logger

	group   singleflight.Group
	running tally
}

// A Result is what a call brought.
type Result[T any] struct {
	Value T
	Err   error
}

// Start joins the call that is under way for key, or begins one that ends after limit. ctx gives
// values, not an end. The result comes on the channel, which need not be read.
func (f *Flight[T]) Start(ctx context.Context, key string, limit time.Duration, call func(context.Context) (T, error)) <-chan Result[T] {
	end := f.running.begin()
	landed := f.group.DoChan(key, func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), limit)
		defer cancel()
		return f.guarded(ctx, call)
	})
	done := make(chan Result[T], 1)
	go func() {
		defer end()
		r := <-landed
		value, _ := r.Val.(T) // the zero value along with an error
		done <- Result[T]{value, r.Err}
	}()
	return done
}

// Do is Start for a caller who waits. Its error is ctx's where the caller's own wait ended first;
// ended tells these apart.
func (f *Flight[T]) Do(ctx context.Context, key string, limit time.Duration, call func(context.Context) (T, error)) (value T, ended bool, err error) {
	select {
	case r := <-f.Start(ctx, key, limit, call):
		return r.Value, true, r.Err
	case <-ctx.Done():
		return value, false, ctx.Err()
	}
}

// Wait waits until no call is under way, or until ctx ends, whose error it returns then.
func (f *Flight[T]) Wait(ctx context.Context) error {
	return f.running.wait(ctx)
}

// guarded calls, and turns a panic into an error.
func (f *Flight[T]) guarded(ctx context.Context, call func(context.Context) (T, error)) (value T, err error) {
	defer Recovered(ctx, f.Log, &err)
	return call(ctx)
}

// Recovered turns a panic, where it is deferred, into *err and a log line: for what runs alongside
// a request and calls what the application brings, a hook, a transport or a signer. Nil log means
// slog.Default().
func Recovered(ctx context.Context, log *slog.Logger, err *error) {
	p := recover()
	if p == nil {
		return
	}
	if log == nil {
		log = slog.Default()
	}
	*err = fmt.Errorf("oidcauth: panic beside a request: %v", p)
	log.LogAttrs(ctx, slog.LevelError, "panic recovered", logtext.Reason(*err), slog.String("stack", string(debug.Stack())))
}
