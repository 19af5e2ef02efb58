package syntax

import (
	"slices"
	"sync"
	"unicode"
)

// maxRune is the last character there is.
const maxRune = unicode.MaxRune

// anyClass is the class of every character.
var anyClass = []rune{0, maxRune}

// normalize sorts and merges a list of ranges, in place.
func normalize(c []rune) []rune {
	type span struct{ lo, hi rune }
	spans := make([]span, 0, len(c)/2)
	for i := 0; i+1 < len(c); i += 2 {
		spans = append(spans, span{c[i], c[i+1]})
	}
	slices.SortFunc(spans, func(a, b span) int { return int(a.lo - b.lo) })
	out := c[:0]
	for _, s := range spans {
		if n := len(out); n > 0 && s.lo <= out[n-1]+1 {
			out[n-1] = max(out[n-1], s.hi)
			continue
		}
		out = append(out, s.lo, s.hi)
	}
	return out
}

// negate returns the characters that are not in c, a normalized list.
func negate(c []rune) []rune {
	out := make([]rune, 0, len(c)+2)
	next := rune(0)
	for i := 0; i < len(c); i += 2 {
		if c[i] > next {
			out = append(out, next, c[i]-1)
		}
		next = c[i+1] + 1
	}
	if next <= maxRune {
		out = append(out, next, maxRune)
	}
	return out
}

// tables returns the characters of all of ts. It walks the tables rather than all characters: the
// first \w of a process costs a millisecond, not a hundred.
func tables(ts ...*unicode.RangeTable) []rune {
	var out []rune
	add := func(lo, hi, stride rune) {
		if stride == 1 {
			out = append(out, lo, hi)
			return
		}
		for r := lo; r <= hi; r += stride {
			out = append(out, r, r)
		}
	}
	for _, t := range ts {
		for _, r := range t.R16 {
			add(rune(r.Lo), rune(r.Hi), rune(r.Stride))
		}
		for _, r := range t.R32 {
			add(rune(r.Lo), rune(r.Hi), rune(r.Stride))
		}
	}
	return normalize(out)
}

// cased returns the characters that differ from what to makes of them.
func cased(to func(rune) rune) []rune {
	var out []rune
	for _, cr := range unicode.CaseRanges {
		for r := rune(cr.Lo); r <= rune(cr.Hi); r++ {
			if to(r) != r {
				out = append(out, r, r)
			}
		}
	}
	return normalize(out)
}

func union(cs ...[]rune) []rune { return normalize(slices.Concat(cs...)) }

func minus(a, b []rune) []rune { return negate(union(negate(a), b)) }

func both(a, b []rune) []rune { return minus(a, negate(b)) }

var (
	digits = []rune{'0', '9'}
	blanks = []rune{'\t', '\t', ' ', ' ', 0x1680, 0x1680, 0x2000, 0x2006, 0x2008, 0x200A, 0x205F, 0x205F, 0x3000, 0x3000}
	spaces = union(blanks, []rune{'\t', '\r', 0x2028, 0x2029})

	alphaClass = sync.OnceValue(func() []rune {
		return minus(tables(unicode.L, unicode.Nl, unicode.Other_Alphabetic, unicode.Nd), digits)
	})
	alnumClass = sync.OnceValue(func() []rune { return union(alphaClass(), digits) })
	graphClass = sync.OnceValue(func() []rune {
		assigned := tables(unicode.L, unicode.M, unicode.N, unicode.P, unicode.S, unicode.Z, unicode.Cf, unicode.Co)
		return minus(assigned, spaces)
	})
)

// namedClasses are the POSIX classes, as glibc defines them over Unicode in C.UTF-8 (its
// localedata's unicode_utils.py states the rules; measured against grep 3.8, they agree but for
// characters newer than glibc's Unicode): digit and xdigit are ASCII's, other digits are
// alphabetic, and space is what may break a line.
var namedClasses = map[string]func() []rune{
	"alpha":  alphaClass,
	"alnum":  alnumClass,
	"digit":  func() []rune { return digits },
	"xdigit": func() []rune { return []rune{'0', '9', 'A', 'F', 'a', 'f'} },
	"space":  func() []rune { return spaces },
	"blank":  func() []rune { return blanks },
	"graph":  graphClass,
	"print":  sync.OnceValue(func() []rune { return union(graphClass(), minus(blanks, []rune{'\t', '\t'})) }),
	"punct":  sync.OnceValue(func() []rune { return minus(graphClass(), alnumClass()) }),
	"cntrl":  sync.OnceValue(func() []rune { return union(tables(unicode.Cc), []rune{0x2028, 0x2029}) }),
	"upper": sync.OnceValue(func() []rune {
		return union(cased(unicode.ToLower), both(alphaClass(), tables(unicode.Lu, unicode.Other_Uppercase)))
	}),
	"lower": sync.OnceValue(func() []rune {
		return union(cased(unicode.ToUpper), both(alphaClass(), tables(unicode.Ll, unicode.Other_Lowercase)))
	}),
}

// WordClass returns the word characters of the GNU languages and of -w: letters and digits of
// every script, and _. The slice is shared: do not write to it.
var WordClass = sync.OnceValue(func() []rune { return union(alnumClass(), []rune{'_', '_'}) })

// notWordClass and notSpaceClass are \W and \S of the GNU languages.
var (
	notWordClass  = sync.OnceValue(func() []rune { return negate(WordClass()) })
	notSpaceClass = sync.OnceValue(func() []rune { return negate(spaces) })
)
