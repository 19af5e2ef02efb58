package simd

import (
	"cmp"
	"math"
	"math/bits"
	"slices"

	"github.com/trawl-logs/trawl/responder/match/freq"
)

// form is one of the kernels for sets: how many bytes of the window it tests, in how many buckets,
// and whether by both nibbles. nanos is what it takes a byte of text, in memory.
type form struct {
	shape setShape
	width int
	banks int
	full  bool
	nanos float64
}

// forms are all there are, fastest first, as BenchmarkSetForms/few measures them. Two banks pay for
// some twenty to forty literals of four or five bytes, six bytes for longer ones.
var forms = []form{
	{shapeLow4, 4, 1, false, 0.06},
	{shapeLow4Fat, 4, 2, false, 0.09},
	{shapeLow6, 6, 1, false, 0.09},
	{shapeFull3, 3, 1, true, 0.11},
	{shapeLow6Fat, 6, 2, false, 0.17},
	{shapeFull3Fat, 3, 2, true, 0.18},
}

// What is met beyond the tables, in nanoseconds. A candidate that the bitmap rejects takes 10 to 18, most
// of it a branch foretold wrong; and there are four times as many or more of them as the bytes'
// frequencies say, because bytes of text go together.
const (
	hashNanos    = 40.0
	compareNanos = 40.0
	worstNanos   = 0.5 // a plain automaton takes 1.2 to 1.5 for each byte, whatever it is
)

// plan says where the window lies in the literals, which kernel looks for it, and which literals share
// a bucket of the tables.
type plan struct {
	at      int
	form    form
	buckets []bucket
	nanos   float64 // estimated, a byte of text
}

// bucket is what some windows have in common: the nibbles at each byte.
type bucket struct {
	low, high [maxWidth]uint16 // bit sets of nibbles
	rate      float64          // estimated share of positions that pass
}

// choosePlan returns the cheapest plan with one of forms, by the bytes' frequency in logs.
func choosePlan(literals []literal, shortest int, forms []form) plan {
	best := plan{nanos: math.Inf(1)}
	rates := windowRates(literals, shortest)
	for _, f := range forms {
		if best.nanos <= f.nanos {
			break // nor can the rest be better
		}
		for _, at := range offsets(rates, shortest, f.width, len(literals)) {
			p, ok := planOf(literals, shortest, at, f)
			if p.nanos += rates[at] * compareNanos; ok && p.nanos < best.nanos {
				best = p
			}
		}
	}
	return best
}

// windowRates estimates for each offset how often the hashed part of a window there is met.
func windowRates(literals []literal, shortest int) []float64 {
	rates := make([]float64, max(1, min(shortest-2, 32)))
	for at := range rates {
		rates[at] = keyRate(literals, at, min(4, shortest-at))
	}
	return rates
}

// offsets returns those worth trying for a window of width bytes: where the literals are rarest. A plan
// takes up to a millisecond, so there are few for many literals.
func offsets(rates []float64, shortest, width, literals int) []int {
	all := make([]int, max(1, min(shortest-width+1, len(rates))))
	for i := range all {
		all[i] = i
	}
	slices.SortStableFunc(all, func(a, b int) int { return cmp.Compare(rates[a], rates[b]) })
	few := 4
	if literals > 16 {
		few = 1
	}
	return all[:min(few, len(all))]
}

// keyRate estimates the share of positions where one of the literals' windows stands.
func keyRate(literals []literal, at, width int) float64 {
	sum := 0.0
	for _, l := range literals {
		product := 1.0
		for i := at; i < at+width; i++ {
			product *= commonness(l.text[i], l.foldAt(i))
		}
		sum += product
	}
	return sum
}

// planOf returns the plan with form f for the window at at; false if its kernel cannot look for it: one of
// low nibbles fails all bytes above 0x7f, be they in the window or where a short window leaves its tables open.
func planOf(literals []literal, shortest, at int, f form) (plan, bool) {
	used := min(f.width, shortest-at)
	if !f.full && (used < f.width || !ascii(literals, at, used)) {
		return plan{}, false
	}
	p := plan{at: at, form: f, nanos: f.nanos}
	seen := map[string]bool{}
	for i := range literals {
		window := string(literals[i].text[at : at+used])
		if !seen[window] {
			seen[window] = true
			p.buckets = append(p.buckets, newBucket(&literals[i], at, used, f.full))
		}
	}
	p.buckets = gather(p.buckets, f)
	for _, b := range p.buckets {
		p.nanos += b.rate * hashNanos
	}
	return p, true
}

func ascii(literals []literal, at, width int) bool {
	for _, l := range literals {
		for _, b := range l.text[at : at+width] {
			if b >= 0x80 {
				return false
			}
		}
	}
	return true
}

func newBucket(l *literal, at, used int, full bool) bucket {
	var b bucket
	for i := range b.low {
		b.low[i], b.high[i] = 0xffff, 0xffff
		if i >= used {
			continue
		}
		c, fold := l.text[at+i], l.foldAt(at+i)
		b.low[i] = 1 << (c & 15)
		b.high[i] = 1<<(c>>4) | 1<<((c&^fold)>>4)
	}
	b.rate = b.estimate(full)
	return b
}

func (b *bucket) merge(o *bucket, full bool) bucket {
	m := *b
	for i := range m.low {
		m.low[i] |= o.low[i]
		m.high[i] |= o.high[i]
	}
	m.rate = m.estimate(full)
	return m
}

// estimate multiplies the shares of bytes that pass at each place.
func (b *bucket) estimate(full bool) float64 {
	rate := 1.0
	for i := range b.low {
		if b.low[i] == 0xffff && b.high[i] == 0xffff {
			continue
		}
		share := 0.0
		for l := b.low[i]; l != 0; l &= l - 1 {
			if column := &nibbleShare[bits.TrailingZeros16(l)]; !full {
				share += column.ascii
			} else {
				for h := b.high[i]; h != 0; h &= h - 1 {
					share += column.high[bits.TrailingZeros16(h)]
				}
			}
		}
		rate *= min(share, 1)
	}
	return rate
}

// nibbleShare is, by low nibble, the share of logs' bytes with each high nibble, and of ASCII with any:
// what passes where high nibbles are not looked at.
var nibbleShare = func() (shares [16]struct {
	high  [16]float64
	ascii float64
}) {
	for b := range 256 {
		share := float64(freq.PerMillion(byte(b))) / 1e6
		shares[b&15].high[b>>4] = share
		if b < 0x80 {
			shares[b&15].ascii += share
		}
	}
	return shares
}()

// gather merges buckets until there are as many as f has, each time the two that it costs least to
// join.
func gather(buckets []bucket, f form) []bucket {
	costs := make([][]float64, len(buckets))
	cost := func(i, j int) float64 {
		m := buckets[i].merge(&buckets[j], f.full)
		return m.rate - buckets[i].rate - buckets[j].rate
	}
	for i := range buckets {
		costs[i] = make([]float64, i, len(buckets))
		for j := range i {
			costs[i][j] = cost(i, j)
		}
	}
	for len(buckets) > 8*f.banks {
		a, b := 1, 0
		for i := range costs {
			for j, c := range costs[i] {
				if c < costs[a][b] {
					a, b = i, j
				}
			}
		}
		buckets[b] = buckets[b].merge(&buckets[a], f.full)
		last := len(buckets) - 1
		buckets[a] = buckets[last]
		buckets, costs = buckets[:last], costs[:last]
		for _, changed := range []int{a, b} {
			for j := range buckets {
				if j != changed && changed < last {
					costs[max(changed, j)][min(changed, j)] = cost(max(changed, j), min(changed, j))
				}
			}
		}
	}
	return buckets
}

// fill writes the tables.
func (p *plan) fill(k *setKernel) {
	k.shape = p.form.shape
	for i, b := range p.buckets {
		bank, bit := i/8, uint8(1)<<(i%8)
		for at := range p.form.width {
			for nibble := range 16 {
				for half, set := range [2]uint16{b.low[at], b.high[at]} {
					if set>>nibble&1 != 0 {
						k.tables[bank][at][half][nibble] |= bit
						k.tables[bank][at][half][nibble+16] |= bit
					}
				}
			}
		}
	}
}
