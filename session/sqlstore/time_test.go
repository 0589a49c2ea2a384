package sqlstore_test

import (
	"database/sql"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/internal/pgtest"
	"github.com/signet-go/signet/session/sqlstore"
)

// A row that has ended counts as absent, also before it is deleted: of many who add it, one wins.
func TestARowThatHasEndedIsAddedOnce(t *testing.T) {
	inEach(t, func(t *testing.T, s *sqlstore.Store, _ *sql.DB) {
		for round := range 20 {
			key := fmt.Sprint("k", round)
			require.NoError(t, s.Set(t.Context(), key, []byte("old"), time.Millisecond))
			awaitEnd(t, s, key)
			var wins atomic.Int64
			var wg sync.WaitGroup
			for i := range 20 {
				wg.Go(func() {
					added, err := s.Add(t.Context(), key, []byte{byte(i)}, time.Minute)
					require.NoError(t, err)
					if added {
						wins.Add(1)
					}
				})
			}
			wg.Wait()
			require.EqualValues(t, 1, wins.Load())
		}
	})
}

// awaitEnd waits until a row has ended.
func awaitEnd(t *testing.T, s *sqlstore.Store, key string) {
	t.Helper()
	require.Eventually(t, func() bool {
		values, err := s.Get(t.Context(), key)
		return err == nil && values[0] == nil
	}, patience, time.Millisecond)
}

// waiting makes a call that waits for a row, and reports when it waits; the result comes by the
// channel.
func waiting(t *testing.T, db *sql.DB, call func() (bool, error)) <-chan bool {
	t.Helper()
	done := make(chan bool, 1)
	go func() {
		ok, err := call()
		if err != nil {
			t.Error(err)
		}
		done <- ok
	}()
	require.Eventually(t, func() bool {
		var n int
		err := db.QueryRowContext(t.Context(), "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'").Scan(&n)
		return err == nil && n == 1
	}, patience, time.Millisecond)
	return done
}

// now() stands still in a statement that waits for a row: one that ended meanwhile would be swapped,
// an Add that should win be refused, and a row be born dead whose ttl counted from before.
func TestTimeGoesOnWhileACallWaitsForARow(t *testing.T) {
	// hold rewrites the row in a transaction, with a life of so many milliseconds from now on.
	hold := func(t *testing.T, db *sql.DB, life int) *sql.Tx {
		tx, err := db.BeginTx(t.Context(), nil)
		require.NoError(t, err)
		_, err = tx.ExecContext(t.Context(), "UPDATE signet_store SET e = clock_timestamp() + $1 * interval '1 millisecond' WHERE k = 'row'", life)
		require.NoError(t, err)
		return tx
	}
	for _, c := range []struct {
		name string
		life int // milliseconds of the row that is waited for
		call func(t *testing.T, s *sqlstore.Store) (bool, error)
		want bool
		kept string
	}{
		{"a Swap of a row that ended meanwhile is refused", 500, func(t *testing.T, s *sqlstore.Store) (bool, error) {
			return s.Swap(t.Context(), "row", []byte("old"), []byte("new"), time.Minute)
		}, false, ""},
		{"a Delete of a row that ended meanwhile has removed none", 500, func(t *testing.T, s *sqlstore.Store) (bool, error) {
			return s.Delete(t.Context(), "row", nil)
		}, false, ""},
		{"an Add to a row that ended meanwhile wins", 500, func(t *testing.T, s *sqlstore.Store) (bool, error) {
			return s.Add(t.Context(), "row", []byte("new"), time.Minute)
		}, true, "new"},
		{"an Add to a row that lives on is refused", 60_000, func(t *testing.T, s *sqlstore.Store) (bool, error) {
			return s.Add(t.Context(), "row", []byte("new"), time.Minute)
		}, false, "old"},
		{"a Swap of a row that lives on is made", 60_000, func(t *testing.T, s *sqlstore.Store) (bool, error) {
			return s.Swap(t.Context(), "row", []byte("old"), []byte("new"), time.Minute)
		}, true, "new"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, db := newPostgres(t, "")
			require.NoError(t, s.Set(t.Context(), "row", []byte("old"), time.Minute))
			tx := hold(t, db, c.life)
			done := waiting(t, db, func() (bool, error) { return c.call(t, s) })
			_, err := tx.ExecContext(t.Context(), "SELECT pg_sleep(0.7)")
			require.NoError(t, err)
			require.NoError(t, tx.Commit())
			require.Equal(t, c.want, <-done)
			requireHolds(t, s, "row", c.kept)
		})
	}
	t.Run("a life counts from after the wait", func(t *testing.T) {
		s, db := newPostgres(t, "")
		require.NoError(t, s.Set(t.Context(), "row", []byte("old"), time.Minute))
		tx := hold(t, db, 60_000)
		done := waiting(t, db, func() (bool, error) { return true, s.Set(t.Context(), "row", []byte("new"), 5*time.Second) })
		var committed time.Time
		require.NoError(t, tx.QueryRowContext(t.Context(), "SELECT clock_timestamp() FROM pg_sleep(1)").Scan(&committed))
		require.NoError(t, tx.Commit())
		<-done
		// Had it counted from before, four seconds at most would be left.
		var left float64
		require.NoError(t, db.QueryRowContext(t.Context(), "SELECT extract(epoch FROM e - $1::timestamptz) FROM signet_store WHERE k = 'row'", committed).Scan(&left))
		require.Greater(t, left, 4.9)
	})
}

func TestAWaitInSQLiteIsNotCountedEither(t *testing.T) {
	s, db := newSQLite(t)
	require.NoError(t, s.Set(t.Context(), "row", []byte("old"), 300*time.Millisecond))
	conn, err := db.Conn(t.Context())
	require.NoError(t, err)
	defer conn.Close()
	_, err = conn.ExecContext(t.Context(), "BEGIN IMMEDIATE")
	require.NoError(t, err)
	began, added := make(chan struct{}), make(chan bool)
	go func() {
		close(began)
		ok, err := s.Add(t.Context(), "row", []byte("new"), time.Minute)
		if err != nil {
			t.Error(err)
		}
		added <- ok
	}()
	<-began
	<-time.After(500 * time.Millisecond) // the row ends while the Add waits for the file
	_, err = conn.ExecContext(t.Context(), "ROLLBACK")
	require.NoError(t, err)
	require.True(t, <-added)
	requireHolds(t, s, "row", "new")
}

// Sessions of different zones and places agree on when a row ends.
func TestTheEndOfARowIsTheSameInEveryZone(t *testing.T) {
	url := pgtest.Database(t)
	berlin := migrated(t, sqlstore.NewPostgres(open(t, "pgx", url("timezone=Europe/Berlin"))))
	require.NoError(t, berlin.Set(t.Context(), "lives", []byte("1"), time.Hour))
	require.NoError(t, berlin.Set(t.Context(), "ends", []byte("1"), time.Millisecond))
	awaitEnd(t, berlin, "ends")
	for _, zone := range []string{"America/New_York", "Asia/Tokyo", "UTC"} {
		s := sqlstore.NewPostgres(open(t, "pgx", url("timezone="+zone)))
		requireHolds(t, s, "lives", "1")
		requireHolds(t, s, "ends", "")
	}
	var life float64
	require.NoError(t, open(t, "pgx", url("timezone=Asia/Tokyo")).QueryRowContext(t.Context(), "SELECT extract(epoch FROM e - now()) FROM signet_store WHERE k = 'lives'").Scan(&life))
	require.InDelta(t, 3600, life, 60)
}
