package match

import (
	"bytes"
	"slices"

	"github.com/trawl-logs/trawl/responder/match/literal"
	"github.com/trawl-logs/trawl/responder/match/syntax"
)

// Needs is what a line must hold to match, for those who decide without reading it, from what they know
// of the text that it is part of.
type Needs struct {
	// Any are alternatives: of every line that matches, at least one holds. An alternative is a list of
	// clauses, of which all hold; a clause names texts, of which the line has at least one, where ASCII
	// letters may be in either case. An alternative without clauses requires nothing; so does Needs
	// without alternatives. The texts are in lower case. None is empty or holds the line's terminator.
	Any [][][][]byte

	// Plain tells that lines that hold ſ or K (the Kelvin sign) need not have any of this.
	Plain bool
}

// maxAlternatives bounds the patterns that are told apart in Needs.
const maxAlternatives = 4096

// Needs returns what p requires. It is worked out anew each time.
func (p *Pattern) Needs() Needs {
	root := p.tree.Root
	if root.Op == syntax.OpConcat { // of -w and -x: assertions around what may be alternatives
		subs := root.Sub
		for len(subs) > 0 && subs[0].Op == syntax.OpLook {
			subs = subs[1:]
		}
		for len(subs) > 0 && subs[len(subs)-1].Op == syntax.OpLook {
			subs = subs[:len(subs)-1]
		}
		if len(subs) == 1 {
			root = subs[0]
		}
	}
	alternatives := []*syntax.Node{root}
	if root.Op == syntax.OpAlt {
		alternatives = root.Sub
	}
	if len(alternatives) > maxAlternatives {
		return Needs{}
	}
	var n Needs
	for _, a := range alternatives {
		info := literal.Extract(&syntax.Regexp{Root: a, Longest: p.tree.Longest}, p.term)
		n.Plain = n.Plain || info.Plain
		if info.Never {
			continue
		}
		var clauses [][][]byte
		for _, s := range info.Sets {
			if c := lowered(s.Lits); !slices.ContainsFunc(clauses, func(d [][]byte) bool { return slices.EqualFunc(c, d, bytes.Equal) }) {
				clauses = append(clauses, c)
			}
		}
		if len(clauses) == 0 {
			return Needs{}
		}
		n.Any = append(n.Any, clauses)
	}
	return n
}

// lowered returns texts with their ASCII letters in lower case.
func lowered(texts [][]byte) [][]byte {
	out := make([][]byte, len(texts))
	for i, text := range texts {
		out[i] = make([]byte, len(text))
		for k, b := range text {
			if b >= 'A' && b <= 'Z' {
				b |= 0x20
			}
			out[i][k] = b
		}
	}
	return out
}
