package access

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/signet-go/signet/internal/pace"
)

// errSlow means that a renewal takes longer than its caller waits who has something to go on with.
// It goes on, and the next caller gets what it brings.
var errSlow = errors.New("oidcauth: the refresh is still running")

// ErrOld means that a renewal has brought a token which was there before, and which does not serve
// this caller.
var ErrOld = errors.New("oidcauth: the token predates this request")

// A Renewer gets newer access tokens: by one call for all callers who want the same, which goes on
// when they go away, and by none while failures are spaced out. A token is renewed when it is
// wanted (nothing runs by itself) and
//   - is not there, or lasts no longer than its margin ([Token.Serves]), or
//   - was refused by an API, and [Keeper.Replaceable] allows for a newer one (Request.Rejected), or
//   - the caller wants a newer one whatever there is (Request.Force);
//   - and of a user also, whatever tokens there are, when the provider has to confirm the login
//     once more ([Confirmation], Request.Confirm).
//
// [session.Session.Renew], of another package, begins another session and renews no token.
//
// Its fields are set before its first use; it is safe for concurrent use. L is what a call brings.
type Renewer[L any] struct {
	// Limit bounds a call. Patience is how long a caller waits for it who has something to go on
	// with; zero means not at all.
	Limit, Patience time.Duration

	// Hopeless is the error after which a token at hand is of no more use, however long it lasts.
	Hopeless error

	// Pauses space out what fails, by the Name of the Order. Whoever fetches says what failed.
	Pauses pace.Pauses

	flight pace.Flight[L]
}

// NewRenewer returns a Renewer; log hears of panics.
func NewRenewer[L any](log *slog.Logger) *Renewer[L] {
	r := new(Renewer[L])
	r.flight.Log = log
	return r
}

// An Order is a token that is to be renewed.
type Order[L any] struct {
	// Name is the same for all who want this token.
	Name string

	// Query says what the caller wants, and Have is the token at hand, nil for none.
	Query *Request
	Have  *Token

	// Hurried callers have something else to go on with.
	Hurried bool

	// Fetch gets the token, apart from every caller.
	Fetch func(context.Context) (L, error)

	// Land makes of what was fetched what this caller gets. ErrOld asks for one more call.
	Land func(L, error) (*Token, error)
}

// Renew returns the token that o asks for, or the one at hand where no newer one can be had, or not
// in time. Errors: Land's, ctx's, those of Pauses, errSlow for the hurried.
func (r *Renewer[L]) Renew(ctx context.Context, o *Order[L]) (*Token, error) {
	if err := r.Pauses.Check(o.Name); err != nil {
		return o.Have.Or(o.Query, err)
	}
	// Who holds a token that is still good does not wait for a slow provider.
	var patience <-chan time.Time
	switch now := time.Now(); {
	case o.Have.bridges(o.Query, now):
		patience = time.After(min(r.Patience, o.Have.Expiry.Sub(now)/2))
	case o.Hurried:
		patience = time.After(r.Patience)
	}
	token, err := r.landed(ctx, o, patience)
	if errors.Is(err, ErrOld) {
		token, err = r.landed(ctx, o, patience)
	}
	switch {
	case errors.Is(err, ErrOld):
		return token, nil // a clock is set back: what came is the newest all the same
	case errors.Is(err, errSlow) && o.Have != nil:
		return o.Have, nil
	case err != nil && ctx.Err() == nil && !errors.Is(err, r.Hopeless) && o.Have.bridges(o.Query, time.Now()):
		return o.Have, nil
	}
	return token, err
}

// landed waits for the call, as long as ctx and patience last: errSlow means that patience is over.
func (r *Renewer[L]) landed(ctx context.Context, o *Order[L], patience <-chan time.Time) (*Token, error) {
	done := r.start(ctx, o)
	if r.Patience <= 0 && patience != nil {
		return nil, errSlow
	}
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-patience:
		return nil, errSlow
	case landed := <-done:
		return o.Land(landed.Value, landed.Err)
	}
}

// start joins or begins the call.
func (r *Renewer[L]) start(ctx context.Context, o *Order[L]) <-chan pace.Result[L] {
	key := o.Name + "\x00" + o.Query.Rejected
	if o.Query.Confirm {
		key += "\x00confirm" // other calls may end with a token that is fresh
	}
	return r.flight.Start(ctx, key, r.Limit, o.Fetch)
}

// Wait waits until no call is under way, or until ctx ends, whose error it returns then.
func (r *Renewer[L]) Wait(ctx context.Context) error { return r.flight.Wait(ctx) }
