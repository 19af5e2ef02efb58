package bus

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/nats-io/nats.go"
	"github.com/synadia-io/orbit.go/natscontext"
)

// target is where a connection goes: URLs, or a context of the nats command, or both (then the URLs
// stand in for the context's own).
type target struct {
	urls    string // joined by commas
	context string // path of the context's file
	server  *Server
}

// target decides where to connect: given server and context, else the context that is selected in
// the nats command, else DefaultURL.
func (o Options) target() (target, error) {
	if o.InProcess != nil {
		return target{server: o.InProcess}, nil
	}
	t := target{urls: o.Server}
	if err := t.checkURLs(); err != nil {
		return target{}, err
	}
	name := o.Context
	if name == "" && o.Server == "" {
		name = SelectedContext()
	}
	if name == "" {
		if t.urls == "" {
			t.urls = DefaultURL
		}
		return t, nil
	}
	var err error
	t.context, err = contextFile(name)
	return t, err
}

// checkURLs finds what nats.go would report as a server that cannot be reached.
func (t target) checkURLs() error {
	for u := range strings.SplitSeq(t.urls, ",") {
		u = strings.TrimSpace(u)
		if u == "" || !strings.Contains(u, "://") {
			continue // host:port, which nats.go completes
		}
		parsed, err := url.Parse(u)
		if err != nil {
			return fmt.Errorf("server URL: %w", errors.Unwrap(err)) // the outer error holds the password
		}
		if !slices.Contains([]string{"nats", "tls", "ws", "wss"}, parsed.Scheme) {
			return fmt.Errorf("server URL: scheme %q is not nats, tls, ws or wss", parsed.Scheme)
		}
	}
	return nil
}

// String names the target without passwords.
func (t target) String() string {
	if t.server != nil {
		return "the embedded server"
	}
	var urls []string
	for u := range strings.SplitSeq(t.urls, ",") {
		if u = strings.TrimSpace(u); u == "" {
			continue
		}
		bare := !strings.Contains(u, "://")
		if bare {
			u = "nats://" + u
		}
		if parsed, err := url.Parse(u); err == nil {
			if parsed.User != nil {
				parsed.User = url.User("xxxxx") // a token stands where the user does
			}
			u = parsed.String()
		}
		urls = append(urls, u)
	}
	s := strings.Join(urls, ",")
	if t.context == "" {
		return s
	}
	name := fmt.Sprintf("context %q", strings.TrimSuffix(filepath.Base(t.context), ".json"))
	if s == "" {
		return name
	}
	return s + " (" + name + ")"
}

func (t target) connect(options []nats.Option, c *Conn) (*nats.Conn, error) {
	if t.context == "" {
		return nats.Connect(t.urls, options...)
	}
	if t.urls != "" {
		options = append(options, func(o *nats.Options) error {
			o.Servers = strings.Split(strings.ReplaceAll(t.urls, " ", ""), ",")
			return nil
		})
	}
	nc, settings, err := natscontext.Connect(t.context, options...)
	if err != nil {
		return nil, err
	}
	switch {
	case settings.JSAPIPrefix != "":
		c.apiBase = strings.TrimSuffix(settings.JSAPIPrefix, ".") + "."
	case settings.JSDomain != "":
		c.apiBase = "$JS." + settings.JSDomain + ".API."
	}
	return nc, nil
}

// configDir is where the nats command keeps its contexts.
func configDir() string {
	if dir := os.Getenv("XDG_CONFIG_HOME"); dir != "" {
		return filepath.Join(dir, "nats")
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "" // then there is no context
	}
	return filepath.Join(home, ".config", "nats")
}

// SelectedContext names the context that `nats context select` chose; empty if none.
func SelectedContext() string {
	dir := configDir()
	if dir == "" {
		return ""
	}
	name, err := os.ReadFile(filepath.Join(dir, "context.txt"))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(name))
}

// contextFile finds a context by name or absolute path, and refuses one that says more than we
// would honour: a field that is silently ignored may be the one that protects the connection.
func contextFile(name string) (string, error) {
	file := name
	if !filepath.IsAbs(name) {
		if strings.ContainsAny(name, `/\`) || strings.Contains(name, "..") {
			return "", fmt.Errorf("nats context %q: not a name", name)
		}
		file = filepath.Join(configDir(), "context", name+".json")
	}
	raw, err := os.ReadFile(file)
	if errors.Is(err, os.ErrNotExist) {
		return "", fmt.Errorf("nats context %q: no file %s; `nats context ls` lists them", name, file)
	}
	if err != nil {
		return "", fmt.Errorf("nats context %q: %w", name, err)
	}
	if err := checkContext(raw); err != nil {
		return "", fmt.Errorf("nats context %q: %w", name, err)
	}
	return file, nil
}

// contextFields are the fields of a context that orbit's natscontext honours, and those that change
// nothing about a connection.
var contextFields = []string{
	"name", "description", "url", "socks_proxy", "token", "user", "password", "creds", "nkey",
	"cert", "key", "ca", "inbox_prefix", "tls_first", "jetstream_domain", "jetstream_api_prefix",
	"color_scheme", "jetstream_event_prefix",
}

// checkContext refuses fields outside contextFields that are set, and values that natscontext would
// ignore.
func checkContext(raw []byte) error {
	var fields map[string]any
	if err := json.Unmarshal(raw, &fields); err != nil {
		return err
	}
	var refused []string
	for name, v := range fields {
		if !slices.Contains(contextFields, name) && isSet(v) {
			refused = append(refused, name)
		}
	}
	if len(refused) > 0 {
		slices.Sort(refused)
		return fmt.Errorf("it sets %s, which trawl does not support", strings.Join(refused, ", "))
	}
	text := func(name string) string { s, _ := fields[name].(string); return s }
	for _, name := range []string{"creds", "nkey", "cert", "key", "ca"} {
		if v := text(name); strings.Contains(v, "://") || strings.HasPrefix(v, "data:") {
			return fmt.Errorf("%s is not a file name, which is all that trawl supports", name)
		}
	}
	if (text("cert") == "") != (text("key") == "") {
		return errors.New("cert and key go together")
	}
	logins := 0
	for _, name := range []string{"user", "creds", "nkey"} {
		if text(name) != "" {
			logins++
		}
	}
	if logins > 1 {
		return errors.New("it sets more than one of user, creds and nkey")
	}
	return nil
}

// isSet tells a field with a meaning from the empty ones that the nats command writes.
func isSet(v any) bool {
	switch v := v.(type) {
	case nil:
		return false
	case string:
		return v != ""
	case bool:
		return v
	case []any:
		return len(v) > 0
	}
	return true
}
