package literal

import (
	"cmp"
	"math"
	"math/bits"
	"slices"

	"github.com/trawl-logs/trawl/responder/match/freq"
)

// Rate estimates how often a byte of log begins one of s's literals.
func (s Set) Rate() float64 {
	rate := 0.0
	for _, l := range s.Lits {
		rate += textRate(l, s.Fold)
	}
	if s.Then != nil {
		rate *= math.Pow(s.Then.share(), dependence)
	}
	return min(rate, 1)
}

// dependence is the exponent that makes up for bytes of logs not being independent: the more of a
// word is seen, the less the rest of it says.
const dependence = 0.6

func textRate(text []byte, fold bool) float64 {
	sum := 0.0
	for _, b := range text {
		if fold {
			sum += logs[b].fold
		} else {
			sum += logs[b].exact
		}
	}
	return math.Exp(dependence * sum)
}

// logs holds the logarithm of each byte's share, alone and, for a lower-case letter, together with
// its upper case.
var logs = func() (t [256]struct{ exact, fold float64 }) {
	for i := range t {
		b := byte(i)
		p := share(b)
		t[i].exact = math.Log(p)
		if b >= 'a' && b <= 'z' {
			p += share(b &^ 0x20)
		}
		t[i].fold = math.Log(p)
	}
	return t
}()

// share is the share of b among the bytes of logs.
func share(b byte) float64 { return float64(freq.PerMillion(b)) / 1e6 }

// Rate estimates how often a byte of log begins such a run.
func (w Window) Rate() float64 {
	sum := 0.0
	for i := range w.Classes {
		sum += math.Log(w.Classes[i].share())
	}
	return min(math.Exp(dependence*sum), 1)
}

// share is the share of the bytes of logs that are in c.
func (c *Class) share() float64 {
	p := 0.0
	for k, set := range c {
		for ; set != 0; set &= set - 1 {
			p += share(byte(k<<6 + bits.TrailingZeros64(set)))
		}
	}
	return max(p, 1e-9)
}

// Nanoseconds of a search, on the machine of the design notes (4-search.md): a byte passed by the
// kernels, and a line that must be judged.
const (
	nanosLiteral = 0.04
	nanosSet     = 0.12
	nanosWindow  = 0.10
	nanosVerify  = 120
)

// Cost estimates what looking for s, and judging the lines found, costs in nanoseconds a byte.
func (s Set) Cost() float64 {
	cost := nanosSet
	if len(s.Lits) == 1 {
		cost = nanosLiteral
	}
	if s.Exact {
		return cost
	}
	return cost + s.Rate()*nanosVerify
}

// Cost estimates what looking for w, and judging the lines found, costs in nanoseconds a byte.
func (w Window) Cost() float64 { return nanosWindow + w.Rate()*nanosVerify }

// best returns the n cheapest of sets, the cheapest first.
func best(sets []Set, n int) []Set {
	type priced struct {
		Set
		cost float64
	}
	all := make([]priced, len(sets))
	for i, s := range sets {
		all[i] = priced{s, s.Cost()}
	}
	slices.SortStableFunc(all, func(a, b priced) int { return cmp.Compare(a.cost, b.cost) })
	out := make([]Set, 0, min(n, len(all)))
	for _, p := range all[:min(n, len(all))] {
		out = append(out, p.Set)
	}
	return out
}

// rarest returns up to n of wins, the rarest first. Of those that overlap it takes two at most: a third would tell
// little that is new, and take the place of one that stands elsewhere.
func rarest(wins []Window, n int) []Window {
	type priced struct {
		Window
		rate float64
	}
	all := make([]priced, len(wins))
	for i, w := range wins {
		all[i] = priced{w, w.Rate()}
	}
	slices.SortStableFunc(all, func(a, b priced) int { return cmp.Compare(a.rate, b.rate) })
	out := make([]Window, 0, min(n, len(all)))
	for _, p := range all {
		overlaps := 0
		for _, w := range out {
			if !p.Behind(w.Place) && !w.Behind(p.Place) {
				overlaps++
			}
		}
		if len(out) < n && overlaps < 2 {
			out = append(out, p.Window)
		}
	}
	return out
}
