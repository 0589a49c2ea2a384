// Package linewriter takes log lines off the requests' hands.
//
// It promises that writing a line never waits and never fails, whatever becomes of the terminal,
// file or pipe behind it; it never promises that every line arrives. Start at New.
package linewriter

import (
	"io"
	"time"
)

// MaxWaiting is how many lines a Writer holds for a slow reader.
const MaxWaiting = 1024

// A Writer passes lines on from a goroutine of its own, and drops what a full disk or a reader that
// stopped reading would make it wait for: requests go on without their log lines. Safe for
// concurrent use.
//
// The price is that a crash can lose the last lines. An audit log would pay the other price.
type Writer struct {
	// Whole lines, as slog's handlers write them: one Write call each.
	lines chan []byte
	// Closed by Close. lines stays open: writers may still be under way.
	quit chan struct{}
	// Closed when pass has written what there was.
	done chan struct{}
}

// New starts the goroutine, which ends with Close.
func New(out io.Writer) *Writer {
	w := &Writer{lines: make(chan []byte, MaxWaiting), quit: make(chan struct{}), done: make(chan struct{})}
	go w.pass(out)
	return w
}

// pass is the only one that touches out. After quit it writes what waits, but nothing that comes
// later.
func (w *Writer) pass(out io.Writer) {
	defer close(w.done)
	for {
		select {
		case line := <-w.lines:
			_, _ = out.Write(line) // there is no other place to say that this one fails
		case <-w.quit:
			for len(w.lines) > 0 {
				_, _ = out.Write(<-w.lines)
			}
			return
		}
	}
}

// Write never blocks and never fails, also after Close, when lines lead nowhere.
func (w *Writer) Write(line []byte) (int, error) {
	select {
	case w.lines <- append([]byte(nil), line...):
	default:
	}
	return len(line), nil
}

// Close waits a moment for the lines in hand.
func (w *Writer) Close() {
	close(w.quit)
	select {
	case <-w.done:
	case <-time.After(time.Second):
	}
}
