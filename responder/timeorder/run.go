package timeorder

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/trawl-logs/trawl/responder/scan"
)

const (
	// openMost is how many files are searched at once while they are merged; each takes about half
	// a megabyte.
	openMost = 24
	// keepMost is how many files stay open from their survey to their search. Others are opened again.
	keepMost = 128
)

// Options says how a search in time order is done, beside what scan.Options says.
type Options struct {
	// Create makes a file to spill to; TempFile does.
	Create func() (File, error)
	// Budget bounds what is spilled.
	Budget *Budget
	// Mark, if set, hears from the goroutine that calls emit of times before which nothing will be
	// emitted any more; scan.NoTime: that is not known, or what was emitted last may go on.
	Mark func(ns int64)

	sortBytes, openMost int // tests make them small
}

// search is one call of Run.
type search struct {
	ctx      context.Context
	inputs   []scan.Input
	o        *scan.Options
	grouped  bool
	matchers *matchers
	running  sync.WaitGroup
	sorter   sorter

	mu    sync.Mutex
	stats scan.Stats
	found []found
	kept  int
}

// found is what the survey of an input says.
type found struct {
	survey
	file *scan.File // if it stays open
}

// Run is scan.Run for lines, in time order. Options.Times is set, and so are the clocks. Of MaxCount
// lines a file, those count that come first in it. Inputs that are streams are opened once; files may
// be opened twice.
//
// While files are surveyed and sorted, nothing is emitted. An error from emit, ErrBudget, and those of
// the file to spill to end the search and are returned.
func Run(ctx context.Context, inputs []scan.Input, newMatcher func() scan.Matcher, so scan.Options, o Options, emit func(*scan.Batch) error) (scan.Stats, error) {
	if so.MaxCount == 0 {
		return scan.Stats{}, nil
	}
	if o.sortBytes == 0 {
		o.sortBytes = sortBytes
	}
	if o.openMost == 0 {
		o.openMost = openMost
	}
	so.Threads = max(so.Threads, 1)
	if so.BatchBytes <= 0 {
		so.BatchBytes = 96 << 10
	}
	ctx, cancel := context.WithCancel(ctx)
	s := &search{
		ctx: ctx, inputs: inputs, o: &so, grouped: groups(&so), matchers: newMatchers(newMatcher, so.Threads),
		found: make([]found, len(inputs)),
	}
	s.sorter = sorter{spill: &spill{create: o.Create, budget: o.Budget}, most: o.sortBytes}
	defer s.sorter.spill.close()
	defer s.running.Wait()
	defer cancel()
	all, err := s.prepare(o.openMost)
	defer func() {
		for _, l := range all {
			l.close()
		}
	}()
	if err == nil {
		m := merger{from: slices.Clone(all), to: &builder{o: &so, inputs: inputs, emit: emit}, limit: so.Limit, mark: o.Mark, grouped: s.grouped, stats: &s.stats}
		err = m.run()
	}
	if errors.Is(err, scan.ErrStop) {
		err = nil
	}
	return s.stats, err
}

// prepare surveys all inputs, sorts what is not in order, and gives the sources of the merge.
func (s *search) prepare(most int) ([]source, error) {
	err := s.each(len(s.inputs), s.look)
	var inOrder []int
	var spans []span
	for i := range s.found {
		if f := &s.found[i]; f.inOrder {
			inOrder = append(inOrder, i)
			spans = append(spans, span{key{time: f.first, input: i}, key{time: f.last, input: i}})
		}
	}
	var all []source
	var many []int
	for n, live := range choose(spans, most) {
		i := inOrder[n]
		f := &s.found[i]
		if live || err != nil { // to be closed
			all = append(all, newLive(s, i, &f.survey, f.file))
			f.marks = nil
		} else {
			many = append(many, i)
		}
	}
	if err != nil {
		return all, err
	}
	if err := s.each(len(many), func(n int) error { return s.sortAgain(many[n]) }); err != nil {
		return all, err
	}
	return append(all, s.sorter.sources()...), nil
}

// each calls do for 0 to n-1 from as many goroutines as there are threads, and returns the first
// error, which ends it.
func (s *search) each(n int, do func(i int) error) error {
	var next atomic.Int64
	var once sync.Once
	var first error
	var workers sync.WaitGroup
	for range min(s.o.Threads, n) {
		workers.Go(func() {
			for i := next.Add(1) - 1; i < int64(n); i = next.Add(1) - 1 {
				err := s.ctx.Err()
				if err == nil {
					err = guard(func() error { return do(int(i)) })
				}
				if err != nil {
					once.Do(func() { first = err })
					next.Store(int64(n))
				}
			}
		})
	}
	workers.Wait()
	return first
}

// look opens an input and surveys it. What is not in order, or a stream, is searched at once and
// given to the sorter; a file that is stays open if it may.
func (s *search) look(i int) error {
	file, err := s.inputs[i].Open()
	if err != nil {
		s.failed(i, err)
		return nil
	}
	if file.At == nil {
		return s.sort(i, &file)
	}
	var clock scan.Clock
	if s.o.NewClock != nil {
		clock = s.o.NewClock(i)
	}
	survey, err := look(s.ctx, &file, clock, s.o.Terminator, s.grouped)
	if err != nil || !survey.inOrder { // the search meets the error again, behind the lines before it
		return s.sort(i, &file)
	}
	s.found[i].survey = survey
	s.mu.Lock()
	keep := s.kept < keepMost
	if keep {
		s.kept++
	}
	s.mu.Unlock()
	if keep {
		s.found[i].file = &file
	} else if file.Closer != nil {
		_ = file.Closer.Close() // opened for reading: nothing is lost
	}
	return nil
}

// sortAgain sorts a file that was surveyed, and is one too many to be searched with the others.
func (s *search) sortAgain(i int) error {
	l := newLive(s, i, &s.found[i].survey, s.found[i].file)
	file, err := l.open()
	if err != nil {
		s.failed(i, err)
		return nil
	}
	return s.sort(i, &file)
}

// sort searches an open input and gives the sorter what it finds.
func (s *search) sort(i int, file *scan.File) error {
	in := s.inputs[i]
	in.Open = func() (scan.File, error) { return *file, nil }
	o := s.single(i)
	o.OnError = func(_ int, err error) { s.failed(i, err) }
	f := feeder{s: &s.sorter, input: i, split: newSplitter(s.o)}
	m := s.matchers.lend()
	defer s.matchers.back(m)
	stats, err := scan.Run(s.ctx, []scan.Input{in}, m.of(), o, f.batch)
	s.count(&stats)
	if err == nil {
		err = f.end()
	}
	return err
}

// single are the options of a search of one input, on one thread.
func (s *search) single(i int) scan.Options {
	o := *s.o
	o.Threads, o.Limit = 1, 0
	if s.o.NewClock != nil {
		o.NewClock = func(int) scan.Clock { return s.o.NewClock(i) }
	}
	if head := s.o.Head; head != nil {
		o.Head = func(int) []byte { return head(i) }
	}
	return o
}

// failed reports an input's error.
func (s *search) failed(i int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stats.Errors++
	if s.o.OnError != nil {
		s.o.OnError(i, err)
	}
}

// count adds what the search of one input did. Its results count when they are emitted.
func (s *search) count(one *scan.Stats) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stats.Files += one.Files
	s.stats.Bytes += one.Bytes
	s.stats.Selected += one.Selected
}
