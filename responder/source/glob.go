package source

import (
	"errors"
	"fmt"
	"path"
	"strings"

	"github.com/bmatcuk/doublestar/v4"
)

// Limits of one glob. Matching takes time in proportion to the ways in which its braces can be
// read, so a query's glob is refused beyond these; what people write has a handful.
const (
	maxGlobBytes        = 4096
	maxGlobAlternatives = 256
)

// ErrBadGlob is wrapped by every error about a glob that is malformed or over a limit.
var ErrBadGlob = errors.New("bad glob")

const globMeta = `*?[{\`

// checkGlob says what is wrong with a glob.
func checkGlob(pattern string) error {
	switch {
	case pattern == "":
		return fmt.Errorf("%w: it is empty", ErrBadGlob)
	case len(pattern) > maxGlobBytes:
		return fmt.Errorf("%w: %d bytes, more than %d", ErrBadGlob, len(pattern), maxGlobBytes)
	case strings.IndexByte(pattern, 0) >= 0:
		return fmt.Errorf("%w %q: it holds a NUL", ErrBadGlob, pattern)
	case alternatives(pattern) > maxGlobAlternatives:
		return fmt.Errorf("%w %.100q: its braces have more than %d alternatives", ErrBadGlob, pattern, maxGlobAlternatives)
	case !doublestar.ValidatePattern(pattern):
		return fmt.Errorf("%w %q", ErrBadGlob, pattern)
	}
	return nil
}

// alternatives is an upper bound of the strings that the braces of a glob stand for: the product
// over its groups of commas + 1. It stops counting beyond the limit.
func alternatives(pattern string) int {
	product := 1
	for _, group := range strings.Split(pattern, "{")[1:] {
		product *= 1 + strings.Count(group, ",")
		if !strings.Contains(group, ",") {
			product *= 2 // a nested group: {{a,b},c} splits before its first comma
		}
		if product > maxGlobAlternatives {
			return product
		}
	}
	return product
}

// hasParent tells whether a path or glob has an element "..".
func hasParent(p string) bool {
	for elem := range strings.SplitSeq(p, "/") {
		if elem == ".." {
			return true
		}
	}
	return false
}

// glob is an absolute glob of a Source, taken apart for the walk.
type glob struct {
	pattern string
	prefix  string   // the directory above its first element with a meta character
	elems   []string // the elements below prefix; nil if it cannot be split at slashes
}

func newGlob(pattern string) (*glob, error) {
	if err := checkGlob(pattern); err != nil {
		return nil, err
	}
	if !path.IsAbs(pattern) {
		return nil, fmt.Errorf("%w %q: it is not absolute", ErrBadGlob, pattern)
	}
	if hasParent(pattern) {
		return nil, fmt.Errorf("%w %q: it holds \"..\"", ErrBadGlob, pattern)
	}
	if strings.HasSuffix(pattern, "/") {
		pattern += "**" // a directory: everything beneath it
	}
	pattern = cleanSlashes(pattern)
	elems := strings.Split(pattern, "/")[1:]
	fixed := 0
	for fixed < len(elems)-1 && !strings.ContainsAny(elems[fixed], globMeta) {
		fixed++
	}
	g := &glob{pattern: pattern, prefix: "/" + strings.Join(elems[:fixed], "/")}
	g.elems = elems[fixed:]
	for _, e := range g.elems {
		// A slash inside braces or a class leaves elements that are no globs by themselves.
		if !doublestar.ValidatePattern(e) {
			g.elems = nil
			break
		}
	}
	return g, nil
}

// cleanSlashes drops empty and "." elements, as path.Clean does, and nothing else.
func cleanSlashes(p string) string {
	var out strings.Builder
	for elem := range strings.SplitSeq(p, "/") {
		if elem != "" && elem != "." {
			out.WriteByte('/')
			out.WriteString(elem)
		}
	}
	return out.String()
}

func (g *glob) match(name string) bool { return doublestar.MatchUnvalidated(g.pattern, name) }

// descend tells whether a directory called name, depth elements below the prefix (0: right in it),
// can hold a match, given that its parents can.
func (g *glob) descend(name string, depth int) bool {
	for i, e := range g.elems {
		if strings.Contains(e, "**") {
			return true
		}
		if i == depth {
			return i < len(g.elems)-1 && doublestar.MatchUnvalidated(e, name)
		}
	}
	return g.elems == nil
}
