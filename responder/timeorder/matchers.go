package timeorder

import (
	"runtime/debug"
	"sync"

	"github.com/trawl-logs/trawl/responder/match"
	"github.com/trawl-logs/trawl/responder/scan"
)

// matchers lends matchers to the searches of single files, and has only so many of them match at
// once.
type matchers struct {
	make  func() scan.Matcher
	turns chan struct{}
	mu    sync.Mutex
	free  []*lent
}

// lent is a matcher that a search has for itself.
type lent struct {
	m    *gated
	make func() scan.Matcher
}

func newMatchers(newMatcher func() scan.Matcher, threads int) *matchers {
	return &matchers{make: newMatcher, turns: make(chan struct{}, threads)}
}

func (p *matchers) lend() *lent {
	p.mu.Lock()
	defer p.mu.Unlock()
	if n := len(p.free); n > 0 {
		l := p.free[n-1]
		p.free = p.free[:n-1]
		return l
	}
	return &lent{make: func() scan.Matcher { return p.make() }, m: &gated{turns: p.turns}}
}

// back takes a matcher back from a search that has ended.
func (p *matchers) back(l *lent) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.free = append(p.free, l)
}

// of is what Run takes. A search of one thread asks for one matcher, or again after a panic.
func (l *lent) of() func() scan.Matcher {
	asked := false
	return func() scan.Matcher {
		if l.m.Matcher == nil || asked {
			l.m.Matcher = l.make()
		}
		asked = true
		return l.m
	}
}

// gated is a matcher that waits for its turn.
type gated struct {
	scan.Matcher
	turns chan struct{}
}

func (g *gated) Lines(dst []match.Line, buf []byte, from int) ([]match.Line, int) {
	g.turns <- struct{}{}
	defer func() { <-g.turns }()
	return g.Matcher.Lines(dst, buf, from)
}

// guard makes a panic an error.
func guard(do func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = &scan.PanicError{Value: p, Stack: debug.Stack()}
		}
	}()
	return do()
}
