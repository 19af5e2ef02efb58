package responder

import (
	"fmt"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// List is a list of strings that may be written as a single one.
type List []string

// UnmarshalYAML reads a string or a list of strings.
func (l *List) UnmarshalYAML(n *yaml.Node) error {
	var one string
	if n.Kind == yaml.ScalarNode {
		if err := n.Decode(&one); err != nil {
			return err
		}
		*l = List{one}
		return nil
	}
	var many []string
	if err := n.Decode(&many); err != nil {
		return err
	}
	*l = many
	return nil
}

// Duration is a time.Duration in a config: 90s, 15m, 1d12h, 2w.
type Duration time.Duration

// UnmarshalYAML reads a duration with its unit.
func (d *Duration) UnmarshalYAML(n *yaml.Node) error { return scalar(n, d.Set) }

// Set reads what time.ParseDuration does, and days and weeks in front of that.
func (d *Duration) Set(s string) error {
	bad := fmt.Errorf("duration %q is none like 90s, 15m, 1d12h, 2w", s)
	rest, total := s, float64(0)
	for _, unit := range []struct {
		letter string
		length time.Duration
	}{{"w", 7 * 24 * time.Hour}, {"d", 24 * time.Hour}} {
		number, after, ok := strings.Cut(rest, unit.letter)
		if !ok {
			continue
		}
		v, err := strconv.ParseUint(number, 10, 32)
		if err != nil {
			return bad
		}
		total += float64(v) * float64(unit.length)
		rest = after
	}
	if rest != "" {
		v, err := time.ParseDuration(rest)
		if err != nil || v < 0 {
			return bad
		}
		total += float64(v)
	}
	if s == "" || total >= math.MaxInt64 {
		return bad
	}
	*d = Duration(total)
	return nil
}

// Size is a number of bytes in a config: 4096, 64MiB, 20GB.
type Size int64

// UnmarshalYAML reads a size.
func (z *Size) UnmarshalYAML(n *yaml.Node) error { return scalar(n, z.Set) }

var sizeUnits = []struct {
	suffix string
	bytes  float64
}{
	{"kib", 1 << 10}, {"mib", 1 << 20}, {"gib", 1 << 30}, {"tib", 1 << 40},
	{"kb", 1e3}, {"mb", 1e6}, {"gb", 1e9}, {"tb", 1e12},
	{"k", 1 << 10}, {"m", 1 << 20}, {"g", 1 << 30}, {"t", 1 << 40}, {"b", 1}, {"", 1},
}

// Set reads a number with an optional unit: k, M, G, T and KiB… count by 1024, kB… by 1000.
func (z *Size) Set(s string) error {
	lower := strings.ToLower(s)
	for _, u := range sizeUnits {
		number, ok := strings.CutSuffix(lower, u.suffix)
		if !ok {
			continue
		}
		v, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
		if err != nil || !(v >= 0) || v*u.bytes >= math.MaxInt64 {
			break
		}
		*z = Size(v * u.bytes)
		return nil
	}
	return fmt.Errorf("size %q is none like 4096, 64MiB, 20GB", s)
}

// scalar hands a scalar to set, and puts the line in front of its error.
func scalar(n *yaml.Node, set func(string) error) error {
	if n.Kind != yaml.ScalarNode {
		return fmt.Errorf("line %d: a single value is wanted", n.Line)
	}
	if err := set(n.Value); err != nil {
		return fmt.Errorf("line %d: %w", n.Line, err)
	}
	return nil
}

// Environ overlays the TRAWL_* variables of a process on c: TRAWL_NODE, TRAWL_STATE, TRAWL_RESCAN,
// TRAWL_LOG_FORMAT, TRAWL_LOG_LEVEL, TRAWL_GROUPS and TRAWL_LABELS (a,b and k=v,k=v), TRAWL_LOGS
// (one [SERVICE=]GLOB a line), and TRAWL_MAX_QUERIES, TRAWL_THREADS, TRAWL_RUN_TIME. Lists replace
// those of the file. lookup is os.LookupEnv's like.
func (c *Config) Environ(lookup func(string) (string, bool)) error {
	for _, v := range []struct {
		name string
		set  func(string) error
	}{
		{"NODE", into(&c.Node)}, {"STATE", into(&c.State)},
		{"LOG_FORMAT", into(&c.LogFormat)}, {"LOG_LEVEL", into(&c.LogLevel)},
		{"RESCAN", c.Rescan.Set}, {"RUN_TIME", c.Limits.RunTime.Set},
		{"MAX_QUERIES", number(&c.Limits.MaxQueries)}, {"THREADS", number(&c.Limits.Threads)},
		{"GROUPS", func(s string) error { c.Groups = strings.Split(s, ","); return nil }},
		{"LABELS", func(s string) error { c.Labels = nil; return c.AddLabels(strings.Split(s, ",")...) }},
		{"LOGS", func(s string) error {
			c.Sources = nil
			return c.AddLogs(slices.DeleteFunc(strings.Split(s, "\n"), func(l string) bool { return l == "" })...)
		}},
	} {
		s, ok := lookup("TRAWL_" + v.name)
		if !ok || s == "" {
			continue
		}
		if err := v.set(s); err != nil {
			return fmt.Errorf("TRAWL_%s: %w", v.name, err)
		}
	}
	return nil
}

func into(p *string) func(string) error {
	return func(s string) error { *p = s; return nil }
}

func number(p *int) func(string) error {
	return func(s string) (err error) { *p, err = strconv.Atoi(s); return err }
}

// AddLabels adds labels given as k=v.
func (c *Config) AddLabels(pairs ...string) error {
	for _, p := range pairs {
		k, v, ok := strings.Cut(p, "=")
		if !ok || k == "" {
			return fmt.Errorf("label %q is not k=v", p)
		}
		if c.Labels == nil {
			c.Labels = map[string]string{}
		}
		c.Labels[k] = v
	}
	return nil
}

// AddLogs adds sources given as GLOB or SERVICE=GLOB. A service is what stands before the first "="
// if neither a slash nor a meta character of globs does, and no file has the whole for its name. In
// place of GLOB, journald stands for systemd's journal, and journald:UNIT for a unit of it.
func (c *Config) AddLogs(globs ...string) error {
	for _, g := range globs {
		service, rest, ok := strings.Cut(g, "=")
		if !ok || strings.ContainsAny(service, `/*?[{\`) || exists(g) {
			service, rest = "", g
		}
		if journal, ok := journalSource(service, rest); ok && !exists(rest) {
			c.Sources = append(c.Sources, journal)
			continue
		}
		if rest == "" || ok && service == "" && rest != g {
			return fmt.Errorf("logs %q is neither GLOB nor SERVICE=GLOB", g)
		}
		c.Sources = append(c.Sources, SourceConfig{Service: service, Logs: List{rest}})
	}
	return nil
}

func exists(name string) bool {
	_, err := os.Lstat(name)
	return err == nil
}
