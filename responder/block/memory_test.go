package block

import (
	"bytes"
	"runtime"
	"testing"
)

// What 100 GB of logs take in memory: so many blocks of the least size that a disk of the default rate has.
const (
	hundredGB  = 100e9
	mostOfNode = 64 << 20
	opensTo    = 200     // bytes a block: 168, what the Index itself has, and 24 KB that the runtime may keep
	growsTo    = 2 * 168 // a list that grows has room to spare
)

// An Index is not loaded: it keeps so little of each block, whether it was opened or built, that of 100 GB of
// logs a node has some MB in memory. docs/index.md has the calculation.
func TestMemoryOfBlocks(t *testing.T) {
	const blocks = 1000
	o := Options{Strips: 64, StripLines: 1, RowsPerKey: 2, Common: 0.4}
	text := bytes.Repeat([]byte("a line\n"), o.Strips)
	dir := t.TempDir()
	b, err := NewBuilder(o)
	if err != nil {
		t.Fatal(err)
	}
	x, err := Create(dir, File{Dev: 1, Ino: 1})
	if err != nil {
		t.Fatal(err)
	}
	b.Start(x, State{Size: int64(blocks * len(text))}, nil)
	built := heldBy(func() {
		for range blocks {
			if err := b.Feed(text); err != nil {
				t.Fatal(err)
			}
		}
	})
	if err := x.Close(); err != nil {
		t.Fatal(err)
	}
	opened := heldBy(func() {
		if x, err = Open(dir, 1, 1); err != nil {
			t.Fatal(err)
		}
	})
	defer x.Close()
	if n := len(x.Blocks()); n != blocks {
		t.Fatalf("%d blocks", n)
	}
	filter := NewFilter([][][][]byte{{{[]byte("something else")}}}, false)
	asked := heldBy(func() {
		q := Query{Filter: filter, Since: NoTime, Until: NoTime}
		if _, err := x.Walk(q, int64(blocks*len(text)), func(Range) bool { return true }); err != nil {
			t.Fatal(err)
		}
	})
	perNode := hundredGB / (DefaultReadRate * DefaultTarget.Seconds())
	for _, c := range []struct {
		name        string
		bytes, most int64
	}{{"built", built, growsTo}, {"opened", opened, opensTo}} {
		each := float64(c.bytes) / blocks
		t.Logf("%s: %.0f bytes a block, %.1f MB of 100 GB", c.name, each, each*perNode/1e6)
		if each > float64(c.most) || each*perNode > mostOfNode {
			t.Errorf("%s: %.0f bytes a block, more than %d", c.name, each, c.most)
		}
	}
	if asked > 64<<10 {
		t.Errorf("a query leaves %d bytes", asked)
	}
	runtime.KeepAlive(b)
}

// heldBy is by how much more memory is held after f.
func heldBy(f func()) int64 {
	before := held()
	f()
	return held() - before
}

func held() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC() // what the first one's finalizers let go
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
