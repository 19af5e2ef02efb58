package growth

import (
	"bytes"
	"encoding/json"
	"flag"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/trawl-logs/trawl/bench/chart"
)

var update = flag.Bool("update", false, "write what docs/profile/scale.json says into the files beside it")

// What stands beside the last measurement's JSON is what this code makes of it: trawl bench --scale wrote all of them, or
// go test ./bench/growth -update did after a change of the text or of the figures.
func TestDocsAreOfTheMeasurement(t *testing.T) {
	const docs = "../../docs/profile"
	data, err := os.ReadFile(filepath.Join(docs, "scale.json"))
	if err != nil {
		t.Fatal(err)
	}
	r := &Report{}
	if err := json.Unmarshal(data, r); err != nil {
		t.Fatal(err)
	}
	files := map[string]func(io.Writer) error{"scale.md": func(w io.Writer) error { _, err := io.WriteString(w, r.Text()); return err }}
	for name, figure := range r.Figures() {
		files["scale"+name+".svg"] = func(w io.Writer) error { return chart.SVG(w, figure) }
		files["scale"+name+".png"] = func(w io.Writer) error { return chart.PNG(w, figure) }
	}
	for name, write := range files {
		var want bytes.Buffer
		drawn := strings.HasSuffix(name, ".png") // how it is packed is Go's own; its SVG says whether it is of today
		if *update || !drawn {
			if err := write(&want); err != nil {
				t.Fatal(err)
			}
		}
		if *update {
			if err := os.WriteFile(filepath.Join(docs, name), want.Bytes(), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		got, err := os.ReadFile(filepath.Join(docs, name))
		if err != nil || !drawn && !bytes.Equal(got, want.Bytes()) {
			t.Errorf("%s is not what scale.json says (go test ./bench/growth -update writes it): %v", name, err)
		}
	}
}
