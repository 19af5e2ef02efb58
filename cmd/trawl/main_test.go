package main

import (
	"context"
	"flag"
	"os"
	"strings"
	"syscall"
	"testing"
	"unicode/utf8"

	"github.com/rogpeppe/go-internal/testscript"
)

var update = flag.Bool("update", false, "write what the commands print into the scripts")

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"trawl": main})
}

// Each script of testdata/script is a session at a shell.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		UpdateScripts:       *update,
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits":    exits,
			"fits":     fits,
			"examples": examples,
		},
	})
}

// A command that the line begins with is the only one that is made, so its name must be known without that.
func TestSubcommandsHaveTheirNames(t *testing.T) {
	for _, c := range subcommands() {
		if made := c.make(); made.Name() != c.name || len(made.Aliases) > 0 {
			t.Errorf("%q makes %q, with aliases %q", c.name, made.Name(), made.Aliases)
		}
		if made := newRootCommand([]string{c.name}).Commands(); c.name != "completion" && (len(made) != 1 || made[0].Name() != c.name) {
			t.Errorf("%q: %d commands are made", c.name, len(made))
		}
	}
	if made := newRootCommand([]string{"--help"}).Commands(); len(made) != len(subcommands()) {
		t.Errorf("of all commands %d are made", len(made))
	}
}

// exits runs a command that must end with the given status: exits STATUS COMMAND [ARG…].
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits STATUS COMMAND [ARG…]")
	}
	err := ts.Exec(args[1], args[2:]...)
	status := "0"
	if err != nil {
		status = strings.TrimPrefix(err.Error(), "exit status ")
	}
	if status != args[0] {
		ts.Fatalf("ended with %s, want exit status %s", status, args[0])
	}
}

// fits holds the last stdout to a number of columns and a final newline: fits 80.
func fits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 || args[0] != "80" {
		ts.Fatalf("usage: fits 80")
	}
	text := ts.ReadFile("stdout")
	if !strings.HasSuffix(text, "\n") {
		ts.Fatalf("no newline at the end")
	}
	for line := range strings.Lines(text) {
		if utf8.RuneCountInString(strings.TrimSuffix(line, "\n")) > 80 {
			ts.Fatalf("over 80 columns: %s", line)
		}
	}
}

// examples requires that the last paragraph of the last stdout is the examples.
func examples(ts *testscript.TestScript, neg bool, args []string) {
	paragraphs := strings.Split(strings.TrimSpace(ts.ReadFile("stdout")), "\n\n")
	if last := paragraphs[len(paragraphs)-1]; neg || !strings.HasPrefix(last, "examples:\n") || !strings.Contains(last, "trawl ") {
		ts.Fatalf("the last paragraph is not examples: %s", last)
	}
}

// A disk that is full is an error, in grep's words, and never the status of a match.
func TestStdoutCannotBeWritten(t *testing.T) {
	fd, err := syscall.Open("/dev/full", syscall.O_WRONLY|syscall.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	full := os.NewFile(uintptr(fd), os.Stdout.Name())
	defer full.Close()
	for _, args := range [][]string{{"grep", "--local", "abc"}, {"grep", "--local", "-c", "abc"}, {"grep", "--local", "--output=json", "abc"}, {"version"}, {"grep", "--help"}} {
		var errout strings.Builder
		if code := run(context.Background(), args, strings.NewReader("abc\n"), full, &errout); code != exitUsage || errout.String() != "trawl: write error: no space left on device\n" {
			t.Errorf("%v: status %d, %s", args, code, errout.String())
		}
	}
}

func TestDidYouMean(t *testing.T) {
	names := []string{"grep", "gen", "bus", "nodes", "responder", "version"}
	tests := map[string]string{"gerp": "grep", "grpe": "grep", "node": "nodes", "resp": "responder", "versoin": "version", "bsu": "bus", "frobnicate": ""}
	for word, want := range tests {
		got := didYouMean(word, names)
		if want == "" && got != "" || !strings.Contains(got, want) {
			t.Errorf("didYouMean(%q) = %q, want %q", word, got, want)
		}
	}
}

func TestByteSize(t *testing.T) {
	tests := map[string]int64{"4096": 4096, "60MB": 60_000_000, "64MiB": 64 << 20, "1.5gb": 1_500_000_000, "64K": 64 << 10, "7b": 7, " 1 kB ": 1000}
	for text, want := range tests {
		var got byteSize
		if err := got.Set(text); err != nil || int64(got) != want {
			t.Errorf("%q is %d, %v, want %d", text, got, err, want)
		}
	}
	for _, text := range []string{"", "MB", "-1", "1XB", "9999999999TB", "nan"} {
		if err := new(byteSize).Set(text); err == nil {
			t.Errorf("%q is a size", text)
		}
	}
	for n, want := range map[int64]string{0: "0B", 999: "999B", 1000: "1kB", 1_250_000: "1.2MB", 59_999_879: "60MB", 999_999: "1.0MB", 12_340_000_000: "12GB"} {
		if got := formatBytes(n); got != want {
			t.Errorf("formatBytes(%d) = %s, want %s", n, got, want)
		}
	}
}
