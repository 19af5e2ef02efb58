package syntax

import (
	"errors"
	"fmt"
	"regexp/syntax"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxUnicodeClasses bounds \p{…} in RE2 patterns: each costs some kilobytes as a list of ranges.
const maxUnicodeClasses = 1000

// byteRunes is where bytes of a pattern that are not valid UTF-8 go while regexp/syntax, which
// takes no such bytes, parses it: byte b becomes the private character byteRunes+b.
const byteRunes = 0x10FF00

// re2Converter turns trees of regexp/syntax into ours.
type re2Converter struct {
	lits  *literals // not folding: regexp/syntax has folded already
	bytes bool      // characters from byteRunes on stand for bytes
	term  rune
}

func parseRE2(s Spec, pats []string) ([]*Node, error) {
	flags := syntax.Perl
	if s.IgnoreCase {
		flags |= syntax.FoldCase
	}
	conv := re2Converter{lits: newLiterals(false), term: rune(s.Terminator)}
	if n := countUnicodeClasses(pats); n > maxUnicodeClasses {
		return nil, &Error{Reason: fmt.Sprintf("%d Unicode classes (\\p) are over the limit of %d", n, maxUnicodeClasses)}
	}
	subs := make([]*Node, len(pats))
	for i, p := range pats {
		text, hasBytes, err := validText(p)
		if err != nil {
			return nil, err
		}
		re, err := syntax.Parse(text, flags)
		if err != nil {
			return nil, &Error{Pattern: p, Reason: re2Reason(err)}
		}
		conv.bytes = hasBytes
		if subs[i], err = conv.node(re); err != nil {
			return nil, &Error{Pattern: p, Reason: err.Error()}
		}
	}
	return subs, nil
}

func countUnicodeClasses(pats []string) (n int) {
	for _, p := range pats {
		n += strings.Count(p, `\p`) + strings.Count(p, `\P`)
	}
	return n
}

// validText moves bytes of p that are not valid UTF-8 to byteRunes, and tells whether there are any.
func validText(p string) (string, bool, error) {
	if utf8.ValidString(p) {
		return p, false, nil
	}
	var b strings.Builder
	for i := 0; i < len(p); {
		r, n := utf8.DecodeRuneInString(p[i:])
		switch {
		case r == utf8.RuneError && n == 1:
			b.WriteRune(byteRunes + rune(p[i]))
		case r >= byteRunes:
			return "", false, &Error{Pattern: p, Reason: fmt.Sprintf("mixes invalid UTF-8 with the private character %U", r)}
		default:
			b.WriteRune(r)
		}
		i += n
	}
	return b.String(), true, nil
}

// re2Reason puts an error of regexp/syntax in words of ours where it is one of a limit or of what
// cannot be done in linear time.
func re2Reason(err error) string {
	var e *syntax.Error
	if !errors.As(err, &e) {
		return err.Error()
	}
	for _, look := range []string{"(?=", "(?!", "(?<=", "(?<!"} {
		if strings.HasPrefix(e.Expr, look) {
			return "look-around " + look + "…) cannot be done in linear time"
		}
	}
	if len(e.Expr) == 2 && e.Expr[0] == '\\' && (e.Expr[1] >= '1' && e.Expr[1] <= '9' || e.Expr[1] == 'k' || e.Expr[1] == 'g') {
		return "back-reference " + e.Expr + " cannot be done in linear time"
	}
	switch e.Code {
	case syntax.ErrInvalidRepeatSize:
		return "repetition " + clip(e.Expr) + ": more than the limit of 1000 times, nested repetitions multiplied"
	case syntax.ErrLarge:
		return "regular expression too big: its repetitions expand beyond the limit of the parser"
	case syntax.ErrNestingDepth:
		return "nested deeper than the limit of 1000"
	}
	return e.Code.String() + ": " + clip(e.Expr)
}

// node converts one tree. Captures vanish, every way to say "start" or "end" is that of the line.
func (c *re2Converter) node(re *syntax.Regexp) (*Node, error) {
	switch re.Op {
	case syntax.OpNoMatch:
		return &Node{Op: OpNone}, nil
	case syntax.OpEmptyMatch:
		return &Node{Op: OpEmpty}, nil
	case syntax.OpLiteral:
		return c.literal(re)
	case syntax.OpCharClass:
		return c.class(re.Rune)
	case syntax.OpAnyCharNotNL, syntax.OpAnyChar:
		return &Node{Op: OpClass, Class: anyClass}, nil
	case syntax.OpBeginLine, syntax.OpBeginText:
		return &Node{Op: OpLook, Look: LookStart}, nil
	case syntax.OpEndLine, syntax.OpEndText:
		return &Node{Op: OpLook, Look: LookEnd}, nil
	case syntax.OpWordBoundary:
		return &Node{Op: OpLook, Look: LookWord}, nil
	case syntax.OpNoWordBoundary:
		return &Node{Op: OpLook, Look: LookNotWord}, nil
	case syntax.OpCapture:
		return c.node(re.Sub[0])
	case syntax.OpStar, syntax.OpPlus, syntax.OpQuest, syntax.OpRepeat:
		return c.repeat(re)
	case syntax.OpConcat, syntax.OpAlternate:
		subs := make([]*Node, len(re.Sub))
		for i, sub := range re.Sub {
			var err error
			if subs[i], err = c.node(sub); err != nil {
				return nil, err
			}
		}
		if re.Op == syntax.OpConcat {
			return concat(subs), nil
		}
		return alternate(subs), nil
	}
	return nil, fmt.Errorf("unknown operator %v", re.Op)
}

func (c *re2Converter) repeat(re *syntax.Regexp) (*Node, error) {
	sub, err := c.node(re.Sub[0])
	if err != nil {
		return nil, err
	}
	lo, hi := re.Min, re.Max
	switch re.Op {
	case syntax.OpStar:
		lo, hi = 0, -1
	case syntax.OpPlus:
		lo, hi = 1, -1
	case syntax.OpQuest:
		lo, hi = 0, 1
	}
	return repeat(sub, lo, hi, re.Flags&syntax.NonGreedy != 0), nil
}

func (c *re2Converter) literal(re *syntax.Regexp) (*Node, error) {
	subs := make([]*Node, len(re.Rune))
	for i, r := range re.Rune {
		switch {
		case r == c.term:
			return nil, c.terminatorError()
		case c.bytes && r >= byteRunes:
			subs[i] = c.lits.byte(byte(r - byteRunes))
		case re.Flags&syntax.FoldCase != 0 && unicode.SimpleFold(r) != r:
			subs[i] = &Node{Op: OpClass, Class: orbit(r)}
		default:
			subs[i] = c.lits.rune(r)
		}
	}
	return concat(subs), nil
}

// class converts a class. Bytes moved to byteRunes end up in a class when regexp/syntax factors
// alternatives; a range that reaches beyond them comes from a negation and means characters.
func (c *re2Converter) class(rs []rune) (*Node, error) {
	if len(rs) == 2 && rs[0] == c.term && rs[1] == c.term {
		return nil, c.terminatorError()
	}
	if !c.bytes {
		return classNode(rs), nil
	}
	var chars []rune
	var alts []*Node
	for i := 0; i < len(rs); i += 2 {
		if rs[i] < byteRunes+0x80 {
			chars = append(chars, rs[i], rs[i+1])
			continue
		}
		for r := rs[i]; r <= rs[i+1]; r++ {
			alts = append(alts, c.lits.byte(byte(r-byteRunes)))
		}
	}
	return alternate(append(alts, classNode(chars))), nil
}

// classNode returns the node of a class, which may be empty.
func classNode(rs []rune) *Node {
	if len(rs) == 0 {
		return &Node{Op: OpNone}
	}
	return &Node{Op: OpClass, Class: rs}
}

func (c *re2Converter) terminatorError() error {
	return fmt.Errorf("demands the line terminator %q: a match never spans lines", c.term)
}

// orbit returns r and all characters equal to it under Unicode's simple folding, as ranges.
func orbit(r rune) []rune {
	out := []rune{r, r}
	for f := unicode.SimpleFold(r); f != r; f = unicode.SimpleFold(f) {
		out = append(out, f, f)
	}
	return slices.Clip(normalize(out))
}
