package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/trawl-logs/trawl/needs"
)

// nastyFiles are small files with everything that makes greps differ.
func nastyFiles() map[string]string {
	var many, late strings.Builder
	for i := range 300 {
		fmt.Fprintf(&many, "line %d %s abc\n", i, strings.Repeat("x", i%7))
	}
	late.WriteString("abc first\n")
	for i := range 14000 {
		fmt.Fprintf(&late, "line %d\n", i)
	}
	late.WriteString("abc\x00def\nabc end\n")
	return map[string]string{
		"plain":  "abc\ndef\n\nabc abc\nxyz\nabcabc\n\n\nlast abc\nend\n",
		"crlf":   "abc\r\ndef\r\n\r\nxabc y\r\nabc",
		"noeol":  "one\nabc\ntwo\nab",
		"empty":  "",
		"blank":  "\n\n\n",
		"nul":    "abc\x00def\nabc\nx\x00\x00y\n\x00",
		"bad":    "abc\nx\nab\xffc\ny\nz\nabc\n\xc3\nabc \xe2\x82\n",
		"badend": "q\nabc\nabc\xf0\x9f",
		"utf8":   "é abc\nÀabc日本\nabc\u00a0\n",
		"tabs":   "\tabc\n\t\tdef\nabc\t\n",
		"long":   "abc" + strings.Repeat("é-", 3000) + "\nshort\n" + strings.Repeat("z", 9000) + "abc\nabc\n",
		"many":   many.String(),
		"late":   late.String(),
		"zlines": "abc\ndef\x00xyz\nabc\x00\x00end",
		"-dash":  "abc -dash\n",
	}
}

var gnuPatterns = [][]string{
	{"-E", "abc"}, {"-F", "abc"}, {"-E", "^abc"}, {"-E", "abc$"}, {"-E", "^$"}, {"-E", "a|d"}, {"-E", "x*"}, {"-E", "b"},
	{"-E", "[a-z]+"}, {"-E", "nothing"}, {"-F", "-e", "abc", "-e", "end"}, {"-E", "."}, {"-F", ""}, {"-E", "-e", "^", "-e", "q"},
	{"-E", "ab|abc"}, {"-E", "é"}, {"-F", "-f", "patterns"}, {"-E", "-f", "nopatterns"}, {"-E", "(line|abc) 1?"}, {"-F", "ABC", "-i"},
	{"-G", "ab*"}, {"-E", "abc\nxyz"}, {"-E", "^[^a]*$"}, {"-F", "-x", "abc"}, {"-E", "-x", "abc.*"},
}

var gnuFlags = [][]string{
	{"-n"}, {"-b"}, {"-H"}, {"-h"}, {"-c"}, {"-l"}, {"-L"}, {"-q"}, {"-o"}, {"-v"}, {"-i"}, {"-T"}, {"-Z"}, {"-z"}, {"-a"}, {"-s"}, {"-I"},
	{"-m1"}, {"-m", "2"}, {"-m0"}, {"-A1"}, {"-B1"}, {"-C1"}, {"-2"}, {"-A0"}, {"-B", "3"}, {"-C", "40"}, {"--color=always"},
	{"--group-separator=##"}, {"--no-group-separator"}, {"--binary-files=text"}, {"--binary-files=without-match"}, {"--null"},
	{"--line-buffered"}, {"--max-count=3"}, {"--only-matching"}, {"-nb"}, {"-on"}, {"-ob"}, {"-vn"}, {"--exclude=n*"}, {"--include=*l*"},
	{"--label=in"}, {"--label="}, {"-d", "skip"}, {"-d", "read"}, {"-D", "skip"}, {"--directories=skip"},
}

// TestGrepAsGNU runs combinations of flags, patterns and files through trawl grep --local and through
// GNU grep, and wants the same bytes and the same exit status. The combinations are drawn from a
// fixed seed.
func TestGrepAsGNU(t *testing.T) {
	grep := requireGNUGrep(t)
	dir := t.TempDir()
	files := nastyFiles()
	var names []string
	for name, text := range files {
		writeFile(t, filepath.Join(dir, name), text)
		names = append(names, name)
	}
	slices.Sort(names)
	writeFile(t, filepath.Join(dir, "patterns"), "abc\nxyz\n")
	writeFile(t, filepath.Join(dir, "nopatterns"), "")
	if err := os.Mkdir(filepath.Join(dir, "folder"), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Chdir(dir)
	t.Setenv("GREP_COLORS", "")
	rng := rand.New(rand.NewPCG(1, 2))
	combinations := 3000
	if testing.Short() {
		combinations = 300
	}
	for i := range combinations {
		args, stdin := drawGrep(rng, names, files)
		t.Run(fmt.Sprint(i), func(t *testing.T) { compareGrep(t, grep, args, stdin) })
	}
}

// TestGrepColorsAsGNU runs the forms of GREP_COLORS.
func TestGrepColorsAsGNU(t *testing.T) {
	grep := requireGNUGrep(t)
	dir := t.TempDir()
	for name, text := range nastyFiles() {
		writeFile(t, filepath.Join(dir, name), text)
	}
	t.Chdir(dir)
	for _, colors := range []string{
		"", "sl=1", "cx=2:sl=3", "mt=01;32", "ms=1:mc=2", "rv:sl=1:cx=2", "ne", "ne=1:rv=0:sl=4:cx=5", "fn=1:ln=2:bn=3:se=4",
		"sl=1:mt=", "bad", "zz=1", "sl=1:mt=x:cx=1", "sl", "sl=1:", "mt=01;31:sl=33;1:x", ":", "fn=:se=", "=1:sl=2", "sl=1=2:cx=3",
	} {
		t.Setenv("GREP_COLORS", colors)
		for _, flags := range []string{"-HnbA1", "-vHnC1", "-o", "-onv -B1", "-TZH", "-c", "-lZ", "-z", "-ix", "-C9 -m1"} {
			for _, pattern := range []string{"abc", "b|c", "x*", "^$", "c$"} {
				args := append(strings.Fields(flags), "--color=always", "-E", "-e", pattern, "plain", "crlf", "noeol", "bad")
				compareGrep(t, grep, args, "")
			}
		}
	}
}

// drawGrep draws a command line and what is on its stdin.
func drawGrep(rng *rand.Rand, names []string, files map[string]string) (args []string, stdin string) {
	args = slices.Clone(gnuPatterns[rng.IntN(len(gnuPatterns))])
	for range rng.IntN(5) {
		args = append(args, gnuFlags[rng.IntN(len(gnuFlags))]...)
	}
	args = append(args, "--")
	name := names[rng.IntN(len(names))]
	if name == "late" { // how much of a pipe is read at once decides what is binary
		name = "nul"
	}
	stdin = files[name]
	operands := append([]string{"-", "missing", "folder"}, names...)
	for range rng.IntN(4) {
		args = append(args, operands[rng.IntN(len(operands))])
	}
	return args, stdin
}

func compareGrep(t *testing.T, grep string, args []string, stdin string) {
	t.Helper()
	cmd := exec.Command(grep, args...)
	cmd.Env = append(os.Environ(), "LC_ALL=C.UTF-8")
	cmd.Stdin = strings.NewReader(stdin)
	var wantOut, wantErr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &wantOut, &wantErr
	wantStatus := 0
	if err := cmd.Run(); err != nil {
		exit, ok := errors.AsType[*exec.ExitError](err)
		if !ok {
			t.Fatal(err)
		}
		wantStatus = exit.ExitCode()
	}
	var out, errout bytes.Buffer
	status := run(context.Background(), append([]string{"grep", "--local"}, args...), strings.NewReader(stdin), &out, &errout)
	if status != wantStatus || !bytes.Equal(out.Bytes(), wantOut.Bytes()) {
		t.Errorf("grep %q < %.60q\n got status %d, output %.400q, messages %.200q\nwant status %d, output %.400q, messages %.200q",
			args, stdin, status, out.String(), errout.String(), wantStatus, wantOut.String(), wantErr.String())
	}
	if got, want := messages(errout.String()), messages(wantErr.String()); !slices.Equal(got, want) {
		t.Errorf("grep %q < %.60q\n got messages %q\nwant messages %q", args, stdin, got, want)
	}
}

// messages returns of which files something is said on stderr, and whether it is that they are binary.
func messages(text string) (list []string) {
	for line := range strings.Lines(text) {
		_, rest, _ := strings.Cut(line, ": ")
		name, said, _ := strings.Cut(rest, ": ")
		list = append(list, fmt.Sprint(name, strings.HasPrefix(said, "binary file matches")))
	}
	return list
}

// requireGNUGrep returns the path of the GNU grep that is the oracle.
func requireGNUGrep(t *testing.T) string {
	t.Helper()
	needs.Tool(t, "grep", "grep")
	path, err := exec.LookPath("grep")
	if err != nil {
		t.Fatal(err)
	}
	version, err := exec.Command(path, "--version").Output()
	if err != nil || !bytes.HasPrefix(version, []byte("grep (GNU grep) 3.")) {
		t.Fatalf("GNU grep 3 is the oracle of this test, %s is %.40q (%v)", path, version, err)
	}
	return path
}

func writeFile(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
