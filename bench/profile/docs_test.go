package profile

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"strings"
	"testing"

	"github.com/trawl-logs/trawl/bench/chart"
)

var update = flag.Bool("update", false, "write what docs/profile/bench.json says into the files beside it and the README")

// What stands beside the last measurement's JSON, and in the README, is what this code makes of it: task bench:profile wrote
// all of it, or go test ./bench/profile -update did after a change of the text or of the figure.
func TestDocsAreOfTheMeasurement(t *testing.T) {
	const docs, readme = "../../docs/profile/bench", "../../README.md"
	data, err := os.ReadFile(docs + ".json")
	if err != nil {
		t.Fatal(err)
	}
	r := &Report{}
	if err := json.Unmarshal(data, r); err != nil {
		t.Fatal(err)
	}
	var svg bytes.Buffer // how a PNG is packed is Go's own: that of the same figure is written with it
	if err := chart.SVG(&svg, r.Figure()); err != nil {
		t.Fatal(err)
	}
	if *update {
		var png bytes.Buffer
		if err := chart.PNG(&png, r.Figure()); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(docs+".png", png.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	page, err := os.ReadFile(readme)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, found := strings.Cut(string(page), "<!-- profile -->\n")
	_, after, ended := strings.Cut(rest, "<!-- end -->\n")
	if !found || !ended {
		t.Fatal("the README has no place for the profile")
	}
	for name, want := range map[string]string{
		docs + ".md": r.Text(), docs + ".svg": svg.String(),
		readme: before + "<!-- profile -->\n" + r.Text() + "<!-- end -->\n" + after,
	} {
		if *update {
			if err := os.WriteFile(name, []byte(want), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		got, err := os.ReadFile(name)
		if err != nil || string(got) != want {
			t.Errorf("%s is not what bench.json says (go test ./bench/profile -update writes it): %v", name, err)
		}
	}
}
