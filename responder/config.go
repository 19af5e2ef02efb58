package responder

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/trawl-logs/trawl/responder/block"
	"github.com/trawl-logs/trawl/responder/source"
	"github.com/trawl-logs/trawl/schemas"
)

// DefaultConfigFile is read if it exists and no other is named; the files conf.d/*.yaml beside a
// config file are read after it, in the order of their names.
const DefaultConfigFile = "/etc/trawl/trawl.yaml"

// Config is what an administrator says about a node. Its YAML form:
//
//	node: web1                     # default: the host name, dots as "-"
//	groups: [web, eu]
//	labels: {env: prod}
//	sources:
//	  - logs: /var/log/nginx/*.log # or a list
//	    service: nginx             # default: derived from each file's name
//	    exclude: /var/log/nginx/*debug*
//	    labels: {tier: front}
//	    store: sealed              # its lines outlive its files; only with a state directory
//	    timezone: Europe/Berlin    # of times that name none; default: the node's
//	    time_format: "02/01/2006 15:04:05" # or epoch, epoch-ms …; default: found out
//	  - logs: /var/log/pods/*/*/*.log
//	    format: cri                # or docker: lines are wrapped, as a container runtime's are
//	  - kind: journald             # systemd's journal
//	    units: [nginx, "app-*"]    # default: all entries
//	    priority: warning          # and what is more severe; or emerg..err
//	    directory: /var/log/journal/remote # default: the machine's journal
//	roots: [/var/lib/docker/containers]
//	state: /var/lib/trawl
//	index: {level: normal, cpu: 10%, size: 20GiB} # or off; only with a state directory
//	sealed: {window: 1h, lines: 32768, age: 30d, size: 20GiB, cpu: 10%} # of sources with store: sealed
//	                               # replicas: 2, bandwidth: 20MiB: and on how many nodes each block lies, copied at that rate
//	rescan: 30s
//	ephemeral: false
//	limits: {max_queries: 8, run_time: 1h, result_bytes: 20GiB}
//	connection: {server: "nats://bus:4222", creds: /etc/trawl/node.creds}
//	coordinator: {enabled: true, user: text, connection: {creds: /etc/trawl/text.creds}}
//
// Of several files a later one's scalars, labels and limits go before an earlier one's; groups,
// sources and roots add up.
type Config struct {
	Node       string            `yaml:"node"`
	Groups     List              `yaml:"groups"`
	Labels     map[string]string `yaml:"labels"`
	Sources    []SourceConfig    `yaml:"sources"`
	Roots      List              `yaml:"roots"`
	State      string            `yaml:"state"`
	Rescan     Duration          `yaml:"rescan"`
	Ephemeral  bool              `yaml:"ephemeral"`
	LogFormat  string            `yaml:"log_format"`
	LogLevel   string            `yaml:"log_level"`
	Limits     Limits            `yaml:"limits"`
	Connection Connection        `yaml:"connection"`
	Index      IndexConfig       `yaml:"index"`
	Sealed     SealedConfig      `yaml:"sealed"`

	Coordinator Coordinator `yaml:"coordinator"`
}

// Coordinator says whether and how the node answers questions in text, which it puts to the fleet for
// people who have nothing but the nats command.
type Coordinator struct {
	Enabled    *bool      `yaml:"enabled"`    // not given: on a bus that wants no login, or where Connection has one
	User       string     `yaml:"user"`       // under which it asks: its own, with permissions of its own
	Queries    int        `yaml:"queries"`    // at once; further ones are answered "busy"
	Connection Connection `yaml:"connection"` // what is empty is as for the node, but for the login
}

// Connection is how the bus is reached; each field means what the flag of its name does.
type Connection struct {
	Server      string `yaml:"server"`
	NATSContext string `yaml:"nats_context"`
	Creds       string `yaml:"creds"`
	NKey        string `yaml:"nkey"`
	TLSCert     string `yaml:"tlscert"`
	TLSKey      string `yaml:"tlskey"`
	TLSCA       string `yaml:"tlsca"`
}

// Given tells whether anything is said.
func (c Connection) Given() bool { return c != Connection{} }

// Limits bound what queries may cost a node. Each is a named error when it is reached.
type Limits struct {
	MaxQueries  int      `yaml:"max_queries"`  // that search at once; further ones are answered "busy"
	MaxParked   int      `yaml:"max_parked"`   // that wait for a slow requester, beside those
	MaxFollows  int      `yaml:"max_follows"`  // that follow logs as they are written (trawl tail), beside those
	MaxWatches  int      `yaml:"max_watches"`  // standing queries (trawl watch), beside those
	Threads     int      `yaml:"threads"`      // of one query; 0: one per CPU
	RunTime     Duration `yaml:"run_time"`     // of one query
	ResultBytes Size     `yaml:"result_bytes"` // of one query; 0: no limit
	Files       int      `yaml:"files"`        // glob expansion
	QueryBytes  Size     `yaml:"query_bytes"`  // of an encoded query
	Patterns    int      `yaml:"patterns"`     // of one query
	Program     Size     `yaml:"program"`      // compiled pattern
	LineBytes   Size     `yaml:"line_bytes"`   // of a line kept in memory; longer ones are read twice
	Memory      Size     `yaml:"memory"`       // of the process, which it stays below as far as it can; 0: no limit
	SortBytes   Size     `yaml:"sort_bytes"`   // on disk, of all queries in time order

	// Of compressed files. The window is also what the decoders of one query may have together.
	ArchiveWindow Size `yaml:"archive_window"` // of history that zstd or xz may ask for
	ArchiveRatio  int  `yaml:"archive_ratio"`  // content to file, beyond 64 MiB of content; 0: no limit
	ArchiveOutput Size `yaml:"archive_output"` // content of one file; 0: no limit
}

// DefaultConfig is what holds where nothing is said.
func DefaultConfig() *Config {
	return &Config{
		Rescan: Duration(30 * time.Second), LogFormat: "text", LogLevel: "info",
		Index:       IndexConfig{Level: block.Normal.String(), CPU: 10, Size: 20 << 30},
		Sealed:      SealedConfig{Window: Duration(time.Hour), Lines: 32 << 10, Size: 20 << 30, CPU: 10, Bandwidth: 20 << 20},
		Coordinator: Coordinator{User: "text", Queries: 4},
		Limits: Limits{
			MaxQueries: 8, MaxParked: 32, MaxFollows: 64, MaxWatches: 64, RunTime: Duration(time.Hour), Files: source.DefaultMaxFiles,
			QueryBytes: schemas.MaxQuery, Patterns: schemas.MaxPatterns,
			LineBytes: 256 << 10, Memory: 64 << 20, SortBytes: 1 << 30,
			ArchiveWindow: 16 << 20, ArchiveRatio: 1000, ArchiveOutput: 64 << 30,
		},
	}
}

// Load reads a config file over the defaults, then its conf.d. An empty name means
// DefaultConfigFile, which need not exist.
func Load(name string) (*Config, error) {
	c := DefaultConfig()
	files, err := Files(name)
	if err != nil {
		return nil, err
	}
	for _, f := range files {
		if err := c.Merge(f); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// Files lists the files that Load reads, in their order.
func Files(name string) ([]string, error) {
	first := cmp.Or(name, DefaultConfigFile)
	more, err := filepath.Glob(filepath.Join(filepath.Dir(first), "conf.d", "*.yaml"))
	if err != nil {
		return nil, fmt.Errorf("config: %w", err)
	}
	if _, err := os.Stat(first); errors.Is(err, fs.ErrNotExist) && name == "" {
		return more, nil
	}
	return append([]string{first}, more...), nil
}

// Merge reads a file over c.
func (c *Config) Merge(file string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("config: %w", err)
	}
	if err := c.merge(text); err != nil {
		return fmt.Errorf("config %s: %w", file, err)
	}
	return nil
}

// merge reads YAML over c. An unknown key is an error with its line.
func (c *Config) merge(text []byte) error {
	before := *c
	c.Groups, c.Sources, c.Roots = nil, nil, nil
	c.Labels = maps.Clone(c.Labels)
	if err := DecodeStrict(text, c); err != nil {
		return err
	}
	c.Groups = slices.Concat(before.Groups, c.Groups)
	c.Sources = slices.Concat(before.Sources, c.Sources)
	c.Roots = slices.Concat(before.Roots, c.Roots)
	return nil
}

// DecodeStrict reads one YAML document into a struct; text without one leaves it as it is. An unknown key is an
// error with its line, and every error is one line.
func DecodeStrict(text []byte, into any) error {
	dec := yaml.NewDecoder(bytes.NewReader(text))
	dec.KnownFields(true)
	if err := dec.Decode(into); err != nil && !errors.Is(err, io.EOF) {
		return plain(err)
	}
	if err := dec.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return errors.New("more than one document")
	}
	return nil
}

// plain puts an error of the YAML reader in one line without the names of Go types.
func plain(err error) error {
	text := strings.TrimPrefix(err.Error(), "yaml: ")
	if te, ok := errors.AsType[*yaml.TypeError](err); ok {
		goType := regexp.MustCompile(`(?s)field (.+) not found in type \S+$`)
		var all []string
		for _, e := range te.Errors {
			all = append(all, goType.ReplaceAllString(e, `unknown key "$1"`))
		}
		text = strings.Join(all, "; ")
	}
	return errors.New(strings.ReplaceAll(text, "\n", " "))
}

// ErrNoLogs says that a configuration names no source.
var ErrNoLogs = errors.New(`no logs: name some with --logs '/var/log/**/*.log', or as sources in ` + DefaultConfigFile)

// Finish applies what is derived (the node's name, absolute globs) and says what is wrong.
func (c *Config) Finish() error {
	if c.Node == "" {
		host, err := os.Hostname()
		if err != nil {
			return fmt.Errorf("node name: %w; set one with --node", err)
		}
		c.Node = schemas.Token(host)
	}
	c.Node = strings.ReplaceAll(c.Node, ".", "-") // as those of a host name
	if err := schemas.CheckToken("node", c.Node); err != nil {
		return err
	}
	slices.Sort(c.Groups)
	c.Groups = slices.Compact(c.Groups)
	for _, g := range c.Groups {
		if err := schemas.CheckToken("group", g); err != nil {
			return err
		}
	}
	if len(c.Sources) == 0 {
		return ErrNoLogs
	}
	for i := range c.Sources {
		err := c.Sources[i].finish()
		if err == nil {
			err = c.Sources[i].checkStore(c.State)
		}
		if err != nil {
			return fmt.Errorf("source %d: %w", i+1, err)
		}
	}
	if err := checkLabels(c.Labels); err != nil {
		return err
	}
	if err := absolute(c.Roots); err != nil {
		return err
	}
	if !slices.Contains([]string{"text", "json"}, c.LogFormat) {
		return fmt.Errorf("log format %q is neither text nor json", c.LogFormat)
	}
	if c.Rescan < Duration(time.Second) {
		return fmt.Errorf("rescan: %v is less than a second", time.Duration(c.Rescan))
	}
	if err := schemas.CheckToken("coordinator.user", c.Coordinator.User); err != nil {
		return err
	}
	if n := c.Coordinator.Queries; n < 1 || n > 64 {
		return fmt.Errorf("coordinator.queries: %d is not within 1 and 64", n)
	}
	if err := errors.Join(c.Index.check(), c.Sealed.check()); err != nil {
		return err
	}
	return c.Limits.check()
}

// absolute makes globs absolute in place; a trailing slash, which means all beneath, is kept.
func absolute(globs []string) error {
	for i, g := range globs {
		if g == "" {
			return errors.New("a glob is empty")
		}
		if filepath.IsAbs(g) {
			continue
		}
		abs, err := filepath.Abs(g)
		if err != nil {
			return err
		}
		if strings.HasSuffix(g, "/") && !strings.HasSuffix(abs, "/") {
			abs += "/"
		}
		globs[i] = abs
	}
	return nil
}

func checkService(s string) error {
	if len(s) > 255 || strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r == '/' || r == 0x7f || r == 0xfffd }) {
		return fmt.Errorf("service %q: at most 255 characters without blanks, slashes and control characters", s)
	}
	return nil
}

func checkLabels(labels map[string]string) error {
	for k, v := range labels {
		if k == "" || len(k) > 255 || len(v) > 1024 || strings.ContainsAny(k, "= \n") {
			return fmt.Errorf("label %.300q=%.20q: a key has 1 to 255 characters without blank and =, a value at most 1024", k, v)
		}
	}
	return nil
}

func (l *Limits) check() error {
	for _, limit := range []struct {
		name     string
		v        int64
		min, max int64
	}{
		{"max_queries", int64(l.MaxQueries), 1, 1024},
		{"max_parked", int64(l.MaxParked), 0, 4096},
		{"max_follows", int64(l.MaxFollows), 0, 4096},
		{"max_watches", int64(l.MaxWatches), 0, 1024},
		{"threads", int64(l.Threads), 0, schemas.MaxThreads},
		{"run_time", int64(l.RunTime), int64(time.Second), 1 << 62},
		{"result_bytes", int64(l.ResultBytes), 0, 1 << 62},
		{"files", int64(l.Files), 1, 10_000_000},
		{"query_bytes", int64(l.QueryBytes), 1 << 10, schemas.MaxQuery},
		{"patterns", int64(l.Patterns), 1, schemas.MaxPatterns},
		{"program", int64(l.Program), 0, 1 << 30},
		{"line_bytes", int64(l.LineBytes), 4 << 10, 64 << 20},
		{"memory", int64(l.Memory), 0, 1 << 50},
		{"sort_bytes", int64(l.SortBytes), 0, 1 << 50},
		{"archive_window", int64(l.ArchiveWindow), 64 << 10, 4 << 30},
		{"archive_ratio", int64(l.ArchiveRatio), 0, 1 << 30},
		{"archive_output", int64(l.ArchiveOutput), 0, 1 << 62},
	} {
		if limit.v < limit.min || limit.v > limit.max {
			return fmt.Errorf("limits.%s: %d is not within %d and %d", limit.name, limit.v, limit.min, limit.max)
		}
	}
	return nil
}
