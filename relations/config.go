package relations

import (
	"errors"
	"fmt"
	"net/url"
	"path"
	"regexp"
	"strings"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// Config says where relations are known. In a file it stands under the key "relations":
//
//	relations:
//	  calls:                          # what is known anyway
//	    gateway: [checkout, search]
//	  services: [cron]                # that call nobody and are called by nobody
//	  prometheus:
//	    - url: http://prometheus:9090
//	      metrics: [istio, service-graph]
//	      window: 1h
//	  jaeger:
//	    - url: http://jaeger:16686
//	      lookback: 1d
//	  aliases: {checkout-v2: checkout} # a source's name: the name that the logs have
//	  refresh: 5m
//	  timeout: 10s
type Config struct {
	Calls      map[string][]string `yaml:"calls"`
	Services   []string            `yaml:"services"`
	Prometheus []Prometheus        `yaml:"prometheus"`
	Jaeger     []Jaeger            `yaml:"jaeger"`
	Aliases    map[string]string   `yaml:"aliases"` // the key may be a glob
	Refresh    Duration            `yaml:"refresh"` // how long an answer counts as fresh
	Timeout    Duration            `yaml:"timeout"` // of each request
}

// Defaults where the configuration says nothing.
const (
	DefaultRefresh  = 5 * time.Minute
	DefaultTimeout  = 10 * time.Second
	DefaultWindow   = time.Hour
	DefaultLookback = 24 * time.Hour
)

// Limits of what is taken from a source, whatever it sends.
const (
	MaxAnswer = 16 << 20 // bytes of an answer
	MaxCalls  = 100_000
	MaxName   = 255 // bytes of a service's name, as trawl's own have
)

// Duration is a time.Duration that may be written with days: 1d12h.
type Duration time.Duration

// UnmarshalYAML reads a duration.
func (d *Duration) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind != yaml.ScalarNode {
		return fmt.Errorf("line %d: a duration is wanted", n.Line)
	}
	text, days := n.Value, time.Duration(0)
	if m := daysForm().FindStringSubmatch(text); m != nil {
		var count int
		if _, err := fmt.Sscan(m[1], &count); err != nil {
			return fmt.Errorf("line %d: duration %q", n.Line, n.Value)
		}
		days, text = time.Duration(count)*24*time.Hour, m[2]
	}
	rest := time.Duration(0)
	if text != "" {
		var err error
		if rest, err = time.ParseDuration(text); err != nil {
			return fmt.Errorf("line %d: duration %q is none like 90s, 5m, 1d12h", n.Line, n.Value)
		}
	}
	*d = Duration(days + rest)
	return nil
}

var daysForm = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^([0-9]{1,4})d(.*)$`) })

// Finish fills in what is not said, and says what is wrong.
func (c *Config) Finish() error {
	setDefault(&c.Refresh, DefaultRefresh)
	setDefault(&c.Timeout, DefaultTimeout)
	for caller, callees := range c.Calls {
		for _, name := range append([]string{caller}, callees...) {
			if err := checkName(name); err != nil {
				return fmt.Errorf("calls: %w", err)
			}
		}
	}
	for _, name := range c.Services {
		if err := checkName(name); err != nil {
			return fmt.Errorf("services: %w", err)
		}
	}
	for glob, name := range c.Aliases {
		if err := checkName(name); err != nil {
			return fmt.Errorf("aliases: %w", err)
		}
		if _, err := path.Match(glob, ""); err != nil {
			return fmt.Errorf("aliases: %q is no glob", glob)
		}
	}
	for i := range c.Prometheus {
		if err := c.Prometheus[i].finish(); err != nil {
			return fmt.Errorf("prometheus %d: %w", i+1, err)
		}
	}
	for i := range c.Jaeger {
		j := &c.Jaeger[i]
		setDefault(&j.Lookback, DefaultLookback)
		if err := errors.Join(checkURL(j.URL), positive("lookback", j.Lookback)); err != nil {
			return fmt.Errorf("jaeger %d: %w", i+1, err)
		}
	}
	return errors.Join(positive("refresh", c.Refresh), positive("timeout", c.Timeout))
}

func setDefault(d *Duration, to time.Duration) {
	if *d == 0 {
		*d = Duration(to)
	}
}

func positive(name string, d Duration) error {
	if d < Duration(time.Millisecond) {
		return fmt.Errorf("%s: %v is less than a millisecond", name, time.Duration(d))
	}
	return nil
}

// checkName says whether a name can be a service's. Log lines and terminals see it.
func checkName(name string) error {
	switch {
	case name == "":
		return errors.New("the name of a service is empty")
	case len(name) > MaxName:
		return fmt.Errorf("service %.20q…: has %d bytes, more than %d", name, len(name), MaxName)
	case !utf8.ValidString(name) || strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r == '/' || !unicode.IsPrint(r) }):
		return fmt.Errorf("service %q: holds blanks, slashes or control characters", name)
	}
	return nil
}

func checkURL(text string) error {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return fmt.Errorf("url %q is none like http://host:9090", redacted(text))
	}
	return nil
}

// redacted is a URL without its password.
func redacted(text string) string {
	if u, err := url.Parse(text); err == nil {
		return u.Redacted()
	}
	return "…"
}

// alias is what the logs call a service that a source knows by that name: the alias of the name itself, or
// else of the longest glob that matches.
func (c *Config) alias(name string) string {
	if to, ok := c.Aliases[name]; ok {
		return to
	}
	best, to := "", name
	for glob, alias := range c.Aliases {
		if ok, _ := path.Match(glob, name); ok && (len(glob) > len(best) || len(glob) == len(best) && glob < best) {
			best, to = glob, alias
		}
	}
	return to
}
