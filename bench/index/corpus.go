package main

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"

	"github.com/trawl-logs/trawl/sample"
)

// log is one file of the corpus, in memory.
type log struct {
	name string
	data []byte
}

// needle is something to look for, and the class it is reported under.
type needle struct {
	class, text string
}

// clock, hexes and digits find what varies from line to line in a log.
var varying = regexp.MustCompile(`\d\d:\d\d:\d\d|[0-9a-f]{8,}|\d{2,}`)

// corpus makes about size bytes of logs: half grown from the sample logs, half as `trawl gen` writes.
// Every planted needle stands on ten lines, at random.
func corpus(samples string, size int64, plant []needle) ([]log, error) {
	paths, err := filepath.Glob(filepath.Join(samples, "*.log"))
	if err != nil || len(paths) == 0 {
		return nil, fmt.Errorf("sample logs %s: none found (%v)", samples, err)
	}
	var logs []log
	for i, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			return nil, fmt.Errorf("sample log: %w", err)
		}
		logs = append(logs, log{filepath.Base(path), grow(data, size/2/int64(len(paths)), uint64(i))})
	}
	dir, err := os.MkdirTemp("", "trawl-bench-index-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	if _, err := sample.Write(context.Background(), dir, sample.Options{Nodes: 2, Size: size / 4, Seed: 1, Rates: sample.DefaultRates}, true, nil); err != nil {
		return nil, err
	}
	for _, name := range []string{"node1.log", "node2.log"} {
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			return nil, err
		}
		logs = append(logs, log{"gen-" + name, data})
	}
	sow(logs, plant)
	return logs, nil
}

// grow repeats the lines of a log with the clock running on and every number and id drawn anew.
func grow(data []byte, size int64, seed uint64) []byte {
	r := rand.New(rand.NewPCG(seed, 1))
	lines := bytes.SplitAfter(bytes.TrimSuffix(data, []byte("\n")), []byte("\n"))
	last := len(lines) - 1
	lines[last] = append(bytes.Clone(lines[last]), '\n')
	spots := make([][][]int, len(lines))
	for i, line := range lines {
		spots[i] = varying.FindAllIndex(line, -1)
	}
	out := make([]byte, 0, size+4096)
	var second int64
	for int64(len(out)) < size {
		for i, line := range lines {
			at := len(out)
			out = append(out, line...)
			second += r.Int64N(2)
			timed := false
			for _, m := range spots[i] {
				b := out[at+m[0] : at+m[1]]
				if !timed && len(b) == 8 && b[2] == ':' {
					s := second % 86400
					copy(b, fmt.Sprintf("%02d:%02d:%02d", s/3600, s/60%60, s%60))
					timed = true
					continue
				}
				if !timed && i > 0 && m[0] < 24 && len(b) <= 4 {
					continue // of a date
				}
				redraw(b, r)
			}
		}
	}
	return out
}

// redraw replaces digits by digits, and letters by those of hexadecimal numbers if b is one.
func redraw(b []byte, r *rand.Rand) {
	hex := len(b) >= 8 && bytes.ContainsAny(b, "abcdef")
	for i, c := range b {
		switch {
		case hex:
			b[i] = "0123456789abcdef"[r.IntN(16)]
		case c >= '0' && c <= '9' && (i > 0 || c != '0'):
			b[i] = byte('0' + r.IntN(10))
		}
	}
}

// sow writes each needle over the end of ten lines, so that it is a field of its own.
func sow(logs []log, plant []needle) {
	r := rand.New(rand.NewPCG(7, 7))
	for _, n := range plant {
		for left := 10; left > 0; {
			data := logs[r.IntN(len(logs))].data
			end := bytes.IndexByte(data[r.IntN(len(data)):], '\n')
			if end < 0 {
				continue
			}
			at := r.IntN(len(data) - 1000)
			at += bytes.IndexByte(data[at:], '\n')
			start := bytes.LastIndexByte(data[:at], '\n') + 1
			if at-start < len(n.text)+40 {
				continue
			}
			field := data[at-len(n.text)-1 : at]
			field[0] = ' '
			copy(field[1:], n.text)
			left--
		}
	}
}

const (
	hexDigits = "0123456789abcdef"
	digits    = "0123456789"
	letters   = "abcdefghijklmnopqrstuvwxyz"
)

func draw(r *rand.Rand, alphabet string, n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = alphabet[r.IntN(len(alphabet))]
	}
	return string(b)
}

// Words that the logs do not hold by themselves: the first of each list are planted, the others are absent.
var rareWords = map[string][]string{
	"4":  {"gnat", "yolk", "quiz", "oboe", "lynx", "toga", "fjord"[:4], "kiwi"},
	"5":  {"glyph", "waltz", "ozone", "knack", "rhyme", "zebra", "quail", "fudge"},
	"6":  {"walnut", "oxygen", "python", "gazebo", "quartz", "jigsaw", "wizard", "zodiac"},
	"7":  {"glacier", "octopus", "juniper", "whiskey", "zeppelin"[:7], "bagpipe", "hammock", "mustard"},
	"8+": {"quiescence", "labyrinth", "avalanche", "rhinoceros", "kaleidoscope", "hemisphere", "yesterday", "watermelon"},
}

// absentClass is that of random texts which stand nowhere.
const absentClass = "absent random"

// needles returns those to plant, and those that stand nowhere.
func needles(perClass int) (plant, absent []needle) {
	r := rand.New(rand.NewPCG(3, 3))
	for range perClass {
		u := draw(r, hexDigits, 32)
		for _, id := range []string{
			u[:8] + "-" + u[8:12] + "-" + u[12:16] + "-" + u[16:20] + "-" + u[20:],
			draw(r, hexDigits, 24), draw(r, hexDigits, 20), "blk_-" + draw(r, digits, 18), draw(r, digits, 20),
		} {
			plant = append(plant, needle{"id ≥ 20", id})
		}
		for _, id := range []string{draw(r, hexDigits, 12), draw(r, hexDigits, 16), draw(r, digits, 14), draw(r, digits, 12)} {
			plant = append(plant, needle{"id 12–16", id})
		}
		absent = append(absent, needle{absentClass, draw(r, letters+digits, 12+r.IntN(12))},
			needle{absentClass, draw(r, hexDigits, 12+r.IntN(12))})
	}
	for size, words := range rareWords {
		for i, w := range words {
			if i < len(words)/2 {
				plant = append(plant, needle{"word " + size, w})
			} else {
				absent = append(absent, needle{"no word " + size, w})
			}
		}
	}
	return plant, absent
}

// pieces draws pieces of lines with at least four digits: many hold parts of dates.
func pieces(logs []log, n int) []needle {
	r := rand.New(rand.NewPCG(9, 9))
	var out []needle
	for _, size := range []int{12, 16, 20, 32} {
		for found := 0; found < n; {
			data := logs[r.IntN(len(logs))].data
			at := r.IntN(len(data) - size)
			p := data[at : at+size]
			count := 0
			for _, c := range p {
				if c >= '0' && c <= '9' {
					count++
				}
			}
			if count < 4 || bytes.IndexByte(p, '\n') >= 0 {
				continue
			}
			out = append(out, needle{fmt.Sprintf("piece %d", size), string(p)})
			found++
		}
	}
	return out
}
