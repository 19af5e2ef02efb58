package syntax

import (
	"slices"
	"sync"
	"unicode"
)

// GNU's case folding (gnulib's case_folded_counterparts), measured against grep 3.8: a character
// equals its upper case, the lower case of that if it leads back, and every lower-case character
// with the same upper case. So s, S and ſ are equal under -i, and i, I and ı, but K and K (KELVIN
// SIGN) are not, which Unicode's simple folding, and so RE2's, holds equal.

// foldEntry lists the characters that are equal to from, without from itself.
type foldEntry struct {
	from rune
	to   []rune
}

// foldTable returns one entry for each character that has case variants, sorted.
var foldTable = sync.OnceValue(func() []foldEntry {
	byUpper := map[rune][]rune{} // upper case → lower-case characters that have it
	uppers := cased(unicode.ToUpper)
	for i := 0; i < len(uppers); i += 2 {
		for r := uppers[i]; r <= uppers[i+1]; r++ {
			byUpper[unicode.ToUpper(r)] = append(byUpper[unicode.ToUpper(r)], r)
		}
	}
	all := union(uppers, cased(unicode.ToLower))
	var table []foldEntry
	for i := 0; i < len(all); i += 2 {
		for r := all[i]; r <= all[i+1]; r++ {
			u := unicode.ToUpper(r)
			var to []rune
			for _, v := range append([]rune{u}, byUpper[u]...) {
				if v != r {
					to = append(to, v)
				}
			}
			if len(to) > 0 {
				table = append(table, foldEntry{r, to})
			}
		}
	}
	return table
})

// foldGNU adds the case variants of every character of c, a sorted range list.
func foldGNU(c []rune) []rune {
	table := foldTable()
	out := c
	for i := 0; i < len(c); i += 2 {
		lo, hi := c[i], c[i+1]
		at, _ := slices.BinarySearchFunc(table, lo, func(e foldEntry, r rune) int { return int(e.from - r) })
		for ; at < len(table) && table[at].from <= hi; at++ {
			for _, v := range table[at].to {
				if v >= lo && v <= hi {
					continue
				}
				if len(out) == len(c) {
					out = slices.Clone(c)
				}
				out = append(out, v, v)
			}
		}
	}
	if len(out) == len(c) {
		return c
	}
	return normalize(out)
}
