package session_test

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/signet-go/signet/session"
	"github.com/stretchr/testify/require"
)

// callback is a slog.Handler that looks at the Manager whose line it is given, as one that sends
// lines through an application may.
type callback struct {
	slog.Handler
	on func()
}

func (c *callback) Handle(ctx context.Context, r slog.Record) error {
	c.on()
	return c.Handler.Handle(ctx, r)
}

func TestMemoryThatForgetsEarlySaysSoOnceAndWithoutALock(t *testing.T) {
	rows := []struct {
		name string
		fill func(t *testing.T, b *browser)
		says string
	}{
		{"ended sessions", func(t *testing.T, b *browser) {
			for i := range 235_000 {
				require.NoError(t, b.m.DestroyID(t.Context(), fmt.Sprint("some session's id ", i)))
			}
		}, "memory of ended sessions full"},
		{"changed sessions", func(t *testing.T, b *browser) {
			for range 1_600 {
				b := newBrowser(t, b.m)
				b.set("v", strings.Repeat("x", 11_000))
				b.set("w", "1")
			}
		}, "session memory full"},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			var log logBook
			h := &callback{Handler: log.logger().Handler()}
			m := newManager(t, session.Config{Logger: slog.New(&quiet{h})})
			h.on = func() { require.NoError(t, m.DestroyID(t.Context(), "another")) }
			row.fill(t, newBrowser(t, m))
			require.Equal(t, 1, strings.Count(log.String(), row.says))
		})
	}
}

// quiet drops the lines about large cookies.
type quiet struct{ slog.Handler }

func (q *quiet) Handle(ctx context.Context, r slog.Record) error {
	if strings.Contains(r.Message, "large") {
		return nil
	}
	return q.Handler.Handle(ctx, r)
}
