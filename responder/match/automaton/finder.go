package automaton

// spanFinder finds spans: by the span DFAs where they pay, else by threads.
type spanFinder struct {
	p        *Program
	forward  *spanDFA
	backward *spanDFA
	threads  *threadVM // made when first needed
	skip     int64     // bytes of lines that are left to threads because a cache thrashed
	stretch  int64

	spans, threaded int64
}

func newSpanFinder(p *Program) *spanFinder {
	f := &spanFinder{p: p, stretch: minStretch}
	if !p.alpha.hasOdd {
		f.forward = newSpanDFA(p, &p.forward, p.longest, true)
		f.backward = newSpanDFA(p, &p.reverse, true, false)
	}
	return f
}

// find returns the leftmost match in line that starts at from or later.
func (f *spanFinder) find(line []byte, from int) (start, end int) {
	if f.forward == nil || f.skip > 0 {
		f.skip -= int64(len(line) - from)
		return f.byThreads(line, from)
	}
	end, ok := f.forward.forward(line, from)
	if ok && end < 0 {
		f.spans++
		return -1, -1
	}
	if ok {
		start, ok = f.backward.backward(line, from, end)
	}
	if !ok {
		f.skip = f.stretch
		f.stretch = min(2*f.stretch, maxStretch)
		return f.byThreads(line, from)
	}
	f.spans++
	return start, end
}

func (f *spanFinder) byThreads(line []byte, from int) (start, end int) {
	if f.threads == nil {
		f.threads = newThreadVM(f.p)
	}
	f.threaded++
	return f.threads.find(line, from)
}

// stats adds the counts of f to s.
func (f *spanFinder) stats(s *Stats) {
	s.Spans, s.Threads = f.spans, f.threaded
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
}

// Find returns the leftmost span of line that matches and starts at from or later: by priority, or the longest, as the pattern's language
// has it. Assertions see the whole line. from is the border of a character. start is negative if there is none.
func (m *Machine) Find(line []byte, from int) (start, end int) {
	if m.span == nil {
		m.span = newSpanFinder(m.p)
	}
	return m.span.find(line, from)
}
