package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// textUsage is what a coordinator answers to help, and after what it could not understand.
const textUsage = `usage: nats req --wait-for-empty --reply-timeout=30s --raw trawl.v1.text -- '[OPTIONS] PATTERN'
Options come first; the rest is the pattern to its last byte, blanks included.
-- ends the options, for a pattern that begins with "-". A value with blanks
stands in quotes: --since '2026-11-22 14:30'. With -e, what is left after the
options are globs over paths. Also JSON: {"pattern": "error", "flags": ["-i"],
"paths": ["/var/log/*.log"]}, which is answered in JSON, an object a line.`

// textExamples end the help of a coordinator.
const textExamples = `examples:
  nats req --wait-for-empty --reply-timeout=30s --raw trawl.v1.text -- '-i -m 5 error'
  nats req --wait-for-empty --reply-timeout=30s --raw trawl.v1.node.web1.text -- '-c --since 1h timeout'`

// textTimeout is the most that a question in text may take.
const textTimeout = 10 * time.Minute

// textFlags are the flags of trawl grep that a question in text may have, by their long names, or the
// letter if there is none. Those that are not here would read the coordinator's files, connect, publish
// elsewhere, or make lines that do not begin with a node.
var textFlags = []string{
	"regexp", "fixed-strings", "extended-regexp", "basic-regexp", "ignore-case", "no-ignore-case", "y",
	"invert-match", "word-regexp", "line-regexp", "text", "binary-files", "I", "include", "exclude",
	"count", "files-with-matches", "files-without-match", "only-matching", "quiet", "max-count",
	"line-number", "byte-offset", "with-filename", "no-filename", "after-context", "before-context",
	"context", "no-group-separator", "help", "node", "group", "service", "with-label", "since", "until",
	"tz", "order", "limit", "timeout", "output", "explain", "exhaustive",
}

// textQuestion is what somebody asks by hand.
type textQuestion struct {
	*grepOptions
	json bool // asked in JSON, and answered so
}

// parseText reads a question. That it is JSON is known even where it is wrong.
func parseText(body []byte) (textQuestion, error) {
	body = bytes.TrimSuffix(bytes.TrimSuffix(body, []byte("\n")), []byte("\r")) // what a shell's pipe adds
	if len(body) > 0 && body[0] == '{' && json.Valid(body) {
		o, err := parseTextJSON(body)
		return textQuestion{o, true}, err
	}
	text := string(body)
	if strings.TrimSpace(text) == "help" {
		text = "--help"
	}
	args, rest, given, err := splitText(text)
	if err != nil {
		return textQuestion{newGrepOptions(), false}, err
	}
	if given {
		args = append(append(args, "--"), strings.Fields(rest)...)
	} else if rest != "" {
		args = append(args, "--", rest)
	}
	o, err := finishText(args)
	return textQuestion{o, o.output == "json"}, err
}

// parseTextJSON reads a question in JSON.
func parseTextJSON(body []byte) (*grepOptions, error) {
	var q struct {
		Pattern  *string  `json:"pattern"`
		Patterns []string `json:"patterns"`
		Flags    []string `json:"flags"`
		Paths    []string `json:"paths"`
	}
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&q); err != nil {
		return newGrepOptions(), errors.New(strings.TrimPrefix(err.Error(), "json: "))
	}
	given, err := checkTextFlags(q.Flags)
	if err != nil {
		return newGrepOptions(), err
	}
	args := q.Flags
	if q.Pattern != nil {
		q.Patterns = append(q.Patterns, *q.Pattern)
	}
	for _, p := range q.Patterns {
		args = append(args, "--regexp="+p)
	}
	if len(q.Paths) > 0 && len(q.Patterns) == 0 && !given {
		return newGrepOptions(), errors.New("no pattern given")
	}
	o, err := finishText(append(append(args, "--"), q.Paths...))
	o.output = "json"
	return o, err
}

// finishText parses arguments whose flags have been checked.
func finishText(args []string) (*grepOptions, error) {
	o, err := parseGrep(args, nil)
	switch {
	case err != nil:
		o = newGrepOptions()
	case o.timeout > textTimeout:
		err = fmt.Errorf("flag --timeout: the most is %s here", textTimeout)
	}
	if err != nil {
		err = errors.New(strings.Replace(err.Error(), "trawl grep --help", "help", 1))
	}
	return o, err
}

// checkTextFlags refuses arguments that are not flags of textFlags with their values, and tells whether
// one of them gives a pattern.
func checkTextFlags(args []string) (pattern bool, err error) {
	for len(args) > 0 {
		arg := args[0]
		args = args[1:]
		if len(arg) < 2 || arg[0] != '-' || arg == "--" {
			return false, fmt.Errorf("flags hold %q, which is no flag", arg)
		}
		f, wants, err := textFlag(arg)
		if err != nil {
			return false, err
		}
		pattern = pattern || f.long == "regexp"
		if wants {
			if len(args) == 0 {
				return false, fmt.Errorf("flag %s wants a value", arg)
			}
			args = args[1:]
		}
	}
	return pattern, nil
}

// splitText takes the options off the front of a question, and tells whether one of them gives a
// pattern. Between the last one and the rest stands one blank, which belongs to neither.
func splitText(text string) (args []string, rest string, pattern bool, err error) {
	for len(text) > 1 && text[0] == '-' && !isBlank(text[1]) {
		var arg string
		if arg, rest, err = word(text); err != nil {
			return nil, "", false, err
		}
		if arg == "--" {
			return args, rest, pattern, nil
		}
		f, wants, err := textFlag(arg)
		if err != nil {
			return nil, "", false, err
		}
		pattern = pattern || f.long == "regexp"
		args = append(args, arg)
		if wants {
			if rest = strings.TrimLeft(rest, blanks); rest == "" {
				return nil, "", false, fmt.Errorf("flag %s wants a value", arg)
			}
			if arg, rest, err = word(rest); err != nil {
				return nil, "", false, err
			}
			args = append(args, arg)
		}
		if next := strings.TrimLeft(rest, blanks); strings.HasPrefix(next, "-") {
			rest = next
		}
		text = rest
	}
	return args, text, pattern, nil
}

const blanks = " \t"

func isBlank(c byte) bool { return strings.IndexByte(blanks, c) >= 0 }

// word takes the first word off a text, and the blank behind it. Quotes keep blanks in it, and nothing
// is special between them.
func word(text string) (word, rest string, err error) {
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case isBlank(c):
			return b.String(), text[i+1:], nil
		case c == '\'' || c == '"':
			n := strings.IndexByte(text[i+1:], c)
			if n < 0 {
				return "", "", fmt.Errorf("a quote %c is not closed: %s", c, text[i:])
			}
			b.WriteString(text[i+1 : i+1+n])
			i += n + 1
		default:
			b.WriteByte(c)
		}
	}
	return b.String(), "", nil
}

// textFlag checks one argument against textFlags, and returns its flag, of several in a bundle the last,
// and whether the next argument is its value.
func textFlag(arg string) (f *grepFlag, wantsNext bool, err error) {
	if name, isLong := strings.CutPrefix(arg, "--"); isLong {
		name, _, has := strings.Cut(name, "=")
		f, _, err := (&grepParser{}).find(name)
		if err != nil {
			return nil, false, errors.New(strings.Replace(err.Error(), "trawl grep --help", "help", 1))
		}
		if !offered(f) {
			return nil, false, fmt.Errorf("flag --%s is not offered here", f.long)
		}
		return f, f.set != nil && !has && !f.maybe, nil
	}
	f = &grepFlag{long: "context"} // of a bundle of digits alone
	for i := 1; i < len(arg); i++ {
		if arg[i] >= '0' && arg[i] <= '9' {
			continue // lines of context
		}
		switch f = findLetter(arg[i]); {
		case f == nil:
			return nil, false, fmt.Errorf("unknown flag -%c in %q", arg[i], arg)
		case !offered(f):
			return nil, false, fmt.Errorf("flag -%c is not offered here", arg[i])
		case f.set != nil:
			return f, i == len(arg)-1, nil
		}
	}
	return f, false, nil
}

// offered tells whether a question in text may have the flag.
func offered(f *grepFlag) bool {
	if f.long == "" {
		return slices.Contains(textFlags, string(f.short))
	}
	return slices.Contains(textFlags, f.long)
}

// textHelp is the help of a coordinator.
func textHelp() string {
	var flags strings.Builder
	for i := range grepFlags {
		f := &grepFlags[i]
		if f.help != "" && offered(f) {
			flags.WriteString(grepFlagRow(f))
		}
	}
	return textUsage + "\n\noptions:\n" + flags.String() + "\n" + textExamples + "\n"
}
