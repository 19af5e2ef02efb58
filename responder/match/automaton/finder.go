package automaton

import "unicode/utf8"

// spanFinder finds spans: by the span DFAs where they pay, else by threads; both help themselves with a reach where they read
// a line over and over.
type spanFinder struct {
	p        *Program
	forward  *spanDFA
	backward *spanDFA
	threads  *threadVM // made when first needed
	reach    *reach    // too
	skip     int64     // bytes of lines that are left to threads because a cache thrashed
	stretch  int64

	line  []byte
	spent int  // bytes read of it, over all spans so far
	spare int  // spanSpare (else: tests)
	known bool // to reach

	spans, threaded, reached, bytes int64
}

// Reading a line spanEffort times, and spanSpare bytes more, is cheaper than reading it from its end first.
const (
	spanEffort = 4
	spanSpare  = 1 << 10
)

func newSpanFinder(p *Program) *spanFinder {
	f := &spanFinder{p: p, stretch: minStretch, spare: spanSpare}
	if !p.alpha.hasOdd {
		f.forward = newSpanDFA(p, &p.forward, p.longest, true)
		f.backward = newSpanDFA(p, &p.reverse, true, false)
	}
	return f
}

// begin begins with a line.
func (f *spanFinder) begin(line []byte) { f.line, f.spent, f.known = line, 0, false }

// find returns the leftmost match in the line that starts at from or later. The spans asked for should ascend.
func (f *spanFinder) find(from int) (start, end int) {
	line := f.line
	if f.spent > spanEffort*len(line)+f.spare {
		return f.withReach(from)
	}
	if f.forward == nil || f.skip > 0 {
		f.skip -= int64(len(line) - from)
		return f.byThreads(from)
	}
	if from < len(line) && line[from] >= utf8.RuneSelf {
		if first := characterAt(line, from); first < from && !f.p.alpha.bytewise {
			_, size := utf8.DecodeRune(line[first:])
			from = first + size
		}
	}
	end, ok := f.forward.forward(line, from)
	f.spend(f.forward.stop - from)
	if ok && end < 0 {
		f.spans++
		return -1, -1
	}
	if ok {
		start, ok = f.backward.backward(line, from, end)
		f.spend(end - f.backward.stop)
	}
	if !ok {
		f.skip = f.stretch
		f.stretch = min(2*f.stretch, maxStretch)
		return f.byThreads(from)
	}
	f.spans++
	return start, end
}

func (f *spanFinder) spend(bytes int) {
	f.spent += bytes
	f.bytes += int64(bytes)
}

func (f *spanFinder) byThreads(from int) (start, end int) {
	f.threaded++
	return f.run(from, nil)
}

// withReach is find in time that is in proportion to the span and what lies before it.
func (f *spanFinder) withReach(from int) (start, end int) {
	if f.reach == nil {
		f.reach = newReach(f.p)
	}
	if !f.known {
		f.known = true
		f.reach.begin(f.line)
	}
	f.reached++
	return f.run(from, f.reach)
}

func (f *spanFinder) run(from int, r *reach) (start, end int) {
	if f.threads == nil {
		f.threads = newThreadVM(f.p)
	}
	start, end = f.threads.find(f.line, from, r)
	f.spend(f.threads.stop - from)
	return start, end
}

// stats adds the counts of f to s.
func (f *spanFinder) stats(s *Stats) {
	s.Spans, s.Threads, s.Reached, s.SpanBytes = f.spans, f.threaded, f.reached, f.bytes
	for _, d := range []*spanDFA{f.forward, f.backward} {
		if d != nil {
			s.Work += d.now.work + d.then.work
			s.States += d.built + int64(len(d.states))
			s.Bytes += d.bytes()
		}
	}
	if f.threads != nil {
		s.Work += f.threads.work
	}
	if r := f.reach; r != nil {
		s.Work += r.work
		s.SpanBytes += r.places
		s.States += r.built + int64(len(r.states))
		s.Bytes += r.bytes()
	}
}

// Begin begins the search for spans of line, which must not change until the last of them.
func (m *Machine) Begin(line []byte) {
	if m.span == nil {
		m.span = newSpanFinder(m.p)
	}
	m.span.begin(line)
}

// FindFrom returns the leftmost span of the line begun by Begin that matches and starts at from or later: by priority, or the
// longest, as the pattern's language has it. Assertions see the whole line. start is negative if there is none. All
// calls for a line, with from not below the last one, together take time in proportion to the line.
func (m *Machine) FindFrom(from int) (start, end int) { return m.span.find(from) }

// Find is FindFrom of a line that nothing more is asked of.
func (m *Machine) Find(line []byte, from int) (start, end int) {
	m.Begin(line)
	return m.FindFrom(from)
}
