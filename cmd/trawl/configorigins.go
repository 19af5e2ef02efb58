package main

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/trawl-logs/trawl/bus"
	"github.com/trawl-logs/trawl/responder"
)

// origins are the settings of a configuration, and where each comes from.
type origins struct {
	settings []setting
	from     map[string]string
}

const fromDefault = "default"

// layer takes in what a configuration says now that one more layer has been put over it: whose keys said has, and
// what has another value than before, comes from there.
func (o *origins) layer(name string, config any, said []string) {
	before := map[string]string{}
	for _, s := range o.settings {
		before[s.key] = s.value
	}
	o.settings = settingsOf(config)
	if o.from == nil {
		o.from = map[string]string{}
	}
	for _, s := range o.settings {
		was, had := before[s.key]
		switch {
		case had && was != "" && strings.HasPrefix(s.value, was+", "): // lists of several files add up
			o.from[s.key] += ", " + name
		case !had || was != s.value || slices.Contains(said, s.key):
			o.from[s.key] = name
		}
	}
}

// keysOf lists the keys of a YAML document that settingsOf would name as well, but for those within lists.
func keysOf(text []byte) (keys []string) {
	var doc yaml.Node
	if yaml.Unmarshal(text, &doc) != nil || len(doc.Content) == 0 {
		return nil // whoever reads it says what is wrong
	}
	var walk func(key string, n *yaml.Node)
	walk = func(key string, n *yaml.Node) {
		if n.Kind != yaml.MappingNode {
			keys = append(keys, key)
			return
		}
		for i := 0; i+1 < len(n.Content); i += 2 {
			walk(strings.TrimPrefix(key+"."+n.Content[i].Value, "."), n.Content[i+1])
		}
	}
	walk("", doc.Content[0])
	return keys
}

// nodeOrigins are those of trawl responder, whose file is named, or is the default.
func nodeOrigins(name string) (*origins, error) {
	files, err := responder.Files(name)
	if err != nil {
		return nil, err
	}
	o, config := &origins{}, responder.DefaultConfig()
	o.layer(fromDefault, config, nil)
	for _, f := range files {
		if err := config.Merge(f); err != nil {
			return nil, err
		}
		text, err := os.ReadFile(f)
		if err != nil {
			return nil, fmt.Errorf("config: %w", err)
		}
		o.layer(f, config, keysOf(text))
	}
	var names []string
	if err := config.Environ(func(name string) (string, bool) {
		names = append(names, name)
		return "", false
	}); err != nil {
		return nil, err
	}
	for _, variable := range names {
		if err := config.Environ(func(name string) (string, bool) { return os.Getenv(name), name == variable }); err != nil {
			return nil, err
		}
		o.layer(variable, config, nil)
	}
	if config.Node == "" {
		o.from["node"] = "the machine's name"
	}
	if err := config.Finish(); err != nil && !errors.Is(err, responder.ErrNoLogs) {
		return nil, err
	}
	o.settings = settingsOf(config) // globs are absolute now, groups sorted
	return o, nil
}

// personOrigins are those of all other commands.
func personOrigins() (*origins, error) {
	file, err := ownUserFile()
	if err != nil {
		return nil, err
	}
	name := userFileName()
	given := (&connectFlags{}).options("")
	holds := file.Connection.under(given)
	o := &origins{from: map[string]string{}}
	add := func(key, variable, given, holds, otherwise, from string) {
		if given == "" {
			variable = name
		}
		if holds == "" {
			holds, variable = otherwise, from
		}
		o.settings = append(o.settings, setting{key, holds})
		o.from[key] = variable
	}
	server, selected := bus.DefaultURL, ""
	if holds.Context != "" {
		server = ""
	} else if holds.Server == "" {
		if selected = bus.SelectedContext(); selected != "" {
			server = ""
		}
	}
	user, err := holds.UserToken()
	if err != nil {
		user = "" // connecting says so
	}
	serverFrom := "NATS_URL"
	if os.Getenv("TRAWL_SERVER") != "" {
		serverFrom = "TRAWL_SERVER"
	}
	add("connection.server", serverFrom, given.Server, holds.Server, server, fromDefault)
	add("connection.nats_context", "TRAWL_NATS_CONTEXT", given.Context, holds.Context, selected, "selected in the nats command")
	add("connection.creds", "TRAWL_CREDS", given.Creds, holds.Creds, "", "")
	add("connection.nkey", "TRAWL_NKEY", given.NKey, holds.NKey, "", "")
	add("connection.tlscert", "TRAWL_TLSCERT", given.TLSCert, holds.TLSCert, "", "")
	add("connection.tlskey", "TRAWL_TLSKEY", given.TLSKey, holds.TLSKey, "", "")
	add("connection.tlsca", "TRAWL_TLSCA", given.TLSCA, holds.TLSCA, "", "")
	add("connection.user", "TRAWL_USER", given.User, holds.User, user, "the system's user name")
	add("connection.prefix", "TRAWL_PREFIX", given.Prefix, holds.Prefix, bus.DefaultPrefix, fromDefault)
	return o, o.addRelations(file, name)
}

// addRelations adds what is said of relations: of the file of that name, unless the environment names another.
func (o *origins) addRelations(file *userFile, name string) error {
	graph := file.Relations
	if other := os.Getenv("TRAWL_RELATIONS"); other != "" {
		var err error
		if graph, err = readRelations(other); err != nil {
			return err
		}
		name = other
	}
	if graph == nil {
		return nil
	}
	text, err := os.ReadFile(name)
	if err != nil {
		return fmt.Errorf("config: %w", err)
	}
	said := keysOf(text)
	for _, s := range settingsOf(&userFile{Relations: graph}) {
		key, _, _ := strings.Cut(s.key, "[")
		if !strings.HasPrefix(s.key, "relations.") {
			continue
		}
		o.settings = append(o.settings, s)
		o.from[s.key] = fromDefault
		if slices.ContainsFunc(said, func(k string) bool { return k == key || strings.HasPrefix(k, key+".") }) {
			o.from[s.key] = cmp.Or(name, fromDefault)
		}
	}
	return nil
}

var password = regexp.MustCompile(`://[^/@\s,]+@`)

// withoutPassword leaves out what of a URL is a login.
func withoutPassword(value string) string { return password.ReplaceAllString(value, "://…@") }
