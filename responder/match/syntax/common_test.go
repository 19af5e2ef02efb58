package syntax

import "testing"

// What every newer language knows is read in the GNU languages too.
func TestCommonEscapes(t *testing.T) {
	for _, c := range []struct {
		lang       Syntax
		pat, text  string
		start, end int
	}{
		{ERE, `(\d{1,3}\.){3}\d{1,3}`, "ip 192.168.1.1", 3, 14},
		{BRE, `\d\d*`, "a42", 1, 3},
		{ERE, `\D+`, "12ab3", 2, 4},
		{ERE, `(?:ab|c)+\x2e`, "xabc.", 1, 5},
		{ERE, `foo\x00?`, "foo", 0, 3},
		{ERE, `\xg`, "xg", 0, 2}, // no hex digits: the letter, as grep reads it
		{BRE, `a\(?:b\)`, "a?:b", 0, 4},
	} {
		re, err := Parse(Spec{Patterns: []string{c.pat}, Syntax: c.lang})
		if err != nil {
			t.Errorf("%s: %v", c.pat, err)
			continue
		}
		if s, e := re.oracleFind(c.text, 0); s != c.start || e != c.end {
			t.Errorf("%s in %q: [%d,%d), want [%d,%d)", c.pat, c.text, s, e, c.start, c.end)
		}
	}
}
