// Package sample makes log files whose content is known exactly: for the demo, for tests and for
// benchmarks.
//
// Write generates one log a node and a Truth that counts every token's lines. A node's bytes depend
// on the seed, its number, the size and the rates alone, so any number of nodes may be generated at
// once. The lines are lower case, as services write them; the tokens are words in upper case, so
// that nothing but a token's own line holds it.
package sample

import (
	"fmt"
	"math/bits"
	"strconv"
	"time"
)

// Tokens are the words that Write plants, in the order of a line.
var Tokens = []string{"EVERYWHERE", "UNIQUE", "EVEN", "HEAVY", "RARE"}

const (
	everywhere = iota
	unique
	even
	heavy
	rare
	tokenCount
)

// Rates say how often each token is planted: as a share of lines, from 0 to 1, or as a number of lines.
type Rates struct {
	Everywhere     float64 `json:"everywhere"`      // on all nodes
	Unique         float64 `json:"unique"`          // on node 1, and nowhere else
	Even           float64 `json:"even"`            // on nodes 2, 4, 6 …
	Heavy          float64 `json:"heavy"`           // on node 1
	HeavyElsewhere float64 `json:"heavy_elsewhere"` // on all others
	Rare           int     `json:"rare"`            // lines a node, spread over the whole file
}

// DefaultRates are those of the profile that trawl's benchmarks are compared with.
var DefaultRates = Rates{Everywhere: 0.5, Unique: 0.5, Even: 0.5, Heavy: 0.5, HeavyElsewhere: 0.05, Rare: 10}

// Options say what Write makes.
type Options struct {
	Nodes int    // at least 1
	Size  int64  // bytes a node; a file ends with the last whole line that fits
	Seed  uint64 // the same seed gives the same bytes
	Rates Rates
}

// Validate returns an error that names the first option that cannot be.
func (o Options) Validate() error {
	if o.Nodes < 1 || o.Nodes > 10_000 {
		return fmt.Errorf("number of nodes %d is not within 1 and 10000", o.Nodes)
	}
	if o.Size < 4096 {
		return fmt.Errorf("size of %d bytes a node is below 4096", o.Size)
	}
	shares := []struct {
		name  string
		value float64
	}{
		{"everywhere", o.Rates.Everywhere}, {"unique", o.Rates.Unique}, {"even", o.Rates.Even},
		{"heavy", o.Rates.Heavy}, {"heavy elsewhere", o.Rates.HeavyElsewhere},
	}
	for _, share := range shares {
		if !(share.value >= 0 && share.value <= 1) {
			return fmt.Errorf("rate %s of %v is not within 0 and 1", share.name, share.value)
		}
	}
	// A line is at most maxLine long, so every rare line finds a stretch of its own.
	if most := o.Size / (maxLine + 1); o.Rates.Rare < 0 || int64(o.Rates.Rare) > most {
		return fmt.Errorf("number of rare lines %d is not within 0 and %d", o.Rates.Rare, most)
	}
	return nil
}

// epoch is the time before the first line of every log. It is fixed: the same seed gives the same bytes.
var epoch = time.Date(2026, time.November, 22, 0, 0, 0, 0, time.UTC)

// meanGap is the mean time between two lines of a node.
const meanGap = 250 * time.Millisecond

// maxLine bounds the length of a generated line, terminator included.
const maxLine = 400

// writer makes the lines of one node.
type writer struct {
	random     random
	thresholds [rare]uint64 // a token is planted where a random number is below
	rareAt     []int64      // offsets; the line that reaches one is rare
	now        int64        // milliseconds since epoch
	stamp      stamp
	offset     int64
	lines      int64
	counts     [tokenCount]int64
}

// newWriter prepares node number n, counted from 1.
func newWriter(o Options, n int) *writer {
	w := &writer{random: newRandom(o.Seed, uint64(n)), stamp: newStamp(epoch)}
	shares := [rare]float64{everywhere: o.Rates.Everywhere, heavy: o.Rates.HeavyElsewhere}
	if n == 1 {
		shares[unique], shares[heavy] = o.Rates.Unique, o.Rates.Heavy
	}
	if n%2 == 0 {
		shares[even] = o.Rates.Even
	}
	for token, share := range shares {
		w.thresholds[token] = uint64(share * (1 << 32))
	}
	// One rare line in each of as many equal stretches, far enough from the stretch's end that the
	// line, and the file, have room for it.
	for i := range o.Rates.Rare {
		stretch := o.Size / int64(o.Rates.Rare)
		room := stretch - maxLine
		w.rareAt = append(w.rareAt, int64(i)*stretch+int64(w.random.next()%uint64(room)))
	}
	return w
}

// appendLine appends the next line to b.
func (w *writer) appendLine(b []byte) []byte {
	start := len(b)
	r := w.random.next()
	w.now += int64(r % (2 * uint64(meanGap/time.Millisecond)))
	b = w.stamp.append(b, w.now)
	r >>= 32
	service := &services()[r%uint64(len(services()))]
	b = append(b, service.head[(r>>8)%uint64(len(service.head))]...)
	b = w.appendBody(b, service)
	for token, threshold := range w.thresholds {
		if threshold != 0 && w.random.next()>>32 < threshold {
			b = append(append(b, ' '), Tokens[token]...)
			w.counts[token]++
		}
	}
	end := w.offset + int64(len(b)-start)
	if len(w.rareAt) > 0 && end >= w.rareAt[0] {
		w.rareAt = w.rareAt[1:]
		b = append(append(b, ' '), Tokens[rare]...)
		w.counts[rare]++
	}
	b = append(b, '\n')
	w.offset += int64(len(b) - start)
	w.lines++
	return b
}

// random is wyrand: one multiplication a number, which keeps it off the profile.
type random struct{ state uint64 }

func newRandom(seed, stream uint64) random {
	r := random{seed}
	r.state = r.next() ^ stream*0x9e3779b97f4a7c15
	r.next()
	return r
}

func (r *random) next() uint64 {
	r.state += 0xa0761d6478bd642f
	hi, lo := bits.Mul64(r.state, r.state^0xe7037ed1a0b428db)
	return hi ^ lo
}

// stamp writes RFC 3339 times with milliseconds; it formats a second only when it changes.
type stamp struct {
	start  time.Time
	second int64
	text   []byte // "2026-11-22T00:00:00."
}

func newStamp(start time.Time) stamp { return stamp{start: start, second: -1} }

func (s *stamp) append(b []byte, millis int64) []byte {
	if second := millis / 1000; second != s.second {
		s.second = second
		s.text = s.start.Add(time.Duration(second)*time.Second).AppendFormat(s.text[:0], "2006-01-02T15:04:05.")
	}
	b = append(b, s.text...)
	m := millis % 1000
	return append(b, byte('0'+m/100), byte('0'+m/10%10), byte('0'+m%10), 'Z', ' ')
}

func appendInt(b []byte, n uint64) []byte { return strconv.AppendUint(b, n, 10) }

func appendHex(b []byte, n uint64, digits int) []byte {
	const alphabet = "0123456789abcdef"
	for range digits {
		b = append(b, alphabet[n&15])
		n >>= 4
	}
	return b
}
