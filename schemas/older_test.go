package schemas

import (
	"encoding/hex"
	"os"
	"reflect"
	"strings"
	"testing"
)

// oldBytes reads what an older trawl wrote: files of testdata that are never written anew.
func oldBytes(t *testing.T, name string) []byte {
	t.Helper()
	text, err := os.ReadFile("testdata/" + name + ".hex")
	if err != nil {
		t.Fatal(err)
	}
	msg, err := hex.DecodeString(strings.Join(strings.Fields(string(text)), ""))
	if err != nil {
		t.Fatal(err)
	}
	return msg
}

// What was written before fields were appended is read still: what it lacks is unknown or nil, and all
// else is as it was.
func TestOlderMessages(t *testing.T) {
	first := *sampleEnd() // before selected
	first.Selected, first.Blocks.SkippedTime, first.Blocks.IndexBytes = -1, 0, 0
	second := first // before blocks_skipped_time and index_bytes
	second.Selected = 5
	third := *sampleEnd() // before assumed_sorted
	third.AssumedSorted, first.AssumedSorted, second.AssumedSorted = 0, 0, 0
	for name, want := range map[string]*End{"old1-end": &first, "old2-end": &second, "old3-end": &third} {
		f, err := DecodeFrame(oldBytes(t, name))
		if err != nil {
			t.Errorf("%s: %v", name, err)
		} else if !reflect.DeepEqual(f, &Frame{Run: 5, Seq: 4, End: want}) {
			t.Errorf("%s:\n got %+v\nwant %+v", name, f.End, want)
		}
	}
	checkup := sampleCheckup() // before store
	checkup.Store = ""
	if got, err := DecodeCheckup(oldBytes(t, "old3-checkup")); err != nil || !reflect.DeepEqual(got, checkup) {
		t.Errorf("checkup: %v\n got %+v\nwant %+v", err, got, checkup)
	}
	checkup.Sealed = nil // and before sealed
	if got, err := DecodeCheckup(oldBytes(t, "old2-checkup")); err != nil || !reflect.DeepEqual(got, checkup) {
		t.Errorf("checkup: %v\n got %+v\nwant %+v", err, got, checkup)
	}
	checkup.Index = nil // and before index
	if got, err := DecodeCheckup(oldBytes(t, "old1-checkup")); err != nil || !reflect.DeepEqual(got, checkup) {
		t.Errorf("checkup: %v\n got %+v\nwant %+v", err, got, checkup)
	}
	node := sampleStore() // before listed
	node.Store.Listed = NeverListed
	if got, err := DecodeNode(oldBytes(t, "old1-node-store")); err != nil || !reflect.DeepEqual(got, node) {
		t.Errorf("node: %v\n got %+v\nwant %+v", err, got, node)
	}
	got, err := DecodeCheckupRequest(oldBytes(t, "old1-checkup-request")) // before blocks
	if err != nil || *got != (CheckupRequest{Sources: true}) {
		t.Errorf("checkup request: %v, %+v", err, got)
	}
}

// A newer trawl may append what this one does not know; it is skipped.
func TestNewerEnd(t *testing.T) {
	w := appending(nil)
	w.open(frameFields)
	w.uint(5)
	w.uint(4)
	for range 3 {
		w.null()
	}
	start := w.position()
	w.end(sampleEnd(), MaxSmall)
	size := w.position() - start
	msg := w.done()
	at := len(msg) - size
	if head := [3]byte(msg[at : at+3]); head != [3]byte{0xdc, 0, endFields} {
		t.Fatalf("an end begins with %x", head)
	}
	msg[at+2] += 2
	msg = append(msg, 0xa1, 'x', 0x92, 1, 0xc0) // "x", [1, nil]
	f, err := DecodeFrame(msg)
	if err != nil || !reflect.DeepEqual(f.End, sampleEnd()) {
		t.Errorf("%v\n got %+v", err, f)
	}
}
