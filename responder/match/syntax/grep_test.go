package syntax

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/trawl-logs/trawl/needs"
)

// The GNU languages are held against GNU grep 3.8 itself, in LC_ALL=C.UTF-8. What it answered is
// recorded in testdata/grep.golden; -update asks the grep that is installed again.
var update = flag.Bool("update", false, "record testdata/grep.golden anew from the installed GNU grep")

// grepTexts are the lines that every case is run over.
var grepTexts = []string{
	"", "a", "b", "ab", "aa", "aab", "abab", "ba", "x", "xa", "a b", "ab ab", " ", "  ", "_a", "a-b",
	"*a", "+", "?", "{1}", "a{1}", "2}", "{", "}", "(a)", ")", "a|b", "^a", "a$", "\\", "[a]", "]", "-",
	"a.b", "a^b", "1", "12", "a1", "é", "aé", "éa", "É", "λ", "Σς", "ſ", "kK\u212a", "iıİI", "日本", "a\xffb", "\xff",
	"\xc3", "\xa9", "a\x00b", "A", "AB", "Ab", "aaa", "aaaa", "ab1 é_x", "\t", "word words", "b]c", ":", "[:a:]",
}

// grepCase is one pattern with its flags, and what grep made of it.
type grepCase struct {
	Flags   string // of E, G, F; i, w, x
	Pattern string
	Error   string // grep's message if it refused
	Lines   string // a '1' for every line of grepTexts that matched, else '0'
	Spans   string // line:start-end … as -o gave them, empty ones left out
}

func (c grepCase) spec() Spec {
	s := Spec{Patterns: []string{c.Pattern}, Terminator: '\n'}
	for _, f := range c.Flags {
		switch f {
		case 'E':
			s.Syntax = ERE
		case 'G':
			s.Syntax = BRE
		case 'F':
			s.Syntax = Fixed
		case 'i':
			s.IgnoreCase = true
		case 'w':
			s.Word = true
		case 'x':
			s.Line = true
		}
	}
	return s
}

// ask runs the installed grep.
func (c *grepCase) ask(t *testing.T, file string) {
	needs.Tool(t, "grep", "grep")
	run := func(flags string) (string, error) {
		cmd := exec.Command("grep", "-a"+flags+c.Flags, "-e", c.Pattern, file)
		cmd.Env = append(os.Environ(), "LC_ALL=C.UTF-8")
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		out, err := cmd.Output()
		var exit *exec.ExitError
		if errors.As(err, &exit) && exit.ExitCode() == 1 {
			return string(out), nil
		}
		if err != nil {
			return "", errors.New(strings.TrimSpace(stderr.String()))
		}
		return string(out), nil
	}
	if strings.ContainsRune(c.Pattern, 0) { // cannot be an argument
		pats := filepath.Join(t.TempDir(), "pats")
		if err := os.WriteFile(pats, []byte(c.Pattern+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		defer func(p string) { c.Pattern = p }(c.Pattern)
		run = func(flags string) (string, error) {
			cmd := exec.Command("grep", "-a"+flags+c.Flags, "-f", pats, file)
			cmd.Env = append(os.Environ(), "LC_ALL=C.UTF-8")
			out, _ := cmd.Output()
			return string(out), nil
		}
	}
	lines, err := run("n")
	if err != nil {
		msg := strings.Split(err.Error(), "\n")
		c.Error = strings.TrimPrefix(msg[len(msg)-1], "grep: ")
		return
	}
	bits := bytes.Repeat([]byte{'0'}, len(grepTexts))
	for _, l := range strings.Split(lines, "\n") {
		if num, _, ok := strings.Cut(l, ":"); ok {
			n, err := strconv.Atoi(num)
			if err != nil {
				t.Fatalf("grep printed %q", l)
			}
			bits[n-1] = '1'
		}
	}
	c.Lines = string(bits)
	if strings.ContainsAny(c.Flags, "ix") {
		c.Spans = "-" // not recorded: the file is large enough
		return
	}
	spans, _ := run("onb")
	var out strings.Builder
	offsets := make([]int, len(grepTexts)+1)
	for i, text := range grepTexts {
		offsets[i+1] = offsets[i] + len(text) + 1
	}
	for _, l := range strings.Split(spans, "\n") {
		f := strings.SplitN(l, ":", 3)
		if len(f) < 3 {
			continue
		}
		n, _ := strconv.Atoi(f[0])
		at, _ := strconv.Atoi(f[1])
		fmt.Fprintf(&out, "%d:%d-%d ", n-1, at-offsets[n-1], at-offsets[n-1]+len(f[2]))
	}
	c.Spans = strings.TrimSpace(out.String())
}

// judge returns what our parser and the oracle make of c.
func (c grepCase) judge() grepCase {
	got := grepCase{Flags: c.Flags, Pattern: c.Pattern}
	re, err := Parse(c.spec())
	if err != nil {
		got.Error = err.Error()
		return got
	}
	var bits, spans strings.Builder
	for i, text := range grepTexts {
		at, hit := 0, false
		for at <= len(text) {
			s, e := re.oracleFind(text, at)
			if s < 0 {
				break
			}
			hit = true
			if s == e {
				at = e + 1
				continue
			}
			fmt.Fprintf(&spans, "%d:%d-%d ", i, s, e)
			at = e
		}
		if hit {
			bits.WriteByte('1')
		} else {
			bits.WriteByte('0')
		}
	}
	got.Lines, got.Spans = bits.String(), strings.TrimSpace(spans.String())
	return got
}

func TestGrep(t *testing.T) {
	golden := filepath.Join("testdata", "grep.golden")
	if *update {
		recordGrep(t, golden)
	}
	data, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	seen, bad := 0, 0
	for _, line := range bytes.Split(bytes.TrimSpace(data), []byte("\n")) {
		var want grepCase
		var f [5]string
		if err := json.Unmarshal(line, &f); err != nil {
			t.Fatal(err)
		}
		for i, dst := range []*string{&want.Flags, &want.Pattern, &want.Error, &want.Lines, &want.Spans} {
			if *dst, err = strconv.Unquote(`"` + f[i] + `"`); err != nil {
				t.Fatal(err)
			}
		}
		seen++
		got := want.judge()
		known(&want, &got)
		if why := want.differs(got); why != "" {
			bad++
			t.Errorf("-%s %q: %s", want.Flags, want.Pattern, why)
		}
	}
	t.Logf("%d cases, %d differ", seen, bad)
}

// known levels the differences from grep that are meant.
func known(want, got *grepCase) {
	if strings.Contains(got.Error, "back-reference") && (want.Error == "" || want.Error == "Invalid back reference") {
		got.Error = want.Error
		got.Lines, got.Spans = want.Lines, want.Spans
	}
	if want.Error == "Invalid collation character" && got.Error == "" && regexp.MustCompile(`[^\x00-\x7f]`).MatchString(want.Pattern) ||
		want.Error == "Invalid range end" && got.Error == "" && strings.Contains(want.Flags, "i") ||
		meant[want.Flags+" "+want.Pattern] {
		*got = *want // ranges beyond ASCII, and of mixed case, have a meaning here
	}
	if want.Error != "" || got.Error != "" {
		return
	}
	// Where dfa.c and regcomp read a pattern differently, grep selects lines by the one and prints
	// spans by the other; and -i makes regcomp lose escapes of ordinary letters.
	if readTwice(*want) || strings.Contains(want.Flags, "i") && regexp.MustCompile(`\\[adxnt]`).MatchString(want.Pattern) {
		got.Spans = want.Spans
	}
	// For regcomp, byte 0xFF is ÿ when it looks for words; for us no invalid byte is a word character.
	if strings.Contains(want.Flags, "w") || regexp.MustCompile(`\\[bB<>]`).MatchString(want.Pattern) {
		for i, text := range grepTexts {
			if !utf8.ValidString(text) {
				level(want, got, i)
			}
		}
	}
}

// meant are single cases in which we differ from grep, by flags and pattern.
var meant = map[string]bool{
	// At one start, grep -w does not fall back from a longer match to an empty one.
	"Gw **": true, "Gw [^ab]*": true, "Ew [^ab]*": true, `Gw \(\W\|-\|\(x\)\{1,2\}\)*`: true, `Gw \(ab\|\(\W\)\?\)`: true,
	`Gw \(\([^a]\)\{,2\}\(\W\)\{1,2\}\)\?`: true, `Gw \(\(\W\|\>\)\)*`: true, "Gw ^^": true,
	// A byte of a pattern that is part of a character of the text: it has no side to look at.
	"Gw \xc3": true, "Ew \xc3": true, "Fw \xc3": true, "Gw \xe6\x97": true, "Ew \xe6\x97": true, "Fw \xe6\x97": true,
	"Ei \xa9": true, "Fi \xa9": true,
	// A range up to a byte that is no character is refused.
	"E [a-\xff]": true, "G [a-\xff]": true, "Ei [a-\xff]": true, "Gw [a-\xff]": true, "Ew [a-\xff]": true, "Ex [a-\xff]": true,
	// grep reads a plain d, and warns.
	`E \d`: true, `G \d`: true, `Ei \d`: true, `Gw \d`: true, `Ew \d`: true, `Ex \d`: true,
	// grep -Fow forgets what stands before the rest of a line.
	"Fw [a\n]": true,
}

// level makes line i of got what it is in want.
func level(want, got *grepCase, i int) {
	lines := []byte(got.Lines)
	lines[i] = want.Lines[i]
	got.Lines = string(lines)
	for _, c := range []*grepCase{want, got} {
		c.Spans = strings.TrimSpace(regexp.MustCompile(fmt.Sprintf(`\b%d:\S+( |$)`, i)).ReplaceAllString(c.Spans, ""))
	}
}

// readTwice tells whether dfa.c and regcomp read a pattern differently.
func readTwice(c grepCase) bool {
	s := c.spec()
	if s.Syntax == Fixed {
		return false
	}
	var trees [2]*Node
	for i := range trees {
		p := posixParser{
			src: c.Pattern, ere: s.Syntax == ERE, regcomp: i == 1, lits: newLiterals(s.IgnoreCase),
			brackets: map[string]*Node{}, maxDepth: DefaultDepth,
		}
		trees[i], _ = p.parse()
	}
	return !reflect.DeepEqual(trees[0], trees[1])
}

// differs explains how got is not what grep gave.
func (c grepCase) differs(got grepCase) string {
	if c.Error != "" || got.Error != "" {
		if (c.Error == "") != (got.Error == "") {
			return fmt.Sprintf("error %q, grep's %q", got.Error, c.Error)
		}
		if !strings.Contains(strings.ToLower(got.Error), strings.ToLower(c.Error)) {
			return fmt.Sprintf("error %q, grep's %q", got.Error, c.Error)
		}
		return ""
	}
	for i := range grepTexts {
		if c.Lines[i] != got.Lines[i] {
			return fmt.Sprintf("line %d %q: matches %c, grep's %c", i, grepTexts[i], got.Lines[i], c.Lines[i])
		}
	}
	if c.Spans != got.Spans && c.Spans != "-" {
		return fmt.Sprintf("spans\n\t%s, grep's\n\t%s", got.Spans, c.Spans)
	}
	return ""
}

func recordGrep(t *testing.T, golden string) {
	file := filepath.Join(t.TempDir(), "texts")
	if err := os.WriteFile(file, []byte(strings.Join(grepTexts, "\n")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	for _, c := range grepCases() {
		c.ask(t, file)
		var f [5]string
		for i, s := range []string{c.Flags, c.Pattern, c.Error, c.Lines, c.Spans} {
			q := strconv.QuoteToASCII(s)
			f[i] = q[1 : len(q)-1]
		}
		line, err := json.Marshal(f)
		if err != nil {
			t.Fatal(err)
		}
		out.Write(append(line, '\n'))
	}
	if err := os.MkdirAll("testdata", 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(golden, out.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
}
