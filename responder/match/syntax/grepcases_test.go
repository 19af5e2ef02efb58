package syntax

import (
	"math/rand/v2"
	"strings"
)

// oddities are patterns whose meaning is not obvious; each is run as ERE and as BRE.
var oddities = strings.Split(strings.TrimSpace(`
a{1
a{,3}b
a{,}
a{1,2
{1}a
a|{1}
*a
a|*b
(*a)
(+a)
^*a
+a
?a
a**
a+?
a+*b
)
(
a)
(a
()
a()b
[
[a
[]
[]a]
[^]a]
[[:foo:]]
[[:alpha
[[:alpha:]]
[^[:alpha:]]
[[.ab.]]
[[.a.]]
[[.-.]a]
[[=a=]]
[z-a]
a{2,1}
a{99999}
a{32768}
a{2}
a{2,}
a{1,2}
a{x}
a{}
a{1,2,3}
a{1,x}
a{,x}
a{,2}
a\{1\}
a\{,2\}b
a\{1
a\{1,
a\{x\}
a\{\}
a\{1}
a\{2,1\}
\{1\}
\{1\}a
a\
\
[:alpha:]
[:space]
[:a
[:]
[::]
[:a:]
[^:a:]
[:a:b]
[:a-b:]
[a:]
[a\]
[\]]
[a\]b]
a{1a}
\(
\)
\(a\)
\(a
a\)
\(*a\)
\(^a\)
\(^*a\)
\(a\|b\)
a\|b
a\|*b
a\|^b
\|a
a\|
\|
|
a|b
\d
\x
\1
(a)\1
\(a\)\1
\0
[a-[.b.]]
[[:alpha:]-z]
[a-[:alpha:]]
[[.a.]-b]
[[.a.]-[.b.]]
[[=a=]-b]
a{1}{2}
a{
a{1,2}{3}
^
^^
$$
^$
$^
$a
a^b
a$b
(^a)
(a$)
x^*
x$*
xa^*
a$*
\<
\>
\<*
\<*a
\b*a
\b{2}
\b
\B
\<a
a\>
\ba
a\b
\Ba
a\B
\Bb\B
a||b
|a
a|
(|a)
(a|)b
\w
\w*
\W
\W\w
\s
\S
\S\s\S
[\w]
[\n]
\n
\t
\/
\a
a\+
a\?b
\+
\?
\+a
\?a
+
?
*
**
^*
^+
^?
^{1}
\(\+a\)
\`+"`"+`a
a\'
\`+"`"+`*a
a\'*
[--/]
[%--]
[a-z-9]
[a-c-e]
[^
[^]
[^]]
[]-a]
[a-]
[-a]
[^-a]
[a-a]
(()
())
(a|b
a{0}
a{0,0}b
({1})
({1}a)
(a{1})
.
..
.*
a.*b
^.$
^a
a$
^a$
^(a|b)+$
(a*)*
(a*)+
(a|b)*ab
((a))
(a)(b)
[a-b]
[A-b]
[Z-a]
[é]
[é-ë]
[α-ω]
[^a]
[^é]
a[^x]b
[[:upper:]]
[[:lower:]]
[[:digit:]]
[[:xdigit:]]
[[:space:]]
[[:blank:]]
[[:punct:]]
[[:print:]]
[[:graph:]]
[[:cntrl:]]
[[:alnum:]_]
[[:alpha:][:digit:]]
[^[:alpha:][:space:]]
[[:alpha:]-]
[[:alpha:]a-c]
[a[:]b]
[[:]
[[:]a]
[[.]
[[=]
[[.].]]
[[=]=]]
[[a]
[[]
[[-a]
[[.é.]]
[[.space.]]
s
k
i
ı
ſ
İ
σ
ς
É
K
[s]
[i-k]
[^s]
[ſ]
é
日
日本*
日*本
a\.b
a\*
a\^b
a\$
\]
\[a\]
\-
}
a}
\}
a{1}}
(a|ab)(c|bcd)*
a*
a*b*
(a|b)
(a|b)*
a?
a+
ab*
(ab)*
(ab)+
(ab){2}
(ab){1,2}
\(ab\)\{2\}
\(ab\)*
a\{2\}
a\{1,2\}b
x*
x*$
^x*
words\?
words?
wor.
[ab]*
[^ab]*
`), "\n")

// byteOddities hold bytes that are no characters, or newlines.
var byteOddities = []string{
	"\xff", "a\xffb", "a[\xff]b", "[\xff]", "[^\xff]", "\xff*", "\xff*b", "(\xff)*b", ".\xff", "\xff.", "\xc3", "\xa9", "\xc3\xa9", "[\xc3]", "[a\xff]",
	"[a-\xff]", "\\\xff", "a\nb", "\n", "a\n", "x\ny\n1", "(a\nb)", "[a\n]", "*a\n^*", "\\<\n*a", "", "a\x00b", "\x00", "[\x00]", "\xe6\x97", "日\xff",
}

func grepCases() []grepCase {
	var cases []grepCase
	add := func(flags, pattern string) {
		cases = append(cases, grepCase{Flags: flags, Pattern: pattern})
	}
	for _, p := range append(append([]string{}, oddities...), byteOddities...) {
		for _, f := range []string{"E", "G", "Ei", "Gw", "Ew", "Ex"} {
			add(f, p)
		}
	}
	for _, p := range append([]string{"a", "ab", "", "é", "s", "k", "σ", "a.b", "*a", "\\", "word", "[:a:]"}, byteOddities...) {
		for _, f := range []string{"F", "Fi", "Fw", "Fx"} {
			add(f, p)
		}
	}
	rnd := rand.New(rand.NewPCG(1, 2))
	for range 400 {
		add([]string{"E", "E", "Ei", "Ew", "Ex"}[rnd.IntN(5)], randomERE(rnd, 3))
		add([]string{"G", "G", "Gi", "Gw"}[rnd.IntN(4)], randomBRE(rnd, 3))
	}
	return cases
}

var pieces = []string{"a", "b", "ab", ".", "[ab]", "[^a]", "é", "[[:alpha:]]", "_", " ", "1", "\\w", "\\W", "x", "-"}

func randomERE(rnd *rand.Rand, depth int) string {
	switch n := rnd.IntN(14); {
	case depth == 0 || n < 4:
		return pieces[rnd.IntN(len(pieces))]
	case n < 7:
		return randomERE(rnd, depth-1) + randomERE(rnd, depth-1)
	case n < 9:
		return "(" + randomERE(rnd, depth-1) + "|" + randomERE(rnd, depth-1) + ")"
	case n < 12:
		return "(" + randomERE(rnd, depth-1) + ")" + []string{"*", "+", "?", "{2}", "{1,2}", "{,2}", "{2,}"}[rnd.IntN(7)]
	case n < 13:
		return []string{"^", "$", "\\<", "\\>", "\\b", "\\B"}[rnd.IntN(6)]
	}
	return randomERE(rnd, depth-1) + "|" + randomERE(rnd, depth-1)
}

func randomBRE(rnd *rand.Rand, depth int) string {
	switch n := rnd.IntN(14); {
	case depth == 0 || n < 4:
		return pieces[rnd.IntN(len(pieces))]
	case n < 7:
		return randomBRE(rnd, depth-1) + randomBRE(rnd, depth-1)
	case n < 9:
		return `\(` + randomBRE(rnd, depth-1) + `\|` + randomBRE(rnd, depth-1) + `\)`
	case n < 12:
		return `\(` + randomBRE(rnd, depth-1) + `\)` + []string{"*", `\+`, `\?`, `\{2\}`, `\{1,2\}`, `\{,2\}`, `\{2,\}`}[rnd.IntN(7)]
	case n < 13:
		return []string{"^", "$", "\\<", "\\>", "\\b", "\\B"}[rnd.IntN(6)]
	}
	return randomBRE(rnd, depth-1) + `\|` + randomBRE(rnd, depth-1)
}
