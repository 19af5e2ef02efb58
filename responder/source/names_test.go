package source

import "testing"

func TestFnmatch(t *testing.T) {
	for _, c := range []struct {
		glob, name string
		want       bool
	}{
		{"*.log", "a.log", true}, {"*.log", "a.log.1", false}, {"*", "", true}, {"", "", true}, {"", "a", false},
		{"a*b*c", "a/b/bc", true}, {"?", "é", true}, {"?", "\xff", true}, {"é?", "é\xff", true}, {"[é]", "é", true}, {"[!é]", "é", false},
		{"[", "[", true}, {"[", "a", false}, {"a[b", "a[b", true}, {"*[", "x[", true}, {"[]", "[]", true}, {"[]a]", "]", true},
		{"[a-c]", "b", true}, {"[^a-c]", "b", false}, {"[a-]", "-", true}, {`[\]]`, "]", true}, {`[a\-z]`, "b", false},
		{"{a,b}", "{a,b}", true}, {"{a,b}", "a", false}, {`\*`, "*", true}, {`\*`, "a", false}, {`a\`, `a\`, true},
		{"[[:digit:]]x", "7x", true}, {"[[:digit:]]x", "ax", false}, {"[![:alpha:]_]", "-", true}, {"[[:nope:]]", ":]", true},
		{"**", "x/y", true}, {"a**b", "ab", true}, {"[a-c]?", "bx", true}, {"[!a-c]?", "bx", false}, {"*a*b", "xaxxb", true}, {"*a*b", "xaxxbc", false},
	} {
		if got := fnmatch(c.glob, c.name); got != c.want {
			t.Errorf("fnmatch(%q, %q) is %v", c.glob, c.name, got)
		}
	}
}

// The last rule that matches counts, the first one decides about names that none matches.
func TestNameRules(t *testing.T) {
	in := func(g string) NameRule { return NameRule{g, true} }
	ex := func(g string) NameRule { return NameRule{g, false} }
	for _, c := range []struct {
		rules          NameRules
		path           string
		operand, found bool
	}{
		{nil, "/v/a.log", true, true},
		{NameRules{in("*.log")}, "/v/a.log", true, true},
		{NameRules{in("*.log")}, "/v/a.txt", false, false},
		{NameRules{ex("*.log"), in("a*")}, "/v/a.log", true, true},
		{NameRules{in("a*"), ex("*.log")}, "/v/a.log", false, false},
		{NameRules{ex("*.log"), in("a*")}, "/v/b.log", false, false},
		{NameRules{ex("*.log"), in("a*")}, "/v/b.txt", true, true},
		{NameRules{in("a*"), ex("*.log"), in("ab*")}, "/v/ab.log", true, true},
		{NameRules{in("a*"), ex("*.log"), in("ab*")}, "/v/b.txt", false, false},
		{NameRules{ex("v")}, "/v/a.log", true, true},
		{NameRules{ex("v/*")}, "/v/a.log", false, false},
		{NameRules{ex("v*")}, "/v/a.log", false, true}, // of an operand, a tail with a slash matches
		{NameRules{in("[")}, "/v/[", true, true},
	} {
		if got := c.rules.AdmitsOperand(c.path); got != c.operand {
			t.Errorf("%v admits operand %s: %v", c.rules, c.path, got)
		}
		if got := c.rules.AdmitsFound(c.path); got != c.found {
			t.Errorf("%v admits found %s: %v", c.rules, c.path, got)
		}
	}
}
