package session

import (
	"context"
	"errors"
	"maps"
	"strings"
)

var errDetached = errors.New("session: Renew needs the session of a response")

// Renew ends the current session, if any, and begins an empty one under a new id, as every login
// must (OWASP session fixation). The old session ends when the new one is saved; if that fails,
// [Session.Save] returns the error and the browser doesn't get the new one. Renew itself succeeds
// while the Store is down. Errors: s was passed to [Session.Exclusive]'s fn or made by
// [Session.Prepare], and has no response; [ErrReturned].
func (s *Session) Renew() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.renewableLocked(); err != nil {
		return err
	}
	_ = s.loadLocked() // whatever there is to end
	s.renewLocked(nil)
	return nil
}

// RenewKeepingFields is [Session.Renew], but carries over the values of each [Field] and nothing
// else: a visitor's cart, say, at sign-in. The values are those of the newest generation, including
// what other requests have saved in the meantime, with this request's changes; if the session has
// ended in the meantime, nothing carries over. Errors: those of Renew; [ErrUnavailable] if there
// may be something to keep and the Store can't be reached. Then nothing was renewed.
func (s *Session) RenewKeepingFields() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.renewableLocked(); err != nil {
		return err
	}
	fields, err := s.newestFieldsLocked(s.ctx)
	if err == nil {
		s.renewLocked(fields)
	}
	return err
}

// renewableLocked reports why s can't be renewed.
func (s *Session) renewableLocked() error {
	switch {
	case s.stage == stageReturned:
		return ErrReturned
	case s.ctx == nil, s.place != nil:
		return errDetached
	}
	return nil
}

// renewLocked begins a session with fields in place of the current one.
func (s *Session) renewLocked(fields keptFields) {
	s.retireLocked()
	s.beginLocked()
	for name, data := range fields {
		s.delta.SetValue(name, data)
	}
}

// newestFieldsLocked returns what the application keeps, as the newest generation has it, with this
// request's changes. A session that has ended keeps nothing for the next one.
func (s *Session) newestFieldsLocked(ctx context.Context) (keptFields, error) {
	err := s.loadLocked()
	v := version{g: s.base}
	if err == nil && v.g.Number > 0 {
		v, err = s.m.newest(context.WithoutCancel(ctx), v.g)
	}
	switch {
	case errors.Is(err, ErrNoSession):
		return keptFields{}, nil
	case err != nil:
		return nil, err
	}
	kept := keptFields{}
	for _, value := range v.g.Values {
		kept[value.Name] = value.Data
	}
	maps.Copy(kept, s.delta.Values)
	maps.DeleteFunc(kept, func(name string, data []byte) bool { return data == nil || !strings.HasPrefix(name, fieldPrefix) })
	return kept, nil
}
