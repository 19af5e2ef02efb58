package syntax

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// bracketParser parses one bracket expression, by regcomp's rules:
//
//	bracket = "[" [ "^" ] item { item } "]"
//	item    = element [ "-" element ] | "[:" name ":]" | "[=" char "=]"
//	element = char | "[." char ".]"
//
// A "]" first is a character, as is a "-" first or last, or as the end of a range. A backslash is
// a character.
type bracketParser struct {
	src  string // from behind the opening bracket
	pos  int
	fold bool
	set  []rune
	sets [][]rune // named classes, not copied: the whole expression may be one that is known

	plain bool // only what dfa.c handles without regcomp: ASCII characters, ranges of digits
}

var (
	errUnmatchedBracket = fmt.Errorf("unmatched [, [^, [:, [., or [=")
	errRangeEnd         = fmt.Errorf("invalid range end")
)

// bracket parses the bracket expression whose opening bracket was just consumed.
func (p *posixParser) bracket() (*Node, error) {
	b := bracketParser{src: p.src[p.pos:], fold: p.lits.fold, plain: true}
	negated, err := b.parse()
	if err != nil {
		return nil, err
	}
	text := b.src[:b.pos]
	p.pos += b.pos
	p.demanded = p.demanded || !b.plain
	if n := p.brackets[text]; n != nil {
		return n, nil
	}
	set := union(append(b.sets, b.set)...)
	if b.fold {
		set = foldGNU(set)
	}
	if negated {
		set = negate(set)
	}
	n := classNode(set)
	p.brackets[text] = n
	return n, nil
}

func (b *bracketParser) parse() (negated bool, err error) {
	if strings.HasPrefix(b.src, "^") {
		negated = true
		b.pos++
	}
	if b.pos == len(b.src) {
		return false, fmt.Errorf("invalid regular expression")
	}
	first := b.pos
	for b.pos == first || b.src[b.pos] != ']' {
		if err := b.item(b.pos == first); err != nil {
			return false, err
		}
		if b.pos == len(b.src) {
			return false, errUnmatchedBracket
		}
	}
	if err := b.misplacedClass(b.src[first:b.pos]); err != nil {
		return false, err
	}
	b.pos++
	return negated, nil
}

// misplacedClass refuses [:space:], which surely was meant to be [[:space:]].
func (b *bracketParser) misplacedClass(body string) error {
	if len(body) > 2 && body[0] == ':' && body[len(body)-1] == ':' && !strings.ContainsAny(body, "[-") {
		return fmt.Errorf("character class syntax is [[:space:]], not [:space:]")
	}
	return nil
}

// item parses one item; a "-" that starts one is a character only where first is set or at the end.
func (b *bracketParser) item(first bool) error {
	if !first && b.src[b.pos] == '-' && !strings.HasPrefix(b.src[b.pos:], "-]") {
		if b.pos+1 == len(b.src) {
			return errUnmatchedBracket
		}
		return errRangeEnd
	}
	lo, single, err := b.element()
	if err != nil || !single {
		return err
	}
	rest := b.src[b.pos:]
	if rest == "" || rest == "-" {
		return errUnmatchedBracket
	}
	if rest[0] != '-' || rest[1] == ']' {
		b.add(lo, lo)
		return nil
	}
	b.pos++
	hi, single, err := b.element()
	if err != nil {
		return err
	}
	if !single || lo > hi && hi >= 0 {
		return errRangeEnd
	}
	if lo < 0 || hi < 0 {
		return fmt.Errorf("invalid collation character")
	}
	b.plain = b.plain && lo >= '0' && hi <= '9'
	if ulo, uhi := unicode.ToUpper(lo), unicode.ToUpper(hi); b.fold && ulo <= uhi {
		lo, hi = ulo, uhi // as regcomp: [A-z] is [A-Z] under -i
	}
	b.add(lo, hi)
	return nil
}

// add puts a range into the set; a negative lo is a byte, which is left out.
func (b *bracketParser) add(lo, hi rune) {
	if lo < 0 {
		b.plain = false
		return
	}
	if hi >= utf8.RuneSelf {
		b.plain = false
	}
	b.set = append(b.set, lo, hi)
}

// element parses a character, which may end a range, or a class, which may not: then single is
// false and the set has it already. The character is negative for a byte that is none.
func (b *bracketParser) element() (r rune, single bool, err error) {
	rest := b.src[b.pos:]
	if len(rest) > 1 && rest[0] == '[' && strings.IndexByte(":.=", rest[1]) >= 0 {
		return b.symbol(rest[1])
	}
	r, n := utf8.DecodeRuneInString(rest)
	if r == utf8.RuneError && n == 1 {
		r = -1
	}
	b.pos += n
	return r, true, nil
}

// maxSymbol is how long regcomp lets a name in a bracket expression be.
const maxSymbol = 32

// symbol parses [:name:], [.c.] or [=c=].
func (b *bracketParser) symbol(delim byte) (r rune, single bool, err error) {
	b.pos += 2
	rest := b.src[b.pos:]
	end := strings.Index(rest[:min(len(rest), maxSymbol+2)], string([]byte{delim, ']'}))
	if end < 0 {
		return 0, false, errUnmatchedBracket
	}
	name := rest[:end]
	b.pos += end + 2
	if delim == ':' {
		return 0, false, b.class(name)
	}
	b.plain = false
	r, n := utf8.DecodeRuneInString(name)
	if n == 0 || n != len(name) || r == utf8.RuneError && n == 1 {
		return 0, false, fmt.Errorf("invalid collation character")
	}
	if delim == '=' {
		b.add(r, r)
		return 0, false, nil
	}
	return r, true, nil
}

func (b *bracketParser) class(name string) error {
	class, ok := namedClasses[name]
	if !ok {
		return fmt.Errorf("invalid character class name")
	}
	if b.fold && (name == "upper" || name == "lower") {
		class = namedClasses["alpha"]
	}
	b.plain = b.plain && (name == "digit" || name == "xdigit")
	b.sets = append(b.sets, class())
	return nil
}
