package syntax

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// The GNU languages. GNU grep reads a pattern with two parsers, gnulib's dfa.c and glibc's regcomp,
// and they disagree about a repetition that has nothing to repeat (`*a`, `^*`, `\<{2}`): dfa.c
// repeats the empty string before it, regcomp skips the operator. A line is judged by dfa.c unless
// some pattern holds what dfa.c leaves to regcomp in a UTF-8 locale (word assertions, most bracket
// expressions). posixParser follows: it parses as dfa.c does, and parsePOSIX parses all patterns
// again as regcomp does if such a construct came up. (-w adds a bracket expression of its own.)

// dupMax is the highest count of an interval, RE_DUP_MAX.
const dupMax = 32767

// tokenKind is the kind of a token of a POSIX pattern.
type tokenKind uint8

const (
	tokenEnd    tokenKind = iota
	tokenAtom             // a character, byte, class or assertion: token.node
	tokenRepeat           // *, +, ? or an interval: token.min, token.max
	tokenOpen
	tokenClose
	tokenAlt
)

type token struct {
	kind     tokenKind
	node     *Node
	min, max int
}

// posixParser parses one pattern.
type posixParser struct {
	src      string
	pos      int
	ere      bool
	regcomp  bool // parse as regcomp does
	term     byte
	lits     *literals
	brackets map[string]*Node // by their text: they are often repeated
	maxDepth int

	parens   int
	start    bool  // nothing to repeat has come yet in this branch
	anchors  bool  // BRE: ^ is an anchor here
	demanded bool  // saw what dfa.c leaves to regcomp
	tok      token // lookahead
}

func parsePOSIX(s Spec, pats []string, lim Limits) ([]*Node, error) {
	lits, brackets := newLiterals(s.IgnoreCase), make(map[string]*Node)
	subs := make([]*Node, len(pats))
	for _, regcomp := range []bool{false, true} {
		demanded := false
		for i, src := range pats {
			p := posixParser{
				src: src, ere: s.Syntax == ERE, regcomp: regcomp || s.Word,
				term: s.Terminator, lits: lits, brackets: brackets, maxDepth: lim.Depth,
			}
			n, err := p.parse()
			if err != nil {
				return nil, &Error{Pattern: src, Reason: err.Error()}
			}
			subs[i] = n
			demanded = demanded || p.demanded
		}
		if !demanded {
			break
		}
	}
	return subs, nil
}

func (p *posixParser) parse() (*Node, error) {
	p.start, p.anchors = true, true
	if err := p.next(); err != nil {
		return nil, err
	}
	n, err := p.alternatives(0)
	if err != nil {
		return nil, err
	}
	if p.tok.kind == tokenClose {
		return nil, fmt.Errorf(`unmatched ) or \)`)
	}
	return n, nil
}

// alternatives parses up to the end or an unmatched closing parenthesis.
func (p *posixParser) alternatives(depth int) (*Node, error) {
	if depth > p.maxDepth {
		return nil, fmt.Errorf("nested deeper than the limit of %d", p.maxDepth)
	}
	var alts []*Node
	for {
		n, err := p.branch(depth)
		if err != nil {
			return nil, err
		}
		alts = append(alts, n)
		if p.tok.kind != tokenAlt {
			return alternate(alts), nil
		}
		if err := p.next(); err != nil {
			return nil, err
		}
	}
}

func (p *posixParser) branch(depth int) (*Node, error) {
	var parts []*Node
	for {
		var n *Node
		switch p.tok.kind {
		case tokenEnd, tokenAlt, tokenClose:
			return concat(parts), nil
		case tokenRepeat: // of nothing: the empty string before it is repeated
			n = &Node{Op: OpEmpty}
		case tokenOpen:
			if err := p.next(); err != nil {
				return nil, err
			}
			var err error
			if n, err = p.alternatives(depth + 1); err != nil {
				return nil, err
			}
			if p.tok.kind != tokenClose {
				return nil, fmt.Errorf(`unmatched ( or \(`)
			}
			if err := p.next(); err != nil {
				return nil, err
			}
		default:
			n = p.tok.node
			if err := p.next(); err != nil {
				return nil, err
			}
		}
		for p.tok.kind == tokenRepeat {
			n = repeat(n, p.tok.min, p.tok.max, false)
			if err := p.next(); err != nil {
				return nil, err
			}
		}
		parts = append(parts, n)
	}
}

// next reads the next token into p.tok.
func (p *posixParser) next() error {
	anchors := p.anchors
	p.anchors = false
	for {
		if p.pos == len(p.src) {
			p.tok = token{kind: tokenEnd}
			return nil
		}
		c := p.src[p.pos]
		p.pos++
		escaped := c == '\\'
		if escaped {
			if p.pos == len(p.src) {
				return fmt.Errorf("trailing backslash")
			}
			c = p.src[p.pos]
			p.pos++
		}
		if done, err := p.operator(c, escaped, anchors); err != nil || done {
			return err
		}
	}
}

// operator reads the token that starts with c, just consumed, escaped or not; false means that c
// was skipped.
func (p *posixParser) operator(c byte, escaped, anchors bool) (bool, error) {
	switch c {
	case '*':
		if !escaped {
			return p.repetition(c, 0, -1), nil
		}
	case '+', '?':
		if escaped != p.ere {
			lo, hi := 0, 1
			if c == '+' {
				lo, hi = 1, -1
			}
			return p.repetition(c, lo, hi), nil
		}
	case '{':
		if escaped != p.ere {
			return p.interval()
		}
	case '|', '(', ')':
		if escaped != p.ere && p.group(c) {
			if c == '(' && p.ere {
				return true, p.commonGroup()
			}
			return true, nil
		}
	case '[':
		if !escaped {
			n, err := p.bracket()
			return p.atom(n), err
		}
	case '.':
		if !escaped {
			return p.atom(&Node{Op: OpClass, Class: anyClass}), nil
		}
	case '^':
		if !escaped && (p.ere || anchors) {
			return p.look(LookStart), nil
		}
	case '$':
		if !escaped && (p.ere || p.endsBranch()) {
			return p.look(LookEnd), nil
		}
	default:
		if escaped {
			if done, err := p.escape(c); err != nil || done {
				return done, err
			}
		}
	}
	return p.char(c), nil
}

// escape reads what GNU defines for a backslash before c, beyond escaped operators.
func (p *posixParser) escape(c byte) (bool, error) {
	switch c {
	case 'w':
		p.demanded = true
		return p.atom(&Node{Op: OpClass, Class: WordClass()}), nil
	case 'W':
		p.demanded = true
		return p.atom(&Node{Op: OpClass, Class: notWordClass()}), nil
	case 's':
		p.demanded = true
		return p.atom(&Node{Op: OpClass, Class: spaces}), nil
	case 'S':
		p.demanded = true
		return p.atom(&Node{Op: OpClass, Class: notSpaceClass()}), nil
	case '<':
		return p.look(LookWordStart), nil
	case '>':
		return p.look(LookWordEnd), nil
	case 'b':
		return p.look(LookWord), nil
	case 'B':
		return p.look(LookNotWord), nil
	case '`':
		return p.look(LookStart), nil
	case '\'':
		return p.look(LookEnd), nil
	case '1', '2', '3', '4', '5', '6', '7', '8', '9':
		return false, fmt.Errorf("back-reference \\%c cannot be done in linear time", c)
	}
	return p.commonEscape(c), nil
}

func (p *posixParser) atom(n *Node) bool {
	p.start = false
	p.tok = token{kind: tokenAtom, node: n}
	return true
}

// char reads the character whose first byte, c, was just consumed.
func (p *posixParser) char(c byte) bool {
	p.pos--
	r, n := utf8.DecodeRuneInString(p.src[p.pos:])
	p.pos += n
	if r == utf8.RuneError && n == 1 {
		return p.atom(p.lits.byte(c))
	}
	return p.atom(p.lits.rune(r))
}

// look reads an assertion. It leaves nothing to repeat: for dfa.c because it does not count as an
// atom in the eyes of its lexer (though its parser repeats it), for regcomp because it returns
// before looking for a repetition.
func (p *posixParser) look(l Look) bool {
	if l != LookStart && l != LookEnd {
		p.demanded = true
	}
	if p.regcomp {
		p.start, p.anchors = true, true
	}
	p.tok = token{kind: tokenAtom, node: &Node{Op: OpLook, Look: l, Unicode: true}}
	return true
}

// repetition reads an operator of one character, c.
func (p *posixParser) repetition(c byte, lo, hi int) bool {
	if p.start {
		if !p.ere {
			return p.char(c)
		}
		if p.regcomp {
			return false
		}
	}
	p.tok = token{kind: tokenRepeat, min: lo, max: hi}
	return true
}

// group reads |, ( or ), and tells whether it is an operator: a ) too many is a character in ERE.
func (p *posixParser) group(c byte) bool {
	switch c {
	case '|':
		p.start, p.anchors = true, true
		p.tok = token{kind: tokenAlt}
	case '(':
		p.parens++
		p.start, p.anchors = true, true
		p.tok = token{kind: tokenOpen}
	case ')':
		if p.parens == 0 && p.ere {
			return false
		}
		p.parens--
		p.start = false
		p.tok = token{kind: tokenClose}
	}
	return true
}

// endsBranch tells whether a BRE's $, just consumed, is the last of its branch, and so an anchor.
func (p *posixParser) endsBranch() bool {
	rest := p.src[p.pos:]
	return rest == "" || strings.HasPrefix(rest, `\)`) || strings.HasPrefix(rest, `\|`)
}

// interval reads {n}, {n,}, {,m}, {n,m} or {,} after its opening brace. In ERE a brace that opens
// none of these is a character.
func (p *posixParser) interval() (bool, error) {
	if p.start && !p.ere {
		return p.char('{'), nil
	}
	rest := p.src[p.pos:]
	if p.start && !opensInterval(rest) {
		return p.char('{'), nil
	}
	if p.start && p.regcomp {
		return false, nil
	}
	lo, n := number(rest)
	hi := lo
	comma := n < len(rest) && rest[n] == ','
	if comma {
		var digits int
		n++
		hi, digits = number(rest[n:])
		n += digits
	}
	closing := "}"
	if !p.ere {
		closing = `\}`
	}
	if !strings.HasPrefix(rest[n:], closing) {
		return p.badInterval(rest[n:], comma)
	}
	switch {
	case lo < 0 && !comma, hi >= 0 && lo > hi:
		return false, fmt.Errorf(`invalid content of \{\}`)
	case lo > dupMax || hi > dupMax:
		return false, fmt.Errorf("regular expression too big: repetition over the limit of %d", dupMax)
	}
	p.pos += n + len(closing)
	p.start = false
	p.tok = token{kind: tokenRepeat, min: max(lo, 0), max: hi}
	return true, nil
}

// opensInterval tells whether rest is what an ERE's interval goes on with. Where there is nothing to repeat any other brace
// is a character: for dfa.c always, and while regcomp skips it, lines must pass both.
func opensInterval(rest string) bool {
	lo, n := number(rest)
	hi := lo
	if strings.HasPrefix(rest[n:], ",") {
		var digits int
		hi, digits = number(rest[n+1:])
		n += 1 + digits
	} else if lo < 0 {
		return false
	}
	return strings.HasPrefix(rest[n:], "}") && (hi < 0 || lo <= hi)
}

// badInterval decides about a brace whose interval ends unexpectedly before rest.
func (p *posixParser) badInterval(rest string, comma bool) (bool, error) {
	switch {
	case p.ere && comma && strings.HasPrefix(rest, ","):
		return false, fmt.Errorf(`invalid content of \{\}`)
	case p.ere:
		return p.char('{'), nil
	case !strings.Contains(rest, `\}`):
		return false, fmt.Errorf(`unmatched \{`)
	}
	return false, fmt.Errorf(`invalid content of \{\}`)
}

// number reads decimal digits at the start of s: their value, at most dupMax+1, or -1 if there
// are none, and their number.
func number(s string) (v, n int) {
	v = -1
	for n < len(s) && s[n] >= '0' && s[n] <= '9' {
		v = min(max(v, 0)*10+int(s[n]-'0'), dupMax+1)
		n++
	}
	return v, n
}
