package oidcauth

import (
	"context"
	"fmt"
	"net/http"
)

// An Operation is a piece of work that Hooks.Observe sees.
type Operation string

// Operations. Those that respond to a browser or the provider fail with a *Problem.
const (
	OperationLogin              Operation = "login"                // a browser is sent to the provider
	OperationCallback           Operation = "callback"             // it comes back, and a session begins
	OperationRefresh            Operation = "refresh"              // a user's token is renewed, for all who wait for it
	OperationMachineToken       Operation = "machine_token"        // a machine of Config.Machines gets a token
	OperationLogout             Operation = "logout"               // a person signs out
	OperationBackChannelLogout  Operation = "back_channel_logout"  // the provider ends sessions
	OperationFrontChannelLogout Operation = "front_channel_logout" // and so, through the browser
)

// An observation is one operation of one request. It travels in the request's context to where
// failures are answered.
type observation struct{ problem *Problem }

type observationKey struct{}

// observe tells Hooks.Observe that r begins op. Work goes on with the request that is returned;
// end, which is to be deferred, tells how it ended.
func (a *answers) observe(r *http.Request, op Operation) (_ *http.Request, end func()) {
	if a.observer == nil {
		return r, func() {}
	}
	o := new(observation)
	ctx, done := a.observer(context.WithValue(r.Context(), observationKey{}, o), op)
	return r.WithContext(ctx), func() {
		if v := recover(); v != nil {
			done(fmt.Errorf("oidcauth: panic: %v", v))
			panic(v)
		}
		if o.problem != nil {
			done(o.problem)
			return
		}
		done(nil)
	}
}

// observed notes p as the end of the operation that ctx is part of, if it is one.
func observed(ctx context.Context, p *Problem) {
	if o, ok := ctx.Value(observationKey{}).(*observation); ok {
		o.problem = p
	}
}

// machineObserver is what machines are given.
func (a *answers) machineObserver() func(context.Context) (context.Context, func(error)) {
	if a.observer == nil {
		return nil
	}
	return func(ctx context.Context) (context.Context, func(error)) {
		ctx, end := a.observer(ctx, OperationMachineToken)
		return ctx, func(err error) { end(exported(err)) }
	}
}

// observeCall is observe for work that no request waits for alone.
func (a *answers) observeCall(ctx context.Context, op Operation) (context.Context, func(error)) {
	if a.observer == nil {
		return ctx, func(error) {}
	}
	return a.observer(ctx, op)
}
