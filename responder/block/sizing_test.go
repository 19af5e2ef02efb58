package block

import (
	"strings"
	"testing"
	"time"
	"unsafe"
)

func TestShape(t *testing.T) {
	for _, c := range []struct {
		s             Sizing
		strips, lines int // of a strip
	}{
		{Sizing{}, 64, 273}, // 2 MB
		{Sizing{ReadRate: 2e9, Target: 16 * time.Millisecond}, MaxStrips, 273},         // as large as can be
		{Sizing{ReadRate: 1e6}, 64, 273},                                               // as small
		{Sizing{ReadRate: 2e9, MeanLine: 200, Level: Small}, 128, 328},                 // 8 MB in strips of 64 KiB
		{Sizing{ReadRate: 2e9, MeanLine: 120, Level: Large}, MaxStrips, 137},           // 8 MB in strips of 16 KiB
		{Sizing{ReadRate: 500e6, MeanLine: 100e3}, 64, 1},                              // 20 lines would do
		{Sizing{ReadRate: 500e6, Target: time.Hour, MeanLine: 1}, MaxStrips, 32 << 10}, // never beyond the largest
	} {
		o := c.s.Shape()
		if o.Strips != c.strips || o.StripLines != c.lines || o.Validate() != nil {
			t.Errorf("%+v: %+v %v, want %d strips of %d", c.s, o, o.Validate(), c.strips, c.lines)
		}
	}
	if got, want := (Sizing{}).Explain(), "500 MB/s × 4ms ÷ 120 bytes a line = 16667 lines; blocks of 17472 lines in 64 strips of 273"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	for _, l := range []Level{Normal, Small, Large} {
		if got, err := ParseLevel(l.String()); got != l || err != nil {
			t.Errorf("%v: %v %v", l, got, err)
		}
	}
	if _, err := ParseLevel("huge"); err == nil {
		t.Error("no error for a level that there is not")
	}
}

const diskstats = `   7       0 loop0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0
 254       0 vda 1000 10 4096000 9000 500 5 8000 100 0 2000 9100 0 0 0 0 0 0
 259       1 nvme0n1 12 0 96 3 0 0 0 0 0 4 3
`

func TestParseDisk(t *testing.T) {
	got, ok, err := parseDisk(strings.NewReader(diskstats), Device{254, 0})
	if want := (DiskSample{Reads: 1000, Bytes: 4096000 * 512, BusyMs: 2000}); got != want || !ok || err != nil {
		t.Errorf("%+v %v %v, want %+v", got, ok, err, want)
	}
	if got, ok, err := parseDisk(strings.NewReader(diskstats), Device{259, 1}); got.BusyMs != 4 || !ok || err != nil {
		t.Errorf("%+v %v %v", got, ok, err)
	}
	if _, ok, err := parseDisk(strings.NewReader(diskstats), Device{0, 42}); ok || err != nil {
		t.Errorf("a device that is not there: %v %v", ok, err)
	}
	if _, _, err := parseDisk(strings.NewReader(strings.Replace(diskstats, "4096000", "x", 1)), Device{254, 0}); err == nil {
		t.Error("no error for what is no number")
	}
}

// The rate is bytes over busy time, of intervals in which the disk read in sequence.
func TestMeter(t *testing.T) {
	var m Meter
	if _, n := m.Rate(); n != 0 {
		t.Error("a rate of nothing")
	}
	s := DiskSample{Reads: 5000, Bytes: 1 << 30, BusyMs: 100}
	add := func(reads, bytes, busy uint64) {
		s.Reads, s.Bytes, s.BusyMs = s.Reads+reads, s.Bytes+bytes, s.BusyMs+busy
		m.Add(s)
	}
	add(0, 0, 0)
	add(100, 50e6, 100)  // 500 MB/s
	add(9000, 36e6, 900) // 4 KiB each: not in sequence
	add(3, 1e6, 1)       // too little
	add(100, 40e6, 100)
	add(0, 0, 50) // writes
	add(200, 60e6, 100)
	if rate, n := m.Rate(); n != 3 || rate != 500e6 {
		t.Errorf("rate %v of %d intervals", rate, n)
	}
	m.Add(DiskSample{}) // the machine started anew
	if rate, _ := m.Rate(); rate != 500e6 {
		t.Errorf("rate %v", rate)
	}
}

// An Index keeps its Blocks in memory and nothing else that grows: docs/index.md calculates with their size.
func TestMemoryOfABlock(t *testing.T) {
	if got := unsafe.Sizeof(Block{}); got != 168 {
		t.Errorf("a block takes %d bytes, not the 168 that docs/index.md has", got)
	}
}
