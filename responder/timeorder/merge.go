package timeorder

import (
	"container/heap"
	"errors"
	"io"

	"github.com/trawl-logs/trawl/responder/scan"
)

// source gives units in their order.
type source interface {
	// bound returns the key of the next row's unit if ready is set, else one that is not behind it.
	bound() (k key, ready bool)
	// input is whose row the next one is.
	input() int
	// row takes the next row, which is valid until the one after it is taken or fetched.
	row() (*row, error)
	// fetch waits for rows, or for a later bound. io.EOF says that there are no more; any other error
	// ends the merge.
	fetch() error
	// close lets go of everything.
	close()
}

type sources []source

func (s sources) Len() int { return len(s) }
func (s sources) Less(i, j int) bool {
	a, _ := s[i].bound()
	b, _ := s[j].bound()
	return a.compare(b) < 0
}
func (s sources) Swap(i, j int) { s[i], s[j] = s[j], s[i] }
func (s *sources) Push(x any)   { *s = append(*s, x.(source)) }
func (s *sources) Pop() any {
	old := *s
	x := old[len(old)-1]
	old[len(old)-1] = nil
	*s = old[:len(old)-1]
	return x
}

// second is the least bound but the first.
func (s sources) second() key {
	least := last
	for i := 1; i < min(3, len(s)); i++ {
		if k, _ := s[i].bound(); k.compare(least) < 0 {
			least = k
		}
	}
	return least
}

// merger gives out the units of all sources in their order.
type merger struct {
	from    sources
	to      *builder
	limit   int64          // selected lines; 0: none
	mark    func(ns int64) // hears of times before which nothing will be emitted any more
	grouped bool           // units are groups
	stats   *scan.Stats
	open    int // input whose last unit may go on, plus 1; 0: none
}

// run merges until there is no more, or the limit is reached.
func (m *merger) run() error {
	heap.Init(&m.from)
	for len(m.from) > 0 {
		if err := m.turn(); err != nil {
			return err
		}
		if m.stats.Limited {
			break
		}
	}
	return m.to.flush()
}

// turn takes from the first source what is before all others', or waits for it to have something.
func (m *merger) turn() error {
	s := m.from[0]
	k, ready := s.bound()
	if !ready {
		if err := m.to.flush(); err != nil {
			return err
		}
		m.say(k)
		err := s.fetch()
		if errors.Is(err, io.EOF) {
			s.close()
			heap.Pop(&m.from)
			m.open = 0
			return nil
		}
		heap.Fix(&m.from, 0)
		return err
	}
	for second := m.from.second(); ready && k.compare(second) <= 0; k, ready = s.bound() {
		input := s.input()
		r, err := s.row()
		if err != nil {
			return err
		}
		if m.open = 0; m.grouped && !r.binary {
			m.open = input + 1
		}
		if err := m.to.add(input, r); err != nil {
			return err
		}
		if r.selected() {
			m.stats.Results++
			if m.stats.Limited = m.limit > 0 && m.stats.Results >= m.limit; m.stats.Limited {
				return nil
			}
		}
	}
	heap.Fix(&m.from, 0)
	return nil
}

// say tells how far the order has come. While a group may go on, nothing may come between.
func (m *merger) say(k key) {
	switch {
	case m.mark == nil:
	case m.open == k.input+1:
		m.mark(scan.NoTime)
	default:
		m.mark(k.time)
	}
}
