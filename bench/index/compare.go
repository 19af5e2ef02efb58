package main

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"time"
)

// compare prints the table of the designs.
func compare(c config) error {
	plant, absent := needles(c.needles)
	logs, err := corpus(c.samples, c.size, plant)
	if err != nil {
		return err
	}
	all := slices.Concat(plant, absent, pieces(logs, 25))
	total := 0
	for i, l := range logs {
		logs[i].data = bytes.ToLower(l.data) // every design ignores case
		total += len(l.data)
	}
	var classes []string
	for i := range all {
		all[i].text = strings.ToLower(all[i].text)
		if !slices.Contains(classes, all[i].class) {
			classes = append(classes, all[i].class)
		}
	}
	slices.SortStableFunc(classes, func(a, b string) int { return strings.Compare(order(a), order(b)) })
	fmt.Printf("%d MB in %d files; %% of bytes read\n\n", total>>20, len(logs))
	fmt.Printf("| design | strip | bits a key | index, %% | MB/s |")
	for _, c := range classes {
		fmt.Printf(" %s |", c)
	}
	fmt.Println("\n|" + strings.Repeat("---|", 5+len(classes)))
	if c.only.MatchString("what holds the text") {
		holds(logs, all, classes, total)
	}
	for _, d := range designs {
		if c.only.MatchString(d.name) {
			d.row(logs, all, classes, total)
		}
	}
	if !c.only.MatchString("responder/block") {
		return nil
	}
	return blocks(logs, all, classes, total)
}

// row prints the row of a design.
func (d design) row(logs []log, all []needle, classes []string, total int) {
	started := time.Now()
	x := build(d, logs)
	took := time.Since(started)
	fmt.Printf("| %s | %d K | %.3g | %.2f | %.0f |", d.name, d.strip>>10, d.bits, 100*float64(x.size)/float64(total), float64(total)/1e6/took.Seconds())
	read := map[string][]float64{}
	for _, n := range all {
		read[n.class] = append(read[n.class], 100*float64(x.read(n.text))/float64(total))
	}
	row(classes, read)
}

// holds prints the row of a perfect index: what is read is the strips that hold the text.
func holds(logs []log, all []needle, classes []string, total int) {
	x := build(design{name: "exact", strip: 32 << 10, bits: 1, keys: func([]byte, bool, func(uint32)) {}}, logs)
	read := map[string][]float64{}
	for _, n := range all {
		sum, at := 0, 0
		for _, l := range logs {
			for rest := l.data; len(rest) > 0; at++ {
				size := x.strips[at].bytes
				if bytes.Contains(rest[:size], []byte(n.text)) {
					sum += size
				}
				rest = rest[size:]
			}
		}
		read[n.class] = append(read[n.class], 100*float64(sum)/float64(total))
	}
	fmt.Printf("| what holds the text | 32 K | | | |")
	row(classes, read)
}

// row prints the means of the classes, and the most that was read for one text that is absent.
func row(classes []string, read map[string][]float64) {
	for _, c := range classes {
		fmt.Printf(" %.2f", mean(read[c]))
		if c == absentClass {
			fmt.Printf(" (%.2f)", slices.Max(read[c]))
		}
		fmt.Print(" |")
	}
	fmt.Println()
}

// order sorts ids first, then what is absent, words, and pieces.
func order(class string) string {
	for i, prefix := range []string{"id ≥", "id", "absent", "word", "no word", "piece"} {
		if strings.HasPrefix(class, prefix) {
			return fmt.Sprint(i, class)
		}
	}
	return class
}

func mean(v []float64) float64 {
	sum := 0.0
	for _, x := range v {
		sum += x
	}
	return sum / float64(len(v))
}
