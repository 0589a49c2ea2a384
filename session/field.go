package session

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
)

var errNoHandler = errors.New("session: no session in the context: wrap the handler in Manager.Handler")

// A Field is a typed value that an application keeps in the session, as JSON. Declare one constant
// per value:
//
//	const cart session.Field[Cart] = "cart"
//
// Everything of a session travels with every request unless Config.ServerSide is set, so keep it
// small.
type Field[T any] string

// fieldPrefix keeps the names of fields apart from those that this module uses itself.
const fieldPrefix = "f."

// Get returns the value, with this request's changes, and whether there is one: false without a
// [Manager.Handler], without a session, when nobody has set it, when the Store can't be asked, and
// when what was kept does not fit T any more.
func (f Field[T]) Get(ctx context.Context) (v T, ok bool) {
	s := From(ctx)
	if s == nil {
		return v, false
	}
	s.mu.Lock()
	data, ok := s.getLocked(fieldPrefix + string(f))
	s.mu.Unlock()
	if !ok {
		return v, false
	}
	var fresh T
	if json.Unmarshal(data, &fresh) != nil {
		return v, false
	}
	return fresh, true
}

// Set keeps v, beginning a session when there is none. It is saved before the first byte of the
// response; after it, as [Session] says. Errors: there is no [Manager.Handler]; v is no JSON;
// [ErrUnavailable]; [ErrReturned].
func (f Field[T]) Set(ctx context.Context, v T) error {
	s := From(ctx)
	if s == nil {
		return errNoHandler
	}
	data, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("session: field %s: %w", string(f), err)
	}
	return s.Set(fieldPrefix+string(f), data)
}

// Delete forgets the value. Without a session it does nothing. Errors: there is no
// [Manager.Handler]; [ErrUnavailable]; [ErrReturned].
func (f Field[T]) Delete(ctx context.Context) error {
	s := From(ctx)
	if s == nil {
		return errNoHandler
	}
	return s.Delete(fieldPrefix + string(f))
}
