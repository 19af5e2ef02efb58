package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/trawl-logs/trawl/requester/when"
	"github.com/trawl-logs/trawl/responder/source"
	"github.com/trawl-logs/trawl/schemas"
)

const noGlob = "not offered; name files with a glob of your shell, such as **/*.log"

var refusedLetters = map[byte]string{
	'r': noGlob, 'R': noGlob,
	'P': "Perl expressions cannot be matched in linear time; write the pattern as RE2 (the default), or with -E",
}

var refusedNames = map[string]string{
	"recursive": noGlob, "dereference-recursive": noGlob, "exclude-dir": noGlob,
	"perl-regexp": refusedLetters['P'], "exclude-from": "not offered; repeat --exclude",
}

// grepFlags is the one table of the flags of trawl grep.
var grepFlags []grepFlag

func init() { grepFlags = append(ownFlags(), fleetFlags()...) }

// ownFlags are GNU grep's, with its letters and meaning.
func ownFlags() []grepFlag {
	return append(patternFlags(), outputFlags()...)
}

func patternFlags() []grepFlag {
	return []grepFlag{
		{short: 'e', long: "regexp", value: "PATTERNS", help: "a pattern; repeatable, and several in one stand on lines of their own", set: func(o *grepOptions, v string) error {
			o.sources = append(o.sources, patternSource{text: v})
			return nil
		}},
		{short: 'f', long: "file", value: "FILE", help: "take patterns from the lines of FILE", set: func(o *grepOptions, v string) error {
			o.sources = append(o.sources, patternSource{file: v, isFile: true})
			return nil
		}},
		{short: 'F', long: "fixed-strings", help: "patterns are strings", on: syntaxIs(schemas.SyntaxFixed)},
		{short: 'E', long: "extended-regexp", help: "patterns are POSIX extended expressions (default: RE2)", on: syntaxIs(schemas.SyntaxERE)},
		{short: 'G', long: "basic-regexp", help: "patterns are POSIX basic expressions", on: syntaxIs(schemas.SyntaxBRE)},
		{long: "fixed-regexp", on: syntaxIs(schemas.SyntaxFixed)},
		{short: 'i', long: "ignore-case", help: "ignore case", on: func(o *grepOptions) { o.ignoreCase = true }},
		{short: 'y', on: func(o *grepOptions) { o.ignoreCase = true }},
		{long: "no-ignore-case", help: "do not ignore case", on: func(o *grepOptions) { o.ignoreCase = false }},
		{short: 'v', long: "invert-match", help: "select the lines that do not match", on: func(o *grepOptions) { o.invert = true }},
		{short: 'w', long: "word-regexp", help: "match whole words only", on: func(o *grepOptions) { o.word = true }},
		{short: 'x', long: "line-regexp", help: "match whole lines only", on: func(o *grepOptions) { o.line = true }},
		{short: 'z', long: "null-data", help: "lines end in NUL, not in a newline", on: func(o *grepOptions) { o.nullData = true }},
		{short: 'a', long: "text", help: "search binary files as text", on: func(o *grepOptions) { o.binary = schemas.BinaryText }},
		{long: "binary-files", value: "TYPE", help: "binary files are: binary (say only that they match), text, without-match", values: []string{"binary", "text", "without-match"},
			set: oneOf("binary-files", []string{"binary", "text", "without-match"}, func(o *grepOptions, v string) {
				o.binary = map[string]schemas.Binary{"binary": schemas.BinaryReport, "text": schemas.BinaryText, "without-match": schemas.BinaryWithout}[v]
			})},
		{short: 'I', help: "the same as --binary-files=without-match", on: func(o *grepOptions) { o.binary = schemas.BinaryWithout }},
		{short: 'U', long: "binary", on: func(*grepOptions) {}},
		{short: 'u', long: "unix-byte-offsets", on: func(*grepOptions) {}}, // obsolete, as in GNU grep
		{short: 'd', long: "directories", value: "ACTION", help: "with --local: read (default: say that it is a directory) or skip", values: []string{"read", "skip"},
			set: readOrSkip("directories", func(o *grepOptions, skip bool) { o.skipDirs = skip })},
		{short: 'D', long: "devices", value: "ACTION", help: "with --local, devices, FIFOs and sockets: read or skip", values: []string{"read", "skip"},
			set: readOrSkip("devices", func(o *grepOptions, skip bool) { o.skipDevices = skip })},
		{long: "include", value: "GLOB", help: "search only files whose base name matches", set: func(o *grepOptions, v string) error {
			o.names = append(o.names, source.NameRule{Glob: v, Include: true})
			return nil
		}},
		{long: "exclude", value: "GLOB", help: "leave out files whose base name matches", set: func(o *grepOptions, v string) error {
			o.names = append(o.names, source.NameRule{Glob: v})
			return nil
		}},
	}
}

func outputFlags() []grepFlag {
	return []grepFlag{
		{short: 'c', long: "count", help: "print how many lines are selected of each file", on: func(o *grepOptions) { o.count = true }},
		{short: 'l', long: "files-with-matches", help: "print the names of files with selected lines", on: func(o *grepOptions) { o.list = schemas.ModeFiles }},
		{short: 'L', long: "files-without-match", help: "print the names of files without", on: func(o *grepOptions) { o.list = schemas.ModeFilesWithout }},
		{short: 'o', long: "only-matching", help: "print only what matches, each match on a line", on: func(o *grepOptions) { o.onlyMatching = true }},
		{short: 'q', long: "quiet", help: "print nothing; the exit status tells", on: func(o *grepOptions) { o.quiet = true }},
		{long: "silent", on: func(o *grepOptions) { o.quiet = true }},
		{short: 's', long: "no-messages", help: "no messages on files that cannot be read", on: func(o *grepOptions) { o.noMessages = true }},
		{short: 'm', long: "max-count", value: "NUM", help: "stop after NUM selected lines of a file", set: func(o *grepOptions, v string) error {
			n, err := count(v)
			if err != nil {
				return fmt.Errorf("flag -m: %w", err)
			}
			o.maxCount = max(n, -1)
			return nil
		}},
		{short: 'n', long: "line-number", help: "print line numbers; --output=json has them anyway, but not with --since", on: func(o *grepOptions) { o.number = true }},
		{short: 'b', long: "byte-offset", help: "print byte offsets", on: func(o *grepOptions) { o.offset = true }},
		{short: 'H', long: "with-filename", help: "print file names", on: func(o *grepOptions) { o.filename = always }},
		{short: 'h', long: "no-filename", help: "print no file names, and no node names", on: func(o *grepOptions) { o.filename = never }},
		{short: 'T', long: "initial-tab", help: "put a tab before lines, so that tabs in them line up", on: func(o *grepOptions) { o.initialTab = true }},
		{short: 'Z', long: "null", help: "print NUL after file names", on: func(o *grepOptions) { o.nullName = true }},
		{short: 'A', long: "after-context", value: "NUM", help: "print NUM lines after each selected one", set: setLines(func(o *grepOptions, n int64) { o.after = n })},
		{short: 'B', long: "before-context", value: "NUM", help: "print NUM lines before each selected one", set: setLines(func(o *grepOptions, n int64) { o.before = n })},
		{short: 'C', long: "context", value: "NUM", help: "both; -NUM is the same", set: func(o *grepOptions, v string) error { return o.setContext(v) }},
		{long: "group-separator", value: "SEP", help: "print SEP between groups of lines (default --)", set: func(o *grepOptions, v string) error {
			o.separator, o.noGroups = v, false
			return nil
		}},
		{long: "no-group-separator", help: "print nothing between groups", on: func(o *grepOptions) { o.noGroups = true }},
		{long: "color", value: "WHEN", maybe: true, help: "colour matches as GREP_COLORS says: auto, always, never", values: []string{"auto", "always", "never"}, set: setColor},
		{long: "colour", value: "WHEN", maybe: true, set: setColor},
		{long: "label", value: "NAME", help: "call stdin NAME", set: func(o *grepOptions, v string) error { o.label = &v; return nil }},
		{long: "line-buffered", help: "write every line at once", on: func(o *grepOptions) { o.lineBuffered = true }},
		{short: 'V', long: "version", help: "print the version", on: func(o *grepOptions) { o.version = true }},
		{long: "help", help: "print this", on: func(o *grepOptions) { o.help = true }},
	}
}

// fleetFlags are trawl's own. None takes a name or letter of grep's.
func fleetFlags() []grepFlag {
	flags := []grepFlag{
		{long: "local", help: "search local files or stdin, without a bus", on: func(o *grepOptions) { o.local = true }},
		{long: "node", value: "GLOB", help: "ask these nodes; repeatable", set: func(o *grepOptions, v string) error { o.nodes = append(o.nodes, v); return nil }},
		{long: "group", value: "GLOB", help: "ask nodes of these groups; repeatable", set: func(o *grepOptions, v string) error { o.groups = append(o.groups, v); return nil }},
		{long: "service", value: "GLOB", help: "search files of these services; repeatable", set: func(o *grepOptions, v string) error { o.services = append(o.services, v); return nil }},
		{long: "with-label", value: "K=V", help: "search sources with this label; V may be a glob; repeatable", set: func(o *grepOptions, v string) error {
			k, v, ok := strings.Cut(v, "=")
			if !ok || k == "" {
				return fmt.Errorf("flag --with-label: %q is not of the form KEY=VALUE", k)
			}
			o.labels = append(o.labels, schemas.Label{K: k, V: v})
			return nil
		}},
		{long: "since", value: "TIME", help: "only lines from TIME on: 15m, 2d, today, 14:30, 2026-11-22 14:30, RFC 3339, @epoch", set: func(o *grepOptions, v string) error { o.since = v; return nil }},
		{long: "until", value: "TIME", help: "only lines before TIME", set: func(o *grepOptions, v string) error { o.until = v; return nil }},
		{long: "tz", value: "ZONE", help: "time zone of --since and --until (default: local)", set: func(o *grepOptions, v string) (err error) {
			if o.zone, err = time.LoadLocation(v); err != nil {
				return fmt.Errorf("flag --tz: %w", err)
			}
			return nil
		}},
		{long: "order", value: "ORDER", help: "node (default), time: all lines merged by their times, or arrival", values: []string{"node", "time", "arrival"},
			set: oneOf("order", []string{"node", "time", "arrival"}, func(o *grepOptions, v string) {
				o.order = map[string]schemas.Order{"node": schemas.OrderNode, "time": schemas.OrderTime, "arrival": schemas.OrderArrival}[v]
			})},
		{long: "limit", value: "N", help: "stop after N lines in all", set: setPositive("limit", func(o *grepOptions, n int64) { o.limit = n })},
		{long: "threads", value: "N", help: "workers (on nodes it can only lower their limit)", set: setPositive("threads", func(o *grepOptions, n int64) { o.threads = int(min(n, 1024)) })},
		{long: "timeout", value: "DUR", help: "end on every node after DUR (default 5m)", set: func(o *grepOptions, v string) error {
			d, err := when.Duration(v)
			if err != nil || d <= 0 {
				return fmt.Errorf("flag --timeout: %q is not a duration such as 30s or 5m", v)
			}
			o.timeout = d
			return nil
		}},
	}
	flags = append(flags, answerFlags()...)
	for i := range flags {
		flags[i].fleet = true
	}
	return flags
}

func answerFlags() []grepFlag {
	return []grepFlag{
		{long: "output", value: "FORM", help: "text (default) or json", values: []string{"text", "json"},
			set: oneOf("output", []string{"text", "json"}, func(o *grepOptions, v string) { o.output = v })},
		{long: "explain", help: "say what would be read, and read nothing", on: func(o *grepOptions) { o.explain = true }},
		{long: "exhaustive", help: "use no index, prune nothing", on: func(o *grepOptions) { o.exhaustive = true }},
		{long: "receipt", help: "print the receipt on stderr even if all is well", on: func(o *grepOptions) { o.receipt = true }},
		{long: "timing", help: "say on stderr where the time went", on: func(o *grepOptions) { o.timing = true }},
		{long: "no-progress", help: "no progress line", on: func(o *grepOptions) { o.noProgress = true }},
		{long: "ok-partial", help: "exit 0 or 1 even if not every node answered in full", on: func(o *grepOptions) { o.okPartial = true }},
		{long: "reply-to", value: "SUBJECT", help: "publish what is found on SUBJECT as well", set: func(o *grepOptions, v string) error { o.replyTo = v; return nil }},
		{long: "reply-to-format", value: "FORM", help: "there: msgpack (default), frames as on the bus, or json, a line a message", values: []string{"msgpack", "json"},
			set: oneOf("reply-to-format", []string{"msgpack", "json"}, func(o *grepOptions, v string) { o.replyToFormat = v })},
	}
}

// readOrSkip returns a setter for -d and -D.
func readOrSkip(name string, set func(o *grepOptions, skip bool)) func(*grepOptions, string) error {
	words := oneOf(name, []string{"read", "skip"}, func(o *grepOptions, word string) { set(o, word == "skip") })
	return func(o *grepOptions, value string) error {
		if name == "directories" && value == "recurse" {
			return fmt.Errorf("flag --directories=recurse: %s", noGlob)
		}
		return words(o, value)
	}
}

func syntaxIs(s schemas.Syntax) func(*grepOptions) {
	return func(o *grepOptions) {
		o.conflict = o.conflict || o.syntaxGiven && o.syntax != s
		o.syntax, o.syntaxGiven = s, true
	}
}

func setLines(set func(*grepOptions, int64)) func(*grepOptions, string) error {
	return func(o *grepOptions, v string) error {
		n, err := contextLength(v)
		if err != nil {
			return err
		}
		set(o, n)
		return nil
	}
}

func setPositive(name string, set func(*grepOptions, int64)) func(*grepOptions, string) error {
	return func(o *grepOptions, v string) error {
		n, err := strconv.ParseInt(v, 10, 64)
		if err != nil || n <= 0 {
			return fmt.Errorf("flag --%s: %q is not a number above 0", name, v)
		}
		set(o, n)
		return nil
	}
}

func setColor(o *grepOptions, v string) error {
	switch v {
	case "", "auto", "tty", "if-tty":
		o.color = auto
	case "always", "yes", "force":
		o.color = always
	case "never", "no", "none":
		o.color = never
	default:
		return fmt.Errorf("flag --color: %q is none of auto, always, never", v)
	}
	o.colorGiven = true
	return nil
}
