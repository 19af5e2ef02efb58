package match

import (
	"github.com/trawl-logs/trawl/responder/match/dictionary"
	"github.com/trawl-logs/trawl/responder/match/syntax"
)

// manyStrings is how many alternatives are too many for the kernels and the extraction of literals.
const manyStrings = 65

// useDictionary makes LargeSet the strategy of a pattern that is nothing but strings, least or more of them, or
// MatchAll where one is empty.
func (p *Pattern) useDictionary(re *syntax.Regexp, least int) bool {
	n, root := 1, re.Root
	if root.Op == syntax.OpConcat && len(root.Sub) == 3 {
		root = root.Sub[1]
	}
	if root.Op == syntax.OpAlt {
		n = len(root.Sub)
	}
	if n < least {
		return false
	}
	border := &syntax.Node{Op: syntax.OpLook, Unicode: true} // as -w has it in every language
	set, ok := dictionary.New(re, p.term,
		func(buf []byte, at int) bool { return !wordBefore(border, buf, at) },
		func(buf []byte, at int) bool { return !wordAfter(border, buf, at) })
	if !ok {
		return false
	}
	p.set, p.strategy = set, LargeSet
	if set.Always() {
		p.strategy = MatchAll
	}
	return true
}

// strings returns the searcher of m's dictionary.
func (m *Matcher) strings() *dictionary.Searcher {
	if m.dict == nil {
		m.dict = m.p.set.NewSearcher()
	}
	return m.dict
}
