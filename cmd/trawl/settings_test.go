package main

import (
	"math/rand/v2"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/trawl-logs/trawl/relations"
	"github.com/trawl-logs/trawl/responder"
)

// documented are the configurations with one of everything that there may be several of, and the defaults.
func documented(t *testing.T) (node *responder.Config, user *userFile) {
	t.Helper()
	node = responder.DefaultConfig()
	node.Sources = []responder.SourceConfig{{}}
	graph := &relations.Config{Prometheus: []relations.Prometheus{{URL: "http://h"}}, Jaeger: []relations.Jaeger{{URL: "http://h"}}}
	if err := graph.Finish(); err != nil {
		t.Fatal(err)
	}
	graph.Prometheus[0].URL, graph.Jaeger[0].URL = "", ""
	return node, &userFile{Relations: graph}
}

// Every key of both configurations stands in docs/configuration.md with its default, and no other does.
func TestConfigurationPage(t *testing.T) {
	page, err := os.ReadFile("../../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	machine, person, ok := strings.Cut(string(page), "\n## A person's file\n")
	if !ok {
		t.Fatal("docs/configuration.md has no section of a person's file")
	}
	node, user := documented(t)
	for _, c := range []struct {
		name, text string
		config     any
	}{{"a node's", machine, node}, {"a person's", person, user}} {
		told := map[string]string{}
		for _, row := range regexp.MustCompile("(?m)^\\| `([^`]+)` \\|([^|]*)\\|").FindAllStringSubmatch(c.text, -1) {
			told[row[1]] = strings.Trim(row[2], "` ")
		}
		for _, s := range settingsOf(c.config) {
			key := strings.ReplaceAll(s.key, "[0]", "[]")
			value, ok := told[key]
			delete(told, key)
			switch {
			case !ok:
				t.Errorf("%s key %s does not stand in docs/configuration.md", c.name, key)
			case s.value != "" && value != s.value:
				t.Errorf("docs/configuration.md says of %s %q, the default is %q", key, value, s.value)
			}
		}
		for key := range told {
			t.Errorf("docs/configuration.md has %s, which is no key of %s file", key, c.name)
		}
	}
}

// What a value is told as is what a file may say for it.
func TestSettingsCanBeReadAgain(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for i := range 2000 {
		n := rng.Int64N(1 << (1 + i%50))
		for _, d := range []time.Duration{time.Duration(n), time.Duration(n%1e6) * time.Minute, time.Duration(n%1e4) * time.Hour} {
			var back responder.Duration
			if err := back.Set(durationText(d)); err != nil || time.Duration(back) != d {
				t.Fatalf("%v is told as %s, which is read as %v, %v", d, durationText(d), time.Duration(back), err)
			}
		}
		var back responder.Size
		if err := back.Set(sizeText(n)); err != nil || int64(back) != n {
			t.Fatalf("%d is told as %s, which is read as %d, %v", n, sizeText(n), back, err)
		}
	}
}
