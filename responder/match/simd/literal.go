package simd

import (
	"bytes"
)

// literal is a string to compare with text, either exactly or with ASCII letters in either case.
type literal struct {
	text []byte // letters in lower case if their case does not matter
	fold []byte // nil, or 0x20 where text has a letter, else 0: a byte b of the text read matches if b|fold == text
}

// fold20 is what is OR'd into a byte to compare it with b (in lower case). Only letters have two
// cases: 0x20 more than '@' or '[' is '`' or '{', which are other characters.
func fold20(b byte) byte {
	if 'a' <= b && b <= 'z' {
		return 0x20
	}
	return 0
}

func lower(b byte) byte {
	if 'A' <= b && b <= 'Z' {
		return b + 0x20
	}
	return b
}

// newLiteral copies needle. A needle without letters needs no folding.
func newLiteral(needle []byte, fold bool) literal {
	l := literal{text: bytes.Clone(needle)}
	if !fold {
		return l
	}
	masks, letters := make([]byte, len(needle)), false
	for i, b := range needle {
		l.text[i] = lower(b)
		masks[i] = fold20(l.text[i])
		letters = letters || masks[i] != 0
	}
	if letters {
		l.fold = masks
	}
	return l
}

// matches tells whether text begins with l.
func (l *literal) matches(text []byte) bool {
	if len(text) < len(l.text) {
		return false
	}
	text = text[:len(l.text)]
	if l.fold == nil {
		return bytes.Equal(text, l.text)
	}
	i := 0
	for ; i+8 <= len(text); i += 8 {
		if load64(text[i:])|load64(l.fold[i:]) != load64(l.text[i:]) {
			return false
		}
	}
	if i > 0 && i < len(text) {
		i = len(text) - 8
		return load64(text[i:])|load64(l.fold[i:]) == load64(l.text[i:])
	}
	for ; i < len(text); i++ {
		if text[i]|l.fold[i] != l.text[i] {
			return false
		}
	}
	return true
}

// foldAt is what is OR'd into the byte at i.
func (l *literal) foldAt(i int) byte {
	if l.fold == nil {
		return 0
	}
	return l.fold[i]
}

// cost is what one comparison with l counts against the budget, about in bytes of text that a kernel
// searches in the time: a call, and 8 bytes or more at once.
func (l *literal) cost() int { return 16 + len(l.text)/8 }

// budget is what comparisons may cost until a search has come to pos: in proportion to it, so that the
// whole stays linear, and a little more to start with. length is that of the longest literal.
func budget(pos, length int) int { return 256 + 4*length + 2*pos }
