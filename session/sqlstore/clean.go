package sqlstore

import (
	"context"
	"time"
)

const (
	cleanBatch   = 1000             // rows deleted in one statement
	cleanEvery   = time.Minute      // unless there are more of them
	cleanTimeout = 10 * time.Second // of one statement
)

// Clean deletes up to a thousand expired rows, and returns how many it deleted. Writes call it in
// the background, once a minute and again at once while there are more; call it yourself for a
// table that is no longer written to.
func (s *Store) Clean(ctx context.Context) (int64, error) {
	result, err := s.db.ExecContext(ctx, s.clean, cleanBatch)
	if err != nil {
		return 0, explained(ctx, err)
	}
	return result.RowsAffected()
}

// cleanInTime starts a Clean when it is time for one. No request waits for it, one runs at a time,
// and an error waits for the next: what is wrong with the database, other calls say.
func (s *Store) cleanInTime() {
	now := time.Now()
	if now.UnixMilli() < s.nextClean.Load() || !s.cleaning.CompareAndSwap(false, true) {
		return
	}
	go func() {
		defer s.cleaning.Store(false)
		ctx, cancel := context.WithTimeout(context.Background(), cleanTimeout)
		defer cancel()
		next := now.Add(cleanEvery)
		if n, err := s.Clean(ctx); err == nil && n == cleanBatch {
			next = now
		}
		s.nextClean.Store(next.UnixMilli())
	}()
}
