package printer

import (
	"bytes"
	"slices"
)

//go:generate sh -c "cd internal/asm && go run . -out ../../prefix_amd64.s -stubs ../../prefix_amd64.go -pkg printer"

const (
	vectorLane = 32
	headMost   = 1 << 10 // longer ones are left to the loop: a step may write one for each of its bytes
)

// prefixed writes lines with head before each; it flushes between lines.
func (p *Printer) prefixed(text []byte) {
	p.head = slices.Grow(p.head, vectorLane)
	for len(text) > 0 {
		p.buf = append(p.buf, p.head...)
		text = text[p.prefixMany(text):]
		n := bytes.IndexByte(text, p.o.Terminator) + 1
		if n == 0 {
			n = len(text)
		}
		p.buf = append(p.buf, text[:n]...)
		text = text[n:]
		if len(p.buf) >= writeSize {
			_ = p.Flush() // kept in p.err
		}
	}
}

// prefixMany writes as much of text as there is place for at once, with head behind every terminator.
// It returns how much that was, never all of it: the buffer ends with a part of a line, or with a head.
func (p *Printer) prefixMany(text []byte) (read int) {
	place := p.buf[len(p.buf):cap(p.buf)]
	room := len(place) - vectorLane*len(p.head) - 3*vectorLane
	n := len(text) - 2*vectorLane
	if !vectors || n < 0 || room < 0 || len(p.head) == 0 || len(p.head) > headMost {
		return 0
	}
	read, written := prefixVector(place, text, p.head, room, n, max(writeSize-len(p.buf), 0), p.o.Terminator)
	p.buf = p.buf[:len(p.buf)+written]
	return read
}
