package sqlstore

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"syscall"
	"time"
)

// A database may refuse a statement for a while, without having carried it out: it starts, has
// become a standby, or a concurrent transaction was in the way. Such a statement can be retried,
// whatever it is.

const (
	maxRefusals  = 5                     // beyond, the refusal is the answer
	firstPause   = 20 * time.Millisecond // doubled each time: 620 ms in all
	maxConflicts = 20                    // each has a winner, so that somebody gets on
)

// insist makes a call on a connection of its own until it is not refused any more, within bounds.
// The connection is pinned so that database/sql does not make a statement again by itself, and that
// one whose server has become read-only can be closed: each such connection in the pool would refuse
// a write of its own. What may be made again whatever has become of it, as reads may, also is when
// its connection turns out to be dead: a server that was restarted leaves a pool of such.
func (s *Store) insist(ctx context.Context, repeatable bool, call func(*sql.Conn) error) error {
	stale := s.db.Stats().OpenConnections + 1
	for pause, refusals, conflicts := firstPause, 0, 0; ; {
		err := s.attempt(ctx, call)
		switch {
		case stale > 0 && ctx.Err() == nil && (isReadOnly(err) || repeatable && brokenConnection(err)):
			stale--
			continue
		case isConflict(err) && conflicts < maxConflicts:
			conflicts++
			if wait(ctx, jitter(firstPause)) {
				continue
			}
		case isRefusal(err) && refusals < maxRefusals:
			refusals++
			pause *= 2
			if wait(ctx, pause/2) {
				continue
			}
		}
		return err
	}
}

// attempt makes a call on a connection, and closes that for good if its server is read-only.
func (s *Store) attempt(ctx context.Context, call func(*sql.Conn) error) error {
	conn, err := s.db.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	if err = call(conn); isReadOnly(err) {
		_ = conn.Raw(func(any) error { return driver.ErrBadConn }) // so the pool drops it
	}
	return err
}

// wait reports whether ctx lasts longer than pause.
func wait(ctx context.Context, pause time.Duration) bool {
	enough := time.NewTimer(pause)
	defer enough.Stop()
	select {
	case <-enough.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// jitter keeps those who were in each other's way from meeting again.
func jitter(most time.Duration) time.Duration {
	return rand.N(most) //nolint:gosec // no secret
}

// state returns the SQLSTATE of an error of PostgreSQL, "" for any other.
func state(err error) string {
	var of interface{ SQLState() string }
	if errors.As(err, &of) {
		return of.SQLState()
	}
	return ""
}

// isReadOnly reports whether err is a standby's refusal of a write.
func isReadOnly(err error) bool { return state(err) == "25006" }

// isConflict reports whether a concurrent transaction was in the statement's way: a serialization
// failure or a deadlock. What was refused may find its row changed, and then has an answer.
func isConflict(err error) bool {
	code := state(err)
	return code == "40001" || code == "40P01"
}

// isRefusal reports whether err is a server's refusal to look at a statement now.
func isRefusal(err error) bool { return state(err) == "57P03" || isReadOnly(err) }

// brokenConnection reports an error of a connection that may have died while it was idle, by itself
// or by its server's end. A timeout is none: trying again would double it.
func brokenConnection(err error) bool {
	for _, dead := range []error{driver.ErrBadConn, io.EOF, io.ErrUnexpectedEOF, net.ErrClosed, syscall.ECONNRESET, syscall.EPIPE} {
		if errors.Is(err, dead) {
			return true
		}
	}
	code := state(err)
	return code == "57P01" || code == "57P02"
}

// hints say what to do about refusals that stay.
var hints = map[string]string{
	"25006": "this server is a read-only standby: a failover is under way, or the URL names it; with several hosts set target_session_attrs=read-write",
	"42P05": poolerHint, "26000": poolerHint,
}

const poolerHint = "a pooler in transaction mode is in between: set default_query_exec_mode=exec in pgx's URL"

// explained adds to an error what to do about it, and that of a context that is done: drivers have
// words of their own for a statement that they canceled.
func explained(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	if hint, ok := hints[state(err)]; ok {
		err = fmt.Errorf("%w (%s)", err, hint)
	}
	if done := ctx.Err(); done != nil && !errors.Is(err, done) {
		err = fmt.Errorf("%w: %w", done, err)
	}
	return err
}
