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
// The whole session travels with every request unless Config.ServerSide is set, so keep it small.
type Field[T any] string

// fieldPrefix keeps the names of fields apart from those that this module uses itself.
const fieldPrefix = "f."

// Get returns the value, with this request's changes, and whether there is one: false without a
// [Manager.Handler], without a session, if it was never set, if the Store can't be reached, and if
// the stored value no longer fits T.
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

// Set stores v, beginning a session if there is none. It is saved before the first byte of the
// response; after that, as described at [Session]. Errors: there is no [Manager.Handler]; v can't
// be encoded as JSON; [ErrUnavailable]; [ErrReturned].
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

// Delete removes the value. Without a session it does nothing. Errors: there is no
// [Manager.Handler]; [ErrUnavailable]; [ErrReturned].
func (f Field[T]) Delete(ctx context.Context) error {
	s := From(ctx)
	if s == nil {
		return errNoHandler
	}
	return s.Delete(fieldPrefix + string(f))
}
