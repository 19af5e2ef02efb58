package syntax

import (
	"unicode"
	"unicode/utf8"
)

// oracle is a matcher that follows the definition of Node and nothing else: for each node and
// position it lists the ends of all matches, the preferred first.
type oracle struct{ text string }

// find returns the span that re prefers in text at or after from, or -1, -1.
func (re *Regexp) oracleFind(text string, from int) (int, int) {
	o := oracle{text}
	for start := from; start <= len(text); start++ {
		ends := o.ends(re.Root, start)
		if len(ends) == 0 {
			continue
		}
		end := ends[0]
		if re.Longest {
			for _, e := range ends {
				end = max(end, e)
			}
		}
		return start, end
	}
	return -1, -1
}

func (o oracle) ends(n *Node, at int) []int {
	switch n.Op {
	case OpNone:
		return nil
	case OpEmpty:
		return []int{at}
	case OpByte:
		if at < len(o.text) && o.text[at] == n.Byte {
			return []int{at + 1}
		}
		return nil
	case OpClass:
		r, size := utf8.DecodeRuneInString(o.text[at:])
		if size == 0 || r == utf8.RuneError && size == 1 || !inClass(n.Class, r) {
			return nil
		}
		return []int{at + size}
	case OpLook:
		if o.look(n, at) {
			return []int{at}
		}
		return nil
	case OpConcat:
		return o.concat(n.Sub, at)
	case OpAlt:
		var out []int
		for _, sub := range n.Sub {
			out = merge(out, o.ends(sub, at))
		}
		return out
	case OpRepeat:
		return o.repeat(n, at, 0, map[[2]int]bool{})
	}
	panic("unknown op")
}

func (o oracle) concat(subs []*Node, at int) []int {
	if len(subs) == 0 {
		return []int{at}
	}
	var out []int
	for _, e := range o.ends(subs[0], at) {
		out = merge(out, o.concat(subs[1:], e))
	}
	return out
}

func (o oracle) repeat(n *Node, at, done int, open map[[2]int]bool) []int {
	state := [2]int{at, min(done, n.Min+1)}
	if n.Max >= 0 {
		state[1] = done
	}
	if open[state] {
		return nil // an iteration that consumed nothing and brought nothing
	}
	open[state] = true
	defer delete(open, state)
	var more []int
	if n.Max < 0 || done < n.Max {
		for _, e := range o.ends(n.Sub[0], at) {
			more = merge(more, o.repeat(n, e, done+1, open))
		}
	}
	switch {
	case done < n.Min:
		return more
	case n.Lazy:
		return merge([]int{at}, more)
	}
	return merge(more, []int{at})
}

// merge appends the ends of b that a has not.
func merge(a, b []int) []int {
	for _, e := range b {
		known := false
		for _, f := range a {
			known = known || e == f
		}
		if !known {
			a = append(a, e)
		}
	}
	return a
}

func inClass(c []rune, r rune) bool {
	for i := 0; i < len(c); i += 2 {
		if c[i] <= r && r <= c[i+1] {
			return true
		}
	}
	return false
}

func (o oracle) look(n *Node, at int) bool {
	for i := 1; i < utf8.UTFMax && i <= at; i++ {
		if _, size := utf8.DecodeRuneInString(o.text[at-i:]); size > i {
			return false // inside a character
		}
	}
	before, size := utf8.DecodeLastRuneInString(o.text[:at])
	wordBefore := size > 0 && !(before == utf8.RuneError && size == 1) && word(n, before)
	after, size := utf8.DecodeRuneInString(o.text[at:])
	wordAfter := size > 0 && !(after == utf8.RuneError && size == 1) && word(n, after)
	switch n.Look {
	case LookStart:
		return at == 0
	case LookEnd:
		return at == len(o.text)
	case LookWord:
		return wordBefore != wordAfter
	case LookNotWord:
		return wordBefore == wordAfter
	case LookWordStart:
		return !wordBefore && wordAfter
	case LookWordEnd:
		return wordBefore && !wordAfter
	case LookHalfStart:
		return !wordBefore
	case LookHalfEnd:
		return !wordAfter
	}
	panic("unknown look")
}

func word(n *Node, r rune) bool {
	if n.Unicode {
		return r == '_' || unicode.IsLetter(r) || unicode.IsNumber(r) || inClass(WordClass(), r)
	}
	return r == '_' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
}
