package seal

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/cespare/xxhash/v2"
)

var update = flag.Bool("update", false, "write the fixture anew")

// example is a block of two runs.
func example(t testing.TB) (*Block, []byte) {
	t.Helper()
	text := "2026-05-01T12:00:00Z one\n  more of it\n2026-05-01T12:00:01Z two\n"
	b := &Block{ID: ID{1, 2, 3}, Service: "shop", Window: 1777636800e9, Span: 3600e9, Timed: true, MinTime: 1777636800e9, MaxTime: 1777636801e9,
		Form: 9, Sealed: 1777640000e9, Runs: []Run{
			{Log: ID{4}, Path: "/var/log/shop.log", Identity: Identity{Dev: 1, Ino: 2, Born: 3, HeadBytes: 38, Head: 77}, To: 38, Lines: 2, ModTime: 5, Last: 6, LastKnown: true, Tail: 8},
			{Log: ID{5}, Path: "/var/log/shop.2.log", Identity: Identity{Dev: 1, Ino: 3, HeadBytes: 99, Head: 78}, From: 100, To: 125, Line: 7, Lines: 1, ModTime: 5, Tail: 9, Prior: 4, PriorKnown: true},
		}, Zone: "Europe/Berlin", Layout: "2006-01-02"}
	var out bytes.Buffer
	if err := write(&out, b, []byte(text), nil); err != nil {
		t.Fatal(err)
	}
	return b, out.Bytes()
}

// What a version wrote is read for ever.
func TestFixture(t *testing.T) {
	for v := uint32(1); v <= version; v++ {
		testFixture(t, v)
	}
}

func testFixture(t *testing.T, v uint32) {
	name := filepath.Join("testdata", fmt.Sprintf("v%d.sealed.hex", v))
	want, made := example(t)
	if *update && v == version {
		if err := os.WriteFile(name, []byte(hex.Dump(made)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	dump, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	var file []byte
	for line := range strings.Lines(string(dump)) {
		if len(line) > 58 {
			p, err := hex.DecodeString(strings.ReplaceAll(line[10:58], " ", ""))
			if err != nil {
				t.Fatal(err)
			}
			file = append(file, p...)
		}
	}
	r, err := NewReader(bytes.NewReader(file), int64(len(file)))
	if err != nil {
		t.Fatal(err)
	}
	got := r.Block
	if v == 1 { // which says less
		want.Zone, want.Layout, want.Runs[1].Prior, want.Runs[1].PriorKnown = "", "", 0, false
		want.Checksum = got.Checksum
	}
	if got.Zone != want.Zone || got.Layout != want.Layout || !slices.Equal(got.Runs, want.Runs) || got.Service != want.Service || got.MaxTime != want.MaxTime || got.Lines != 3 || got.Checksum != want.Checksum {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if err := r.Verify(); err != nil {
		t.Error(err)
	}
}

// Every byte of a block is covered by a sum.
func TestEveryByteCounts(t *testing.T) {
	_, file := example(t)
	for i := range file {
		damaged := slices.Clone(file)
		damaged[i] ^= 0x10
		r, err := NewReader(bytes.NewReader(damaged), int64(len(damaged)))
		if err == nil {
			err = r.Verify()
		}
		// The four bytes that are always zero, and those of a zstd header that say nothing of the content, aside.
		if err == nil && !(i >= headerBytes && i < headerBytes+12) {
			t.Errorf("byte %d may be any", i)
		}
	}
	for n := range file {
		if _, err := NewReader(bytes.NewReader(file[:n]), int64(n)); err == nil {
			t.Errorf("%d bytes of %d are a block", n, len(file))
		}
	}
}

// FuzzReader reads any bytes as a block; the sums are made right, so that what is behind them is met.
func FuzzReader(f *testing.F) {
	_, file := example(f)
	f.Add(file)
	f.Add(file[:headerBytes])
	f.Fuzz(func(t *testing.T, file []byte) {
		file = slices.Clone(file)
		if len(file) > headerBytes+endBytes {
			e := binary.LittleEndian
			copy(file, headMagic)
			e.PutUint32(file[8:], version)
			e.PutUint64(file[32:], xxhash.Sum64(file[:32]))
			end := file[len(file)-endBytes:]
			copy(end[16:], endMagic)
			if n := int64(e.Uint32(end)); n <= int64(len(file)-headerBytes-endBytes) {
				d := xxhash.New()
				d.Write(file[:headerBytes])
				d.Write(file[int64(len(file)-endBytes)-n : len(file)-endBytes+8])
				e.PutUint64(end[8:], d.Sum64())
			}
		}
		r, err := newReader(bytes.NewReader(file), int64(len(file)))
		if err != nil {
			return
		}
		if !r.Block.Away {
			_ = r.Verify()
		}
		if r.Block.Bytes > maxBlock || len(r.frames) > len(file) || len(r.Block.Runs) > len(file) {
			t.Fatalf("%+v of %d bytes", r.Block, len(file))
		}
	})
}
