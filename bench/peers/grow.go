package main

import (
	"bufio"
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
)

// clock and number find what varies from line to line in a log.
var (
	clock  = regexp.MustCompile(`\b\d\d:\d\d:\d\d\b`)
	number = regexp.MustCompile(`\d{2,}`)
)

// grow writes DIR/<name> of at least size bytes for each sample log: its lines over and over, in
// order, with the clock running on and every other number of two or more digits drawn anew, so that
// no two rounds are alike. Files that exist in the right size are kept. It returns their paths.
func grow(samples []string, dir string, size int64) ([]string, error) {
	var out []string
	for i, sample := range samples {
		path := filepath.Join(dir, filepath.Base(sample))
		out = append(out, path)
		if st, err := os.Stat(path); err == nil && st.Size() >= size {
			continue
		}
		if err := growOne(sample, path, size, uint64(i)); err != nil {
			return nil, fmt.Errorf("grow %s: %w", path, err)
		}
	}
	return out, nil
}

func growOne(sample, path string, size int64, seed uint64) error {
	data, err := os.ReadFile(sample)
	if err != nil {
		return err
	}
	lines := bytes.SplitAfter(data, []byte("\n"))
	if n := len(lines); n > 0 && !bytes.HasSuffix(lines[n-1], []byte("\n")) {
		lines[n-1] = append(bytes.Clone(lines[n-1]), '\n')
	}
	f, err := os.Create(path + ".tmp")
	if err != nil {
		return err
	}
	defer f.Close()
	w := bufio.NewWriterSize(f, 1<<20)
	r := rand.New(rand.NewPCG(seed, 1))
	var written, second int64
	for written < size {
		for _, line := range lines {
			b := vary(line, r, second)
			second += r.Int64N(2)
			written += int64(len(b))
			if _, err := w.Write(b); err != nil {
				return err
			}
		}
	}
	if err := w.Flush(); err != nil {
		return err
	}
	return os.Rename(path+".tmp", path)
}

// vary draws the numbers of a line anew, in place of the old ones and as long.
func vary(line []byte, r *rand.Rand, second int64) []byte {
	b := bytes.Clone(line)
	for _, m := range number.FindAllIndex(b, -1) {
		for i := m[0]; i < m[1]; i++ {
			if d := r.IntN(10); i > m[0] || d > 0 {
				b[i] = byte('0' + d)
			}
		}
	}
	if m := clock.FindIndex(line); m != nil {
		s := second % 86400
		copy(b[m[0]:m[1]], fmt.Sprintf("%02d:%02d:%02d", s/3600, s/60%60, s%60))
	}
	return b
}
