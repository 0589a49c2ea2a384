package linewriter_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/example-webapp/internal/linewriter"
)

// An output is what was written. Safe for concurrent use.
type output struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(b)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}

// A gate is a reader that takes no line before it is opened.
type gate struct {
	output
	open chan struct{}
}

func (g *gate) Write(line []byte) (int, error) {
	<-g.open
	return g.output.Write(line)
}

func TestWriter(t *testing.T) {
	t.Run("lines arrive whole and in order, also those in hand at the end", func(t *testing.T) {
		out := &output{}
		w := linewriter.New(out)
		for i := range 100 {
			fmt.Fprintf(w, "line %d\n", i)
		}
		w.Close()
		lines := strings.Split(strings.TrimSpace(out.String()), "\n")
		require.Len(t, lines, 100)
		require.Equal(t, "line 0", lines[0])
		require.Equal(t, "line 99", lines[99])
	})
	t.Run("the caller's buffer is its own again", func(t *testing.T) {
		g := &gate{open: make(chan struct{})}
		w := linewriter.New(g)
		line := []byte("first\n")
		w.Write(line)
		copy(line, "XXXXX")
		close(g.open)
		w.Close()
		require.Equal(t, "first\n", g.String())
	})
	t.Run("a reader that stops costs lines, not time", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			g := &gate{open: make(chan struct{})}
			w := linewriter.New(g)
			began := time.Now()
			for range 3 * linewriter.MaxWaiting {
				w.Write([]byte("x\n"))
			}
			require.Zero(t, time.Since(began))
			w.Close()
			require.Equal(t, time.Second, time.Since(began), "the end waits a moment, and no more")
			close(g.open)
			synctest.Wait()
			require.LessOrEqual(t, strings.Count(g.String(), "\n"), linewriter.MaxWaiting+1)
		})
	})
	t.Run("lines after the end lead nowhere", func(t *testing.T) {
		out := &output{}
		w := linewriter.New(out)
		w.Close()
		n, err := w.Write([]byte("late\n"))
		require.NoError(t, err)
		require.Equal(t, 5, n)
		require.Empty(t, out.String())
	})
	t.Run("a reader that fails stops nothing", func(t *testing.T) {
		w := linewriter.New(failing{})
		w.Write([]byte("x\n"))
		w.Close()
	})
}

type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, errors.New("disk full") }
