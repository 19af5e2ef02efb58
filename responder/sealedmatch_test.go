package responder

import (
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/trawl-logs/trawl/responder/source"
	"github.com/trawl-logs/trawl/schemas"
)

// holds asks for all lines, of which each is to be there once.
func (n *sealedNode) holds(after string, want int64) {
	n.t.Helper()
	q := query("all-"+strings.ReplaceAll(after, " ", "-"), "id=")
	if _, end := n.found(q); end.Lines != want || end.Status != schemas.StatusComplete {
		n.t.Errorf("%s: %d lines, want %d; %+v", after, end.Lines, want, end)
	}
}

// A log that is sealed by one source and rotated to a name of another, which is not, is found once.
func TestSealedLogRotatesToAnotherSource(t *testing.T) {
	text := drawLog(rand.New(rand.NewPCG(8, 11)), 600)
	n := sealedFleet(t, 100, map[string]string{"a.log": text})
	n.stop()
	n.sources = []SourceConfig{
		{Service: "shop", Logs: List{n.dir + "/*.log"}, Store: storeSealed},
		{Service: "rest", Logs: List{n.dir + "/**"}},
	}
	n.start(t, 100)
	n.seal(time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC))
	n.holds("sealed", 600)
	log := filepath.Join(n.dir, "a.log")
	if err := os.Rename(log, log+".1"); err != nil {
		t.Fatal(err)
	}
	n.holds("renamed", 600)
	write(t, log+".1.gz", packed(t, text, "gzip"))
	remove(t, log+".1")
	n.holds("packed", 600)
	write(t, log+".2", text)
	remove(t, log+".1.gz")
	n.holds("unpacked elsewhere", 600)
	remove(t, log+".2")
	n.holds("deleted", 600)
}

// A log that cannot be opened for a moment is not taken for one that is gone: its lines are found once.
func TestSealedLogCannotBeOpenedForAMoment(t *testing.T) {
	n := sealedFleet(t, 100, map[string]string{"a.log": drawLog(rand.New(rand.NewPCG(8, 12)), 600)})
	n.seal(time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC))
	n.r.sealing.opening = func(*source.Entry) error { return errors.New("too many open files") }
	n.holds("too many open files", 600)
	n.r.sealing.opening = nil
	n.holds("fewer", 600)
}

// The node's record names the services of which there are but blocks, as long as a source seals them: whoever
// asks for a service asks the nodes that name it.
func TestServicesOfSealedLogs(t *testing.T) {
	n := sealedFleet(t, 100, map[string]string{"a.log": drawLog(rand.New(rand.NewPCG(8, 13)), 200), "sub/other.txt": "plain\n"})
	n.stop()
	n.sources = append(n.sources, SourceConfig{Service: "other", Logs: List{n.dir + "/sub/*.txt"}})
	n.start(t, 100)
	n.seal(time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC))
	remove(t, filepath.Join(n.dir, "a.log"))
	services := func() string {
		t.Helper()
		if _, _, err := n.r.Scan(context.Background()); err != nil {
			t.Fatal(err)
		}
		return strings.Join(n.r.Node().Services, " ")
	}
	if got := services(); got != "app other" {
		t.Errorf("services %q when the log is gone", got)
	}
	n.stop()
	n.sources[0].Logs = List{n.dir + "/elsewhere/*.log"}
	n.start(t, 100)
	if got := services(); got != "other" {
		t.Errorf("services %q when no source names the log", got)
	}
}
