package source

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// NameRule is one --include or --exclude of grep.
type NameRule struct {
	Glob    string
	Include bool
}

// NameRules are such rules in the order in which they were given. The last one that matches a name
// counts; where none does, a name is admitted unless the first rule is an --include.
//
// The globs are those of the C library's fnmatch without flags, as GNU grep uses it: * and ? match
// slashes, too, braces mean nothing, and a [ that nothing closes stands for itself.
type NameRules []NameRule

// AdmitsOperand says whether the rules let a file through that was named on a command line: globs
// are compared with the name, and with what follows any slash in it.
func (r NameRules) AdmitsOperand(name string) bool {
	return r.admits(func(glob string) bool { return matchesTail(glob, name) })
}

// AdmitsFound says whether the rules let a file through that was found: globs are compared with its
// base name, as by grep -r. One that holds a slash, which could match none, is compared as by
// AdmitsOperand.
func (r NameRules) AdmitsFound(path string) bool {
	base := path[strings.LastIndexByte(path, '/')+1:]
	return r.admits(func(glob string) bool {
		if strings.Contains(glob, "/") {
			return matchesTail(glob, path)
		}
		return fnmatch(glob, base)
	})
}

func (r NameRules) admits(matches func(glob string) bool) bool {
	for i := len(r) - 1; i >= 0; i-- {
		if matches(r[i].Glob) {
			return r[i].Include
		}
	}
	return len(r) == 0 || !r[0].Include
}

// matchesTail matches a glob against a name, or against what follows any slash in it.
func matchesTail(glob, name string) bool {
	for {
		if fnmatch(glob, name) {
			return true
		}
		_, rest, ok := strings.Cut(name, "/")
		if !ok {
			return false
		}
		name = rest
	}
}

// fnmatch is the C library's function of that name without flags, in a UTF-8 locale: characters are
// compared, or bytes where one of the two is no valid text.
func fnmatch(glob, name string) bool {
	g, n := letters(glob, name)
	star, retry := -1, 0 // where to go on when what follows the last * does not fit
	i, k := 0, 0
	for k < len(n) {
		if i < len(g) && g[i] == '*' {
			star, retry = i+1, k
			i++
			continue
		}
		if width := fnmatchOne(g[i:], n[k]); width > 0 {
			i += width
			k++
			continue
		}
		if star < 0 {
			return false
		}
		retry++
		i, k = star, retry
	}
	for i < len(g) && g[i] == '*' {
		i++
	}
	return i == len(g)
}

func letters(glob, name string) (g, n []rune) {
	if utf8.ValidString(glob) && utf8.ValidString(name) {
		return []rune(glob), []rune(name)
	}
	for i := range len(glob) {
		g = append(g, rune(glob[i]))
	}
	for i := range len(name) {
		n = append(n, rune(name[i]))
	}
	return g, n
}

// fnmatchOne returns how much of glob matches the one character c; 0 if it does not.
func fnmatchOne(glob []rune, c rune) int {
	switch {
	case len(glob) == 0:
		return 0
	case glob[0] == '?':
		return 1
	case glob[0] == '\\' && len(glob) > 1:
		if glob[1] == c {
			return 2
		}
		return 0
	case glob[0] == '[':
		if width, in := bracket(glob, c); width > 0 {
			if in {
				return width
			}
			return 0
		}
	}
	if glob[0] == c {
		return 1
	}
	return 0
}

// bracket returns the width of the bracket expression at the start of glob, 0 if it has no end, and
// whether c is in it.
func bracket(glob []rune, c rune) (width int, in bool) {
	i := 1
	negated := i < len(glob) && (glob[i] == '!' || glob[i] == '^')
	if negated {
		i++
	}
	for first := true; i < len(glob); first = false {
		if glob[i] == ']' && !first {
			return i + 1, in != negated
		}
		if is, n := class(glob[i:]); n > 0 {
			in = in || is(c)
			i += n
			continue
		}
		if glob[i] == '\\' && i+1 < len(glob) {
			i++
		}
		lo, hi := glob[i], glob[i]
		i++
		if i+1 < len(glob) && glob[i] == '-' && glob[i+1] != ']' {
			if i++; glob[i] == '\\' && i+1 < len(glob) {
				i++
			}
			hi = glob[i]
			i++
		}
		in = in || lo <= c && c <= hi
	}
	return 0, false
}

var classes = map[string]func(rune) bool{
	"alpha": unicode.IsLetter, "upper": unicode.IsUpper, "lower": unicode.IsLower, "space": unicode.IsSpace,
	"punct": func(r rune) bool { return unicode.IsPunct(r) || unicode.IsSymbol(r) }, "cntrl": unicode.IsControl,
	"print": unicode.IsPrint, "graph": unicode.IsGraphic,
	"alnum":  func(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) },
	"blank":  func(r rune) bool { return r == ' ' || r == '\t' },
	"digit":  func(r rune) bool { return '0' <= r && r <= '9' },
	"xdigit": func(r rune) bool { return r < utf8.RuneSelf && strings.ContainsRune("0123456789abcdefABCDEF", r) },
}

// class reads a class such as [:digit:] at the start of glob: what is in it, and its width; 0 if
// there is none.
func class(glob []rune) (is func(rune) bool, width int) {
	if len(glob) < 4 || glob[0] != '[' || glob[1] != ':' {
		return nil, 0
	}
	for i := 2; i+1 < len(glob); i++ {
		if glob[i] == ':' && glob[i+1] == ']' {
			if is = classes[string(glob[2:i])]; is != nil {
				return is, i + 2
			}
			break
		}
	}
	return nil, 0
}
