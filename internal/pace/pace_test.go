package pace_test

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/internal/pace"
)

var errDown = errors.New("down")

func TestABackoffDoublesUpToAMinuteAndForgets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b pace.Backoff
		require.Zero(t, b.Wait())
		for _, seconds := range []int{1, 2, 4, 8, 16, 32, 60, 60} {
			most := time.Duration(seconds) * time.Second
			b.Failed()
			require.LessOrEqual(t, b.Wait(), most)
			require.Greater(t, b.Wait(), most*3/4-1)
			time.Sleep(b.Wait())
			require.Zero(t, b.Wait())
		}
		b.Succeeded()
		b.Failed()
		require.LessOrEqual(t, b.Wait(), time.Second)
	})
}

func TestABrakeLetsABurstGoAndThenOneAnInterval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := pace.Brake{Burst: 3, Interval: time.Second}
		for range 3 {
			require.True(t, b.Allow())
		}
		require.False(t, b.Allow())
		time.Sleep(time.Second)
		require.True(t, b.Allow())
		require.False(t, b.Allow())
		time.Sleep(time.Hour)
		for range 3 {
			require.True(t, b.Allow())
		}
		require.False(t, b.Allow(), "no more than the burst is saved up")
	})
}

func TestAFlight(t *testing.T) {
	t.Run("makes one call for all who ask, and outlives the one who began it", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			var f pace.Flight[int]
			calls, release := 0, make(chan struct{})
			call := func(ctx context.Context) (int, error) {
				calls++
				select {
				case <-release:
					return 7, nil
				case <-ctx.Done():
					return 0, ctx.Err()
				}
			}
			first, leave := context.WithCancel(t.Context())
			gone := make(chan bool)
			go func() {
				_, ended, err := f.Do(first, "k", time.Minute, call)
				gone <- !ended && errors.Is(err, context.Canceled)
			}()
			synctest.Wait()
			second := f.Start(t.Context(), "k", time.Minute, call)
			leave()
			require.True(t, <-gone)
			close(release)
			require.Equal(t, pace.Result[int]{Value: 7}, <-second)
			require.Equal(t, 1, calls)
		})
	})
	t.Run("ends at its limit, whoever waits", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			var f pace.Flight[int]
			began := time.Now()
			_, ended, err := f.Do(t.Context(), "k", time.Minute, func(ctx context.Context) (int, error) {
				<-ctx.Done()
				return 0, ctx.Err()
			})
			require.True(t, ended)
			require.ErrorIs(t, err, context.DeadlineExceeded)
			require.Equal(t, time.Minute, time.Since(began))
		})
	})
	t.Run("turns a panic into an error", func(t *testing.T) {
		f := pace.Flight[int]{Log: slog.New(slog.DiscardHandler)}
		_, ended, err := f.Do(t.Context(), "k", time.Minute, func(context.Context) (int, error) { panic("oh") })
		require.True(t, ended)
		require.ErrorContains(t, err, "oh")
	})
	t.Run("can be waited for, and the wait given up", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			var f pace.Flight[int]
			require.NoError(t, f.Wait(t.Context()))
			release := make(chan struct{})
			f.Start(t.Context(), "k", time.Minute, func(context.Context) (int, error) { <-release; return 0, nil })
			short, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			require.ErrorIs(t, f.Wait(short), context.DeadlineExceeded)
			close(release)
			require.NoError(t, f.Wait(t.Context()))
		})
	})
}

// A press is where a document comes from.
type press struct {
	fetches int
	value   string
	err     error
	hang    chan struct{}
}

func (p *press) document() *pace.Document[string] {
	return &pace.Document[string]{
		MaxAge: time.Hour, MaxStale: 24 * time.Hour, Limit: 10 * time.Second, Log: slog.New(slog.DiscardHandler),
		Fetch: func(ctx context.Context) (string, error) {
			p.fetches++
			if p.hang != nil {
				select {
				case <-p.hang:
				case <-ctx.Done():
					return "", ctx.Err()
				}
			}
			return p.value, p.err
		},
	}
}

// A log that is slow must not hold up those who need the document.
func TestNothingIsLoggedUnderALock(t *testing.T) {
	p := &press{err: errDown}
	d := p.document()
	calls := 0
	d.Failed = func(context.Context, error, bool) {
		calls++
		require.False(t, d.Locked())
	}
	d.Superseded = func(string) bool { calls++; return d.Locked() }
	requireOutage(t, d, errDown)
	require.Equal(t, 1, calls)
}

func TestADocument(t *testing.T) {
	for name, test := range map[string]func(t *testing.T, p *press, d *pace.Document[string]){
		"is fetched when it is first asked for, and again when it is old": func(t *testing.T, p *press, d *pace.Document[string]) {
			_, known := d.Peek()
			require.False(t, known)
			requireServes(t, d, "one")
			requireServes(t, d, "one")
			require.Equal(t, 1, p.fetches)
			p.value = "two"
			time.Sleep(time.Hour)
			requireServes(t, d, "two")
			require.Equal(t, 2, p.fetches)
		},
		"serves on while it can't be fetched, and not for ever": func(t *testing.T, p *press, d *pace.Document[string]) {
			var stale []bool
			d.Failed = func(_ context.Context, err error, old bool) {
				require.ErrorIs(t, err, errDown)
				stale = append(stale, old)
			}
			requireServes(t, d, "one")
			p.err = errDown
			time.Sleep(time.Hour)
			requireServes(t, d, "one")
			requireServes(t, d, "one")
			require.Equal(t, 2, p.fetches, "failures are spaced out")
			require.Equal(t, []bool{true}, stale)
			time.Sleep(23 * time.Hour)
			requireOutage(t, d, errDown)
		},
		"that was never had is an outage that says when to ask again": func(t *testing.T, p *press, d *pace.Document[string]) {
			p.err = errDown
			wait := requireOutage(t, d, errDown)
			requireOutage(t, d, errDown)
			require.Equal(t, 1, p.fetches)
			p.err = nil
			time.Sleep(wait)
			requireServes(t, d, "one")
		},
		"that hangs holds nobody up for long who could have an older one": func(t *testing.T, p *press, d *pace.Document[string]) {
			requireServes(t, d, "one")
			time.Sleep(time.Hour)
			p.hang = make(chan struct{})
			began := time.Now()
			requireServes(t, d, "one")
			require.Equal(t, pace.Patience, time.Since(began))
			p.value = "two"
			close(p.hang)
			synctest.Wait()
			requireServes(t, d, "two")
		},
		"is fetched again for many who find it wanting, once": func(t *testing.T, p *press, d *pace.Document[string]) {
			_, seen, err := d.Get(t.Context())
			require.NoError(t, err)
			p.value, p.hang = "two", make(chan struct{})
			asked, got := 0, make(chan string)
			for range 3 {
				go func() {
					v, err := d.Again(t.Context(), seen, func() bool { asked++; return true })
					require.NoError(t, err)
					got <- v
				}()
			}
			synctest.Wait()
			close(p.hang)
			for range 3 {
				require.Equal(t, "two", <-got)
			}
			require.Equal(t, 1, asked)
			require.Equal(t, 2, p.fetches)
			_, err = d.Again(t.Context(), seen+1, func() bool { return false })
			require.ErrorIs(t, err, pace.ErrBraked)
		},
		"whose address changed is fetched though it is young": func(t *testing.T, p *press, d *pace.Document[string]) {
			d.Superseded = func(v string) bool { return v == "one" }
			requireServes(t, d, "one")
			p.value = "two"
			requireServes(t, d, "two")
			requireServes(t, d, "two")
			require.Equal(t, 2, p.fetches)
		},
		"is fetched for who wants one from after a moment, unless it is": func(t *testing.T, p *press, d *pace.Document[string]) {
			requireServes(t, d, "one")
			came := time.Now()
			d.Since(t.Context(), came.Add(-time.Second))
			require.Equal(t, 1, p.fetches)
			p.value = "two"
			time.Sleep(time.Second)
			d.Since(t.Context(), came)
			requireServes(t, d, "two")
			p.err = errDown
			time.Sleep(time.Second)
			d.Since(t.Context(), time.Now())
			d.Since(t.Context(), time.Now())
			require.Equal(t, 3, p.fetches, "failures are spaced out here, too")
		},
		"that is believed is never fetched": func(t *testing.T, p *press, d *pace.Document[string]) {
			d.Believe("told")
			time.Sleep(1000 * time.Hour)
			requireServes(t, d, "told")
			require.Zero(t, p.fetches)
		},
		"whose source panics is an outage": func(t *testing.T, _ *press, d *pace.Document[string]) {
			d.Fetch = func(context.Context) (string, error) { panic("oh") }
			_, _, err := d.Get(t.Context())
			require.ErrorContains(t, err, "oh")
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := &press{value: "one"}
				test(t, p, p.document())
			})
		})
	}
}

func requireServes(t *testing.T, d *pace.Document[string], want string) {
	t.Helper()
	v, _, err := d.Get(t.Context())
	require.NoError(t, err)
	require.Equal(t, want, v)
}

func requireOutage(t *testing.T, d *pace.Document[string], cause error) time.Duration {
	t.Helper()
	_, _, err := d.Get(t.Context())
	var outage *pace.Outage
	require.ErrorAs(t, err, &outage)
	require.ErrorIs(t, err, cause)
	require.GreaterOrEqual(t, outage.RetryAfter, time.Second)
	return outage.RetryAfter
}
