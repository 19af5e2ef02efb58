package trawl_test

import (
	"path/filepath"
	"regexp"
	"testing"
)

// The bytes that PROTOCOL.md shows are those of the fixtures that the codecs are held to.
func TestProtocolShowsTheGoldenBytes(t *testing.T) {
	text := string(readFile(t, "PROTOCOL.md"))
	blocks := regexp.MustCompile("(?s)`(v1-[a-z-]+\\.hex)`\n\n```\n(.*?)```").FindAllStringSubmatch(text, -1)
	if len(blocks) < 9 {
		t.Fatalf("found %d blocks of golden bytes", len(blocks))
	}
	for _, block := range blocks {
		if want := string(readFile(t, filepath.Join("schemas/testdata", block[1]))); block[2] != want {
			t.Errorf("PROTOCOL.md shows for %s\n%sthe file holds\n%s", block[1], block[2], want)
		}
	}
}
