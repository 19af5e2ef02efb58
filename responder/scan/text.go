package scan

import (
	"bytes"
	"unicode/utf8"

	"github.com/trawl-logs/trawl/responder/match/simd"
)

func indexByte(b []byte, c byte) int { return bytes.IndexByte(b, c) }

// validText says whether a C library of a UTF-8 locale can decode all of b, which is what GNU grep
// asks before it prints a line. Unlike Unicode, glibc knows sequences of up to six bytes.
func validText(b []byte) bool {
	return simd.ASCII(b) || utf8.Valid(b) || longForms(b)
}

func longForms(b []byte) bool {
	for len(b) > 0 {
		if b[0] < utf8.RuneSelf {
			b = b[1:]
			continue
		}
		n := charLen(b)
		if n <= 0 {
			return false
		}
		b = b[n:]
	}
	return true
}

// charLen returns the length of the character at the start of b, 0 if b ends within it, and -1 if
// there is none.
func charLen(b []byte) int {
	c, n, low := b[0], 0, byte(0x80)
	switch {
	case c < 0x80:
		return 1
	case c < 0xc2:
		return -1
	case c < 0xe0:
		n = 2
	case c < 0xf0:
		n = 3
		if c == 0xe0 {
			low = 0xa0
		}
	case c < 0xf8:
		n = 4
		if c == 0xf0 {
			low = 0x90
		}
	case c < 0xfc:
		n = 5
		if c == 0xf8 {
			low = 0x88
		}
	case c < 0xfe:
		n = 6
		if c == 0xfc {
			low = 0x84
		}
	default:
		return -1
	}
	for i := 1; i < n; i++ {
		if i == len(b) {
			return 0
		}
		if b[i] < low || b[i] > 0xbf || c == 0xed && i == 1 && b[i] > 0x9f {
			return -1
		}
		low = 0x80
	}
	return n
}

// textChecker is validText for text that comes in pieces.
type textChecker struct {
	bad  bool
	tail [8]byte
	n    int
}

func (t *textChecker) feed(b []byte) {
	for t.n > 0 && len(b) > 0 && !t.bad {
		t.tail[t.n] = b[0]
		t.n++
		b = b[1:]
		switch n := charLen(t.tail[:t.n]); {
		case n < 0:
			t.bad = true
		case n > 0:
			t.n = 0
		}
	}
	if t.bad {
		return
	}
	// The last few bytes may be the first of a character that the next piece ends.
	for back := 1; back <= min(5, len(b)); back++ {
		if c := b[len(b)-back]; c >= 0xc0 {
			if charLen(b[len(b)-back:]) == 0 {
				t.n = copy(t.tail[:], b[len(b)-back:])
				b = b[:len(b)-back]
			}
			break
		}
	}
	t.bad = !validText(b)
}

func (t *textChecker) valid() bool { return !t.bad && t.n == 0 }
