package sqlstore_test

import (
	"database/sql"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/session/sqlstore"
)

// fill writes rows that have ended, by another way than the store, which would clean meanwhile.
func fill(t *testing.T, db *sql.DB, rows int) {
	t.Helper()
	for _, statement := range []string{
		"INSERT INTO signet_store SELECT 'ended' || i, 'x', now() - interval '1 second' FROM generate_series(1, %d) i",
		"WITH RECURSIVE s (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM s WHERE i < %d) INSERT INTO signet_store SELECT 'ended' || i, x'00', 1 FROM s",
	} {
		if _, err := db.ExecContext(t.Context(), fmt.Sprintf(statement, rows)); err == nil {
			return
		}
	}
	require.Fail(t, "neither database takes it")
}

func count(t *testing.T, db *sql.DB) (n int) {
	t.Helper()
	require.NoError(t, db.QueryRowContext(t.Context(), "SELECT count(*) FROM signet_store").Scan(&n))
	return n
}

func TestRowsThatHaveEndedAreDeletedAThousandAtATime(t *testing.T) {
	inEach(t, func(t *testing.T, s *sqlstore.Store, db *sql.DB) {
		fill(t, db, 2500)
		for _, want := range []int64{1000, 1000, 500, 0} {
			n, err := s.Clean(t.Context())
			require.NoError(t, err)
			require.Equal(t, want, n)
		}
	})
}

func TestWritesCleanInTheBackground(t *testing.T) {
	inEach(t, func(t *testing.T, s *sqlstore.Store, db *sql.DB) {
		fill(t, db, 2500)
		require.Eventually(t, func() bool {
			require.NoError(t, s.Set(t.Context(), "lives", []byte("1"), time.Hour))
			return count(t, db) == 1
		}, patience, 5*time.Millisecond)
		requireHolds(t, s, "lives", "1")

		// All was deleted: the next time comes in a minute.
		fill(t, db, 10)
		for range 20 {
			require.NoError(t, s.Set(t.Context(), "lives", []byte("1"), time.Hour))
		}
		require.Equal(t, 11, count(t, db))
	})
}

// A row that is renewed while others are cleaned away stays.
func TestCleaningSparesARowThatIsTakenAgain(t *testing.T) {
	s, db := newPostgres(t, "")
	fill(t, db, 3)
	tx, err := db.BeginTx(t.Context(), nil)
	require.NoError(t, err)
	_, err = tx.ExecContext(t.Context(), "UPDATE signet_store SET e = now() + interval '1 hour' WHERE k = 'ended2'")
	require.NoError(t, err)
	n, err := s.Clean(t.Context())
	require.NoError(t, err, "it does not wait")
	require.EqualValues(t, 2, n)
	require.NoError(t, tx.Commit())
	_, err = s.Clean(t.Context())
	require.NoError(t, err)
	requireHolds(t, s, "ended2", "x")
}
