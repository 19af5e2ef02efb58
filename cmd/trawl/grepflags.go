package main

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/pflag"
)

// grepFlag is a row of the table from which the flags of trawl grep are parsed, explained and
// completed. Exactly one of on and set is there.
type grepFlag struct {
	short  byte   // 0: none
	long   string // "": none
	value  string // what the help calls its value; "": it takes none
	maybe  bool   // the value may be left out (--color)
	help   string // "": not shown
	fleet  bool   // not one of grep's own
	values []string
	on     func(o *grepOptions)
	set    func(o *grepOptions, value string) error
}

// parseGrep reads a command line as getopt_long does: flags and operands may be mixed, letters
// bundled, long names shortened as far as they are unique. Flags that are not in the table are looked
// up in extra, which may be nil.
func parseGrep(args []string, extra *pflag.FlagSet) (*grepOptions, error) {
	p := grepParser{o: newGrepOptions(), extra: extra, args: args}
	for len(p.args) > 0 {
		arg := p.args[0]
		p.args = p.args[1:]
		var err error
		switch {
		case arg == "--":
			p.operands, p.args = append(p.operands, p.args...), nil
		case strings.HasPrefix(arg, "--"):
			err = p.long(arg[2:])
		case len(arg) > 1 && arg[0] == '-':
			err = p.letters(arg[1:])
		default:
			p.operands = append(p.operands, arg)
		}
		if err != nil {
			return nil, err
		}
	}
	return p.o, p.o.settle(p.operands)
}

type grepParser struct {
	o        *grepOptions
	extra    *pflag.FlagSet
	args     []string // not read yet
	operands []string
}

// letters reads a bundle of one-letter flags.
func (p *grepParser) letters(bundle string) error {
	for i := 0; i < len(bundle); i++ {
		c := bundle[i]
		if c >= '0' && c <= '9' {
			j := i
			for j < len(bundle) && bundle[j] >= '0' && bundle[j] <= '9' {
				j++
			}
			if err := p.o.setContext(bundle[i:j]); err != nil {
				return err
			}
			i = j - 1
			continue
		}
		if why, ok := refusedLetters[c]; ok {
			return fmt.Errorf("flag -%c: %s", c, why)
		}
		f := findLetter(c)
		if f == nil {
			return fmt.Errorf("unknown flag -%c in %q; see trawl grep --help", c, "-"+bundle)
		}
		if f.on != nil {
			f.on(p.o)
			continue
		}
		value := bundle[i+1:]
		if value == "" {
			var ok bool
			if value, ok = p.next(); !ok {
				return fmt.Errorf("flag -%c wants a value: %s", c, f.value)
			}
		}
		return f.set(p.o, value)
	}
	return nil
}

func (p *grepParser) next() (string, bool) {
	if len(p.args) == 0 {
		return "", false
	}
	value := p.args[0]
	p.args = p.args[1:]
	return value, true
}

// long reads a long flag, without its dashes.
func (p *grepParser) long(text string) error {
	name, value, has := strings.Cut(text, "=")
	f, extra, err := p.find(name)
	if err != nil {
		return err
	}
	if extra != nil {
		return p.setExtra(extra, value, has)
	}
	switch {
	case f.on != nil && has:
		return fmt.Errorf("flag --%s takes no value", f.long)
	case f.on != nil:
		f.on(p.o)
		return nil
	case !has && !f.maybe:
		if value, has = p.next(); !has {
			return fmt.Errorf("flag --%s wants a value: %s", f.long, f.value)
		}
	}
	return f.set(p.o, value)
}

// find returns the flag of a name, which may be cut short as long as it stays unique among grep's own
// flags, or else among all.
func (p *grepParser) find(name string) (*grepFlag, *pflag.Flag, error) {
	if why, ok := refusedNames[name]; ok {
		return nil, nil, fmt.Errorf("flag --%s: %s", name, why)
	}
	var own, fleet []*grepFlag
	for i := range grepFlags {
		f := &grepFlags[i]
		switch {
		case f.long == name && name != "":
			return f, nil, nil
		case f.long == "" || !strings.HasPrefix(f.long, name):
		case f.fleet:
			fleet = append(fleet, f)
		default:
			own = append(own, f)
		}
	}
	if p.extra != nil {
		if f := p.extra.Lookup(name); f != nil {
			return nil, f, nil
		}
	}
	for _, found := range [][]*grepFlag{own, fleet} {
		if len(found) == 1 || len(found) == 2 && found[0].long == "color" && found[1].long == "colour" {
			return found[0], nil, nil
		}
		if len(found) > 1 {
			var names []string
			for _, f := range append(own, fleet...) {
				names = append(names, "--"+f.long)
			}
			return nil, nil, fmt.Errorf("flag --%s may be any of %s", name, strings.Join(names, ", "))
		}
	}
	return nil, nil, fmt.Errorf("unknown flag --%s%s", name, p.nearest(name))
}

func (p *grepParser) nearest(name string) string {
	var names []string
	for i := range grepFlags {
		if grepFlags[i].help != "" && grepFlags[i].long != "" {
			names = append(names, grepFlags[i].long)
		}
	}
	if p.extra != nil {
		p.extra.VisitAll(func(f *pflag.Flag) { names = append(names, f.Name) })
	}
	hint := didYouMean(name, names)
	for _, full := range names { // --invrt is near the first word of --invert-match
		if first, _, ok := strings.Cut(full, "-"); ok && hint == "" && didYouMean(name, []string{first}) != "" {
			hint = fmt.Sprintf("; did you mean %q?", full)
		}
	}
	if hint == "" {
		return "; see trawl grep --help"
	}
	return strings.Replace(hint, `mean "`, `mean "--`, 1)
}

func (p *grepParser) setExtra(f *pflag.Flag, value string, has bool) error {
	if !has {
		if value = f.NoOptDefVal; value == "" {
			if value, has = p.next(); !has {
				return fmt.Errorf("flag --%s wants a value", f.Name)
			}
		}
	}
	if err := p.extra.Set(f.Name, value); err != nil {
		return fmt.Errorf("flag --%s: %w", f.Name, err)
	}
	return nil
}

func findLetter(c byte) *grepFlag {
	for i := range grepFlags {
		if grepFlags[i].short == c {
			return &grepFlags[i]
		}
	}
	return nil
}

// count reads a number of lines. As in grep, one that is too large means no limit.
func count(text string) (int64, error) {
	n, err := strconv.ParseInt(text, 10, 64)
	if errors.Is(err, strconv.ErrRange) {
		if strings.HasPrefix(text, "-") {
			return math.MinInt64, nil
		}
		return math.MaxInt64, nil
	}
	if err != nil {
		return 0, fmt.Errorf("%q is not a number", text)
	}
	return n, nil
}

func contextLength(text string) (int64, error) {
	n, err := count(text)
	if err != nil || n < 0 {
		return 0, fmt.Errorf("%q is not a number of context lines", text)
	}
	return n, nil
}

// oneOf returns a setter for a flag whose value is one of some words.
func oneOf(name string, words []string, set func(o *grepOptions, word string)) func(*grepOptions, string) error {
	return func(o *grepOptions, value string) error {
		if !slices.Contains(words, value) {
			return fmt.Errorf("flag --%s: %q is none of %s%s", name, value, strings.Join(words, ", "), didYouMean(value, slices.Clone(words)))
		}
		set(o, value)
		return nil
	}
}

// grepFlagHelp prints the flags of the table, grep's or the fleet's, in at most 80 columns.
func grepFlagHelp(fleet bool) string {
	return flagHelp(func(f *grepFlag) bool { return f.fleet == fleet })
}

// flagHelp prints the flags that shown picks.
func flagHelp(shown func(*grepFlag) bool) string {
	var b strings.Builder
	for i := range grepFlags {
		if f := &grepFlags[i]; f.help != "" && shown(f) {
			b.WriteString(grepFlagRow(f))
		}
	}
	return b.String()
}

// grepFlagRow prints one flag.
func grepFlagRow(f *grepFlag) string {
	const left, right = 30, 80
	var b strings.Builder
	start := "      "
	if f.short != 0 {
		start = "  -" + string(f.short)
		if f.long != "" {
			start += ", "
		}
	}
	if f.long != "" {
		start += "--" + f.long
	}
	switch {
	case f.maybe:
		start += "[=" + f.value + "]"
	case f.value != "" && f.long != "":
		start += "=" + f.value
	case f.value != "":
		start += " " + f.value
	}
	line := fmt.Sprintf("%-*s", left, start)
	if len(start) >= left {
		b.WriteString(start + "\n")
		line = strings.Repeat(" ", left)
	}
	for word := range strings.FieldsSeq(f.help) {
		if len(line)+1+len(word) > right {
			b.WriteString(strings.TrimRight(line, " ") + "\n")
			line = strings.Repeat(" ", left)
		}
		line += " " + word
	}
	b.WriteString(line + "\n")
	return b.String()
}
