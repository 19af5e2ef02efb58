package main

import (
	"slices"
	"strings"
	"testing"
)

// What follows the options is the pattern, to its last byte.
func TestParseText(t *testing.T) {
	tests := []struct {
		body, pattern, rest string
	}{
		{"error", "error", ""},
		{"two words", "two words", ""},
		{"  led by blanks ", "  led by blanks ", ""},
		{"-i -m 5 error", "error", "-i -m5"},
		{"-i   -m 5  two  words ", " two  words ", "-i -m5"},
		{"-im5 a -v b", "a -v b", "-i -m5"},
		{"-i -- -m 5", "-m 5", "-i"},
		{"- dash", "- dash", ""},
		{"-i it's", "it's", "-i"},
		{"--ignore-case --max-count=5 x", "x", "-i -m5"},
		{"--ignore --max-count 5 x", "x", "-i -m5"},
		{"-c error\n", "error", "-c"},
		{"-c error\r\n", "error", "-c"},
		{"{3}", "{3}", ""},
		{"{not json", "{not json", ""},
		{"error\twith tab", "error\twith tab", ""},
		{`{"pattern": "a b", "flags": ["-i", "-m", "5"]}`, "a b", "-i -m5 json"},
		{`{"patterns": ["-f"], "flags": ["-c"]}`, "-f", "-c json"},
	}
	for _, test := range tests {
		q, err := parseText([]byte(test.body))
		if err != nil {
			t.Errorf("%q: %v", test.body, err)
			continue
		}
		patterns, err := q.patterns(strings.NewReader(""))
		if err != nil || len(patterns) != 1 || patterns[0] != test.pattern {
			t.Errorf("%q: pattern %q, %v, want %q", test.body, patterns, err, test.pattern)
		}
		var got []string
		if q.ignoreCase {
			got = append(got, "-i")
		}
		if q.maxCount == 5 {
			got = append(got, "-m5")
		}
		if q.count {
			got = append(got, "-c")
		}
		if q.json {
			got = append(got, "json")
		}
		if strings.Join(got, " ") != test.rest {
			t.Errorf("%q: %q, want %q", test.body, got, test.rest)
		}
		if q.json != (q.output == "json") {
			t.Errorf("%q: output %s", test.body, q.output)
		}
	}
}

// With -e the rest are globs over paths; quotes keep blanks in a value.
func TestParseTextPatternFlag(t *testing.T) {
	for body, paths := range map[string]string{
		"-e 'a b' -e c /var/log/*.log /x":                        "/var/log/*.log /x",
		"-ie 'a b' --reg c":                                      "",
		`{"flags": ["-e", "a b", "-e", "c"], "paths": ["/x y"]}`: "/x y",
	} {
		q, err := parseText([]byte(body))
		if err != nil {
			t.Errorf("%q: %v", body, err)
			continue
		}
		if patterns, _ := q.patterns(nil); !slices.Equal(patterns, []string{"a b", "c"}) || strings.Join(q.operands, " ") != paths {
			t.Errorf("%q: patterns %q, paths %q", body, patterns, q.operands)
		}
	}
}

// A coordinator is no deputy: it reads no file of its own, and connects and publishes nowhere else.
func TestTextRefuses(t *testing.T) {
	for body, want := range map[string]string{
		"":                                   "no pattern",
		"-i":                                 "no pattern",
		"-m":                                 "wants a value",
		"-f /etc/passwd x":                   "flag -f is not offered",
		"-if/etc/passwd x":                   "flag -f is not offered",
		"--file=/etc/passwd x":               "flag --file is not offered",
		"--fil /etc/passwd x":                "--fil may be any",
		"--local x":                          "flag --local is not offered",
		"--loc x":                            "flag --local is not offered",
		"--reply-to a.b x":                   "flag --reply-to is not offered",
		"--server nats://elsewhere x":        "unknown flag --server",
		"--creds /etc/trawl/node.creds x":    "unknown flag --creds",
		"--color=always x":                   "flag --color is not offered",
		"-z x":                               "flag -z is not offered",
		"-Z x":                               "flag -Z is not offered",
		"--threads 4 x":                      "flag --threads is not offered",
		"-V":                                 "flag -V is not offered",
		"-r x":                               "unknown flag -r",
		"-J x":                               "unknown flag -J",
		"-m five x":                          "flag -m",
		"--timeout 2h x":                     "the most is 10m",
		"--output raw x":                     "none of text, json",
		"--since 'yesterday x":               "quote ' is not closed",
		`{"pattern": "x", "file": "/etc/x"}`: "unknown field",
		`{"pattern": "x", "flags": ["-f", "/etc/passwd"]}`: "flag -f is not offered",
		`{"pattern": "x", "flags": ["--", "-f"]}`:          "which is no flag",
		`{"pattern": "x", "flags": ["-i", "operand"]}`:     "which is no flag",
		`{"paths": ["/x"]}`:                                "no pattern",
		`{"pattern": 3}`:                                   "cannot unmarshal",
	} {
		if _, err := parseText([]byte(body)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", body, err, want)
		}
	}
}

// Every flag that is offered is one of trawl grep's, and stands in the help.
func TestTextFlagsExist(t *testing.T) {
	help := textHelp()
	for _, name := range textFlags {
		i := slices.IndexFunc(grepFlags, func(f grepFlag) bool {
			return f.long == name || f.long == "" && string(f.short) == name
		})
		if i < 0 {
			t.Errorf("trawl grep has no flag %q", name)
		} else if f := &grepFlags[i]; f.help != "" && !strings.Contains(help, strings.TrimRight(grepFlagRow(f), "\n")) {
			t.Errorf("the help has no %q", name)
		}
	}
	if strings.Contains(help, "--file=") || strings.Contains(help, "--local") {
		t.Errorf("the help offers too much:\n%s", help)
	}
}

// Whatever comes, it is a question or an error, and no question reads a file.
func FuzzParseText(f *testing.F) {
	for _, seed := range []string{"-i -m 5 error", "-e 'a b' x", `{"pattern":"x","flags":["-i"]}`, "--since=1h x", "-5 x", "-- -x", "help"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		q, err := parseText(body)
		if q.grepOptions == nil {
			t.Fatal("no options")
		}
		if err != nil || q.help {
			return
		}
		if q.local || q.replyTo != "" || q.nullData || q.color != auto {
			t.Errorf("%q: %+v", body, q.grepOptions)
		}
		for _, s := range q.sources {
			if s.isFile {
				t.Errorf("%q reads %s", body, s.file)
			}
		}
	})
}
