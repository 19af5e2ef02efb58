package scan

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The holes of a sparse file are not read where no empty line is selected, and nothing else of the
// answer changes. Read without being skipped, 64 GB would take minutes.
func TestHolesAreNotRead(t *testing.T) {
	const size = 64 << 30
	name := filepath.Join(t.TempDir(), "sparse")
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	texts := []string{"abc first\nx\n", "tail abc\nabc\n", "abc", "\nabc at the end"}
	places := []int64{0, 5<<30 + 77, 40<<30 - 1, size - 15}
	for i, text := range texts {
		if _, err := f.WriteAt([]byte(text), places[i]); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		o    Options
		want string
	}{
		{Options{Mode: Count, MaxCount: -1}, "count 5"}, {Options{Mode: Count, MaxCount: 4}, "count 4"}, {Options{Mode: Count, MaxCount: 9}, "count 5"},
		{Options{MaxCount: -1}, "binary"}, {Options{MaxCount: -1, After: 1, Numbers: true}, "binary"}, {Options{MaxCount: -1, OnlyMatching: true}, "binary"},
		{Options{Mode: Count, MaxCount: -1, Binary: BinaryWithout}, "count 0"},
	} {
		for threads := 1; threads <= 2; threads++ {
			o := c.o
			o.Terminator, o.Threads = '\n', threads
			var got string
			in := Input{Name: name, Open: func() (File, error) {
				return File{At: io.NewSectionReader(f, 0, size), Size: size, Raw: f}, nil
			}}
			_, err := Run(context.Background(), []Input{in}, matching("abc", '\n'), o, func(b *Batch) error {
				switch b.Kind {
				case KindCount:
					got += fmt.Sprint("count ", b.Count)
				case KindBinary:
					got += "binary"
				}
				return nil
			})
			if err != nil || got != c.want {
				t.Errorf("%+v: %q (%v), want %q", c.o, got, err, c.want)
			}
		}
	}
}

// What was cut off a file is no hole: what stood there is read where it is now.
func TestCutOffIsNoHole(t *testing.T) {
	const count = 600_000
	name := filepath.Join(t.TempDir(), "f")
	text := strings.Repeat("a line with abc in it\n", count)
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, size := range []int64{1 << 20, 0} {
		if err := os.Truncate(name, size); err != nil {
			t.Fatal(err)
		}
		for _, intact := range []func() bool{nil, func() bool { return false }} {
			in := Input{Name: name, Open: func() (File, error) {
				return File{At: strings.NewReader(text), Size: int64(len(text)), Raw: f, Intact: intact}, nil
			}}
			o := Options{Mode: Count, MaxCount: -1, Terminator: '\n', Threads: 2}
			stats, err := Run(context.Background(), []Input{in}, matching("abc", '\n'), o, func(*Batch) error { return nil })
			if err != nil || stats.Selected != count {
				t.Errorf("cut to %d bytes: %d of %d lines, %v", size, stats.Selected, count, err)
			}
		}
	}
}
