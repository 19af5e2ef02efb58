package trawl_test

import (
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// The bytes that PROTOCOL.md shows are those of the fixtures that the codecs are held to.
func TestProtocolShowsTheGoldenBytes(t *testing.T) {
	text := string(readFile(t, "PROTOCOL.md"))
	blocks := regexp.MustCompile("(?s)`(v1-[a-z-]+\\.hex)`\n\n```\n(.*?)```").FindAllStringSubmatch(text, -1)
	if files, err := filepath.Glob("schemas/testdata/v1-*.hex"); err != nil || len(files) == 0 || len(files) != len(blocks) {
		t.Errorf("PROTOCOL.md shows %d messages, there are %d (%v)", len(blocks), len(files), err)
	}
	for _, block := range blocks {
		if want := string(readFile(t, filepath.Join("schemas/testdata", block[1]))); block[2] != want {
			t.Errorf("PROTOCOL.md shows for %s\n%sthe file holds\n%s", block[1], block[2], want)
		}
	}
}

// What docs/bus.md lets a coordinator in an account of its own publish is what PROTOCOL.md does.
func TestCoordinatorsMayTheSame(t *testing.T) {
	block := regexp.MustCompile(`(?s)coordinator = \{\n *publish: \[\n(.*?)\]`)
	var lists [][]string
	for _, page := range []string{"PROTOCOL.md", "docs/bus.md"} {
		found := block.FindStringSubmatch(string(readFile(t, page)))
		if found == nil {
			t.Fatalf("%s has no permissions of a coordinator", page)
		}
		subjects := regexp.MustCompile(`"[^"]+"`).FindAllString(found[1], -1)
		slices.Sort(subjects)
		lists = append(lists, subjects)
	}
	if !slices.Equal(lists[0], lists[1]) {
		t.Errorf("PROTOCOL.md lets a coordinator publish\n%s\ndocs/bus.md\n%s", strings.Join(lists[0], " "), strings.Join(lists[1], " "))
	}
}
