// Command index compares designs of a skip index on the same logs: how large each is, how fast it is
// built, and what share of the bytes a query of each class has to read, the strips that do hold the
// text included. It prints a Markdown table; docs/index.md keeps the last. With -fleet it times a fleet
// with its index built instead, beside itself without and ripgrep (fleet.go).
package main

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "index:", err)
		os.Exit(1)
	}
}

func run() error {
	samples := flag.String("samples", "e2e/testdata/loghub", "sample logs that half of the corpus is grown from")
	size := flag.Int64("mb", 1024, "size of the corpus, MB")
	only := flag.String("only", "", "only designs, or with -fleet rows, whose name matches")
	perClass := flag.Int("needles", 8, "needles of each kind")
	asFleet := flag.Bool("fleet", false, "time a fleet over the corpus")
	var c fleetConfig
	c.register()
	flag.Parse()
	want, err := regexp.Compile(*only)
	if err != nil {
		return fmt.Errorf("-only: %w", err)
	}
	if *asFleet {
		c.samples, c.size, c.needles, c.only = *samples, *size<<20, *perClass, want
		return fleet(c)
	}
	plant, absent := needles(*perClass)
	logs, err := corpus(*samples, *size<<20, plant)
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
	if want.MatchString("what holds the text") {
		holds(logs, all, classes, total)
	}
	for _, d := range designs {
		if !want.MatchString(d.name) {
			continue
		}
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
	if !want.MatchString("responder/block") {
		return nil
	}
	return blocks(logs, all, classes, total)
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

// row prints the means of the classes.
func row(classes []string, read map[string][]float64) {
	for _, c := range classes {
		fmt.Printf(" %.2f |", mean(read[c]))
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
