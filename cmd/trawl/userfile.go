package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/trawl-logs/trawl/bus"
	"github.com/trawl-logs/trawl/relations"
	"github.com/trawl-logs/trawl/responder"
)

// userFile is what a person says once for all commands but trawl responder, which has a file of its machine
// (responder.Config):
//
//	connection:
//	  server: nats://bus:4222   # or nats_context
//	  creds: ann.creds          # or nkey; tlscert, tlskey, tlsca
//	  user: ann
//	  prefix: trawl.v1
//	relations: …                # relations.Config
//
// A file that --relations or sealed.relations names has the same form; of that only relations is taken.
type userFile struct {
	Connection userConnection    `yaml:"connection"`
	Relations  *relations.Config `yaml:"relations"` // nil: not said
}

// userConnection is how the bus is reached, and as whom.
type userConnection struct {
	responder.Connection `yaml:",inline"`

	User   string `yaml:"user"`
	Prefix string `yaml:"prefix"`
}

// userFileName returns where a person's file is, whether there is one or not; without a home it is empty.
func userFileName() string {
	dir, err := os.UserConfigDir()
	if err != nil {
		return ""
	}
	return filepath.Join(dir, "trawl", "trawl.yaml")
}

// ownUserFile reads the file at userFileName, if there is one; else it returns an empty one.
func ownUserFile() (*userFile, error) {
	name := userFileName()
	if name == "" {
		return &userFile{}, nil
	}
	u, err := readUserFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return &userFile{}, nil
	}
	return u, err
}

// readUserFile reads a file. An unknown key is an error with its line. Files that it names are taken from its
// own directory, unless their names are absolute.
func readUserFile(name string) (*userFile, error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("config: %w", err)
	}
	u, err := parseUserFile(text)
	if err != nil {
		return nil, fmt.Errorf("config %s: %w", name, err)
	}
	c := &u.Connection
	for _, file := range []*string{&c.Creds, &c.NKey, &c.TLSCert, &c.TLSKey, &c.TLSCA} {
		if *file != "" && !filepath.IsAbs(*file) {
			*file = filepath.Join(filepath.Dir(name), *file)
		}
	}
	return u, nil
}

func parseUserFile(text []byte) (*userFile, error) {
	u := &userFile{}
	if err := responder.DecodeStrict(text, u); err != nil {
		return nil, err
	}
	if u.Relations != nil {
		if err := u.Relations.Finish(); err != nil {
			return nil, fmt.Errorf("relations: %s", strings.ReplaceAll(err.Error(), "\n", "; ")) // several are joined
		}
	}
	return u, nil
}

// under fills in what neither flags nor the environment say. Where these name another bus, or a context, which
// has a login of its own, nothing is taken from c: a login goes nowhere but where it belongs.
func (c *userConnection) under(o bus.Options) bus.Options {
	if o.Context != "" || o.Server != "" && (c.Server != "" || c.NATSContext != "") {
		return o
	}
	if o.Server == "" {
		o.Server, o.Context = c.Server, c.NATSContext
	}
	o.Creds, o.NKey = orElse(o.Creds, o.NKey, c.Creds, c.NKey)
	o.TLSCert, o.TLSKey = orElse(o.TLSCert, o.TLSKey, c.TLSCert, c.TLSKey)
	for _, s := range []struct {
		to   *string
		from string
	}{{&o.TLSCA, c.TLSCA}, {&o.User, c.User}, {&o.Prefix, c.Prefix}} {
		if *s.to == "" {
			*s.to = s.from
		}
	}
	return o
}
