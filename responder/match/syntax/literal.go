package syntax

import "unicode/utf8"

// literals makes the nodes of literal characters. Equal characters share one node: a tree of
// 256 KiB of literal text then costs 8 bytes a character.
type literals struct {
	fold  bool // GNU's case folding
	runes map[rune]*Node
	bytes [256]*Node
}

func newLiterals(fold bool) *literals {
	return &literals{fold: fold, runes: make(map[rune]*Node)}
}

// rune returns the node of one character, with its case variants if folding.
func (l *literals) rune(r rune) *Node {
	if n, ok := l.runes[r]; ok {
		return n
	}
	c := []rune{r, r}
	if l.fold {
		c = foldGNU(c)
	}
	n := &Node{Op: OpClass, Class: c}
	l.runes[r] = n
	return n
}

// byte returns the node of one byte that is no part of a valid character.
func (l *literals) byte(b byte) *Node {
	if l.bytes[b] == nil {
		l.bytes[b] = &Node{Op: OpByte, Byte: b}
	}
	return l.bytes[b]
}

// text returns the node of a literal string.
func (l *literals) text(s string) *Node {
	subs := make([]*Node, 0, len(s))
	for len(s) > 0 {
		r, n := utf8.DecodeRuneInString(s)
		if r == utf8.RuneError && n == 1 {
			subs = append(subs, l.byte(s[0]))
		} else {
			subs = append(subs, l.rune(r))
		}
		s = s[n:]
	}
	return concat(subs)
}
