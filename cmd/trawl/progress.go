package main

import (
	"io"
	"os"
	"sync"
	"time"

	"golang.org/x/term"
)

const (
	progressAfter = time.Second            // what is done sooner needs no progress
	progressEvery = 100 * time.Millisecond // between two drawings
)

// progressLine is the one line on a terminal that tells how far long work has come. It appears after
// a second, is redrawn in place, and is wiped before anything else is printed. Off a terminal it
// prints nothing. It may be used by several goroutines.
type progressLine struct {
	mu    sync.Mutex
	out   io.Writer
	on    bool
	shown bool
	next  time.Time
	now   func() time.Time
}

// newProgressLine starts the clock of a line on out; enabled false keeps it silent.
func newProgressLine(out io.Writer, enabled bool) *progressLine {
	p := &progressLine{out: out, on: enabled && isTerminal(out), now: time.Now}
	p.next = p.now().Add(progressAfter)
	return p
}

// isTerminal tells whether stream is a terminal.
func isTerminal(stream any) bool {
	file, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}

// update draws what text returns, when it is time to; otherwise text is not called.
func (p *progressLine) update(text func() string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if now := p.now(); p.on && !now.Before(p.next) {
		p.next = now.Add(progressEvery)
		p.shown = true
		_, _ = io.WriteString(p.out, "\r\x1b[K"+text())
	}
}

// clear wipes the line; a later update draws it again.
func (p *progressLine) clear() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.shown {
		p.shown = false
		_, _ = io.WriteString(p.out, "\r\x1b[K")
	}
}

// before returns a writer that wipes the line before each write to w, which may share the terminal.
func (p *progressLine) before(w io.Writer) io.Writer {
	if !p.on {
		return w
	}
	return clearingWriter{p, w}
}

type clearingWriter struct {
	line *progressLine
	w    io.Writer
}

func (c clearingWriter) Write(b []byte) (int, error) {
	c.line.clear()
	return c.w.Write(b)
}
