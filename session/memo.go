package session

// Memo is for the packages of this module. It returns what build makes of the
// session, once per generation, for all
// requests that carry it: so the result must depend on nothing but the session,
// and must not be changed. What this request has changed and not saved makes a
// result of its own. What build gets is a view of that generation alone, which
// it may keep to read more of it later: the request may be over then. There is
// one result per Manager: Memo is for the package that owns the session's
// content. It is nil without a session.
func (s *Session) Memo(build func(*Session) any) any {
	s.mu.Lock()
	if s.load() != nil {
		s.mu.Unlock()
		return nil
	}
	shared, own := s.base, !s.delta.empty() || s.base.number == 0
	memo := s.memo
	if !own {
		memo = shared.memo.Load()
	}
	s.mu.Unlock()
	if memo != nil {
		return *memo
	}
	view := s
	if !own {
		view = &Session{m: s.m, loaded: true, base: shared, begun: true}
	}
	result := build(view) // without the lock: it calls our methods
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.base != shared: // changed meanwhile
	case own:
		s.memo = &result
	case !shared.memo.CompareAndSwap(nil, &result):
		return *shared.memo.Load()
	}
	return result
}
