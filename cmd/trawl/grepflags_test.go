package main

import (
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/spf13/pflag"
	"github.com/trawl-logs/trawl/schemas"
)

func TestParseGrep(t *testing.T) {
	for _, c := range []struct {
		args string
		ok   func(o *grepOptions) bool
	}{
		{"a b c", func(o *grepOptions) bool {
			return o.sources[0].text == "a" && slices.Equal(o.operands, []string{"b", "c"})
		}},
		{"a -n b -c", func(o *grepOptions) bool { return o.number && o.count && slices.Equal(o.operands, []string{"b"}) }},
		{"-e=x b", func(o *grepOptions) bool { return o.sources[0].text == "=x" && slices.Equal(o.operands, []string{"b"}) }},
		{"--regexp=x --regexp y", func(o *grepOptions) bool { return o.sources[0].text == "x" && o.sources[1].text == "y" }},
		{"-ine x", func(o *grepOptions) bool { return o.ignoreCase && o.number && o.sources[0].text == "x" }},
		{"-A2 -B 3 a", func(o *grepOptions) bool { return o.after == 2 && o.before == 3 }},
		{"-5 -A1 a", func(o *grepOptions) bool { return o.after == 1 && o.before == 5 }},
		{"-1n2 a", func(o *grepOptions) bool { return o.before == 2 && o.number }},
		{"-12 a", func(o *grepOptions) bool { return o.before == 12 }},
		{"--context=3 a", func(o *grepOptions) bool { return o.after == 3 && o.before == 3 }},
		{"a", func(o *grepOptions) bool {
			return o.after == -1 && o.before == -1 && !o.contextGiven() && o.maxCount == -1
		}},
		{"-A0 a", func(o *grepOptions) bool { return o.contextGiven() }},
		{"-- -a -b", func(o *grepOptions) bool { return o.sources[0].text == "-a" && o.operands[0] == "-b" }},
		{"a -", func(o *grepOptions) bool { return o.operands[0] == "-" }},
		{"--colo=always a", func(o *grepOptions) bool { return o.color == always }},
		{"--t --o --line-n a", func(o *grepOptions) bool { return o.number && o.onlyMatching }},
		{"--color a b", func(o *grepOptions) bool { return o.colorGiven && o.color == auto && o.operands[0] == "b" }},
		{"-Hh a", func(o *grepOptions) bool { return o.filename == never }},
		{"-lL -q a", func(o *grepOptions) bool { return o.mode() == schemas.ModeQuiet }},
		{"-cL a", func(o *grepOptions) bool { return o.mode() == schemas.ModeFilesWithout }},
		{"-m99999999999999999999 a", func(o *grepOptions) bool { return o.maxCount > 1<<60 }},
		{"--group g --with-label k=v --local --limit 3 a", func(o *grepOptions) bool {
			return o.groups[0] == "g" && o.labels[0] == schemas.Label{K: "k", V: "v"} && o.local && o.limit == 3
		}},
		{"--exh a", func(o *grepOptions) bool { return o.exhaustive }},
		{"--server=x a", func(o *grepOptions) bool { return len(o.operands) == 0 && o.sources[0].text == "a" }},
	} {
		extra := pflag.NewFlagSet("", pflag.ContinueOnError)
		extra.String("server", "", "")
		o, err := parseGrep(strings.Fields(c.args), extra)
		if err != nil || !c.ok(o) {
			t.Errorf("%s: %v, %+v", c.args, err, o)
		}
	}
}

func TestParseGrepRefuses(t *testing.T) {
	for args, want := range map[string]string{
		"":                    "no pattern",
		"--invrt-match a":     `did you mean "--invert-match"`,
		"--invrt a":           `did you mean "--invert-match"`,
		"--exhaustiv=1 a":     "takes no value",
		"-n --context a":      "not a number of context lines",
		"-A":                  "flag -A wants a value: NUM",
		"-A -1 a":             "not a number of context lines",
		"-m x a":              "not a number",
		"--co a":              "--context, --color",
		"-E -F a":             "exclude one another",
		"-P a":                "linear time",
		"-r a":                "glob",
		"-d recurse a":        "glob",
		"-d x a":              "read, skip",
		"--recursive a":       "glob",
		"--color=sometimes a": "auto, always, never",
		"--output=xml a":      "none of text, json",
		"--order=tiem a":      `did you mean "time"`,
		"--binary-files=x a":  "without-match",
		"--with-label k a":    "KEY=VALUE",
		"--limit 0 a":         "above 0",
		"--tz Nowhere/No a":   "Nowhere",
		"-K a":                "unknown flag -K",
		"--count=3 a":         "takes no value",
	} {
		if _, err := parseGrep(strings.Fields(args), nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", args, err, want)
		}
	}
}

// No flag of the fleet takes a name or letter of grep's, and the help keeps to 80 columns.
func TestGrepFlagTable(t *testing.T) {
	letters, names := map[byte]bool{}, map[string]bool{}
	for _, f := range grepFlags {
		if (f.on == nil) == (f.set == nil) {
			t.Errorf("-%c --%s: one of on and set", f.short, f.long)
		}
		if f.short != 0 && letters[f.short] || f.long != "" && names[f.long] {
			t.Errorf("-%c --%s is there twice", f.short, f.long)
		}
		if f.fleet && f.short != 0 {
			t.Errorf("--%s takes the letter %c", f.long, f.short)
		}
		letters[f.short], names[f.long] = true, true
	}
	usage := grepUsage()
	for line := range strings.Lines(usage) {
		if utf8.RuneCountInString(line) > 81 {
			t.Errorf("more than 80 columns: %q", line)
		}
	}
	if i := strings.LastIndex(usage, "examples:"); i < 0 || !strings.HasSuffix(usage, grepExamples) {
		t.Error("help does not end in examples")
	}
}
