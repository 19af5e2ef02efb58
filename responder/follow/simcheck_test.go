package follow

import (
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/trawl-logs/trawl/responder/source"
)

// round looks, or reads all files, or some.
func (s *sim) round() {
	switch s.rng.IntN(5) {
	case 0:
		s.say("look")
		s.look()
	case 1:
		s.say("poll")
		s.poll()
	case 2:
		l := s.logs[s.rng.IntN(len(s.logs))]
		names := []string{l.name}
		if s.rng.IntN(3) == 0 {
			names = append(names, l.name+".1")
		}
		s.say("poll %s", names)
		s.poll(names...)
	case 3:
		s.say("look, poll")
		s.look()
		s.poll()
	}
	s.took()
}

// took notes what was given and seen.
func (s *sim) took() {
	s.t.Helper()
	if s.looks != s.f.looks {
		s.looks = s.f.looks
		for _, e := range s.f.snap.Files {
			s.seen[e.ID] = true
		}
	}
	for _, got := range s.got {
		s.say("gave %q", got)
		name, text, _ := strings.Cut(got, " ")
		if s.f.o.Numbers && text != "cut" {
			name, _, _ = strings.Cut(name, ":")
		}
		i := slices.IndexFunc(s.logs, func(l *simLog) bool { return strings.HasPrefix(name, l.name) })
		if i < 0 {
			s.fail("gave %q", got)
		}
		s.logs[i].take(text)
	}
	s.got = nil
}

func (l *simLog) take(text string) {
	l.t.Helper()
	if text == "cut" {
		if l.told++; l.told > l.cuts+l.mayCuts {
			l.fail("%s: %d cuts told, there were %d", l.name, l.told, l.cuts+l.mayCuts)
		}
		return
	}
	n := -1
	if rest, ok := strings.CutPrefix(text[min(1, len(text)):], l.name+" "); ok && strings.HasSuffix(text, "}") {
		number, _, _ := strings.Cut(rest, " ")
		n, _ = strconv.Atoi(number)
	}
	if n < 0 || n >= len(l.lines) || l.lines[n].text != text {
		broken := func(b *line) bool { return b.broken && strings.Contains(b.text, text) }
		if !slices.ContainsFunc(l.lines, broken) {
			l.fail("%s: gave %q, which nobody wrote", l.name, text)
		}
		return
	}
	if l.lines[n].broken && (n <= l.before || l.lines[n].fate == never) {
		return // what a copy ends with, when nobody will end it
	}
	if n <= l.before {
		l.fail("%s: gave line %d after line %d", l.name, n, l.before)
	}
	if l.lines[n].fate == never {
		l.fail("%s: gave line %d, which was there when following began", l.name, n)
	}
	l.before = n
	l.lines[n].given++
}

// again ends following, and begins it anew.
func (s *sim) again() {
	s.say("following begins anew")
	o := s.f.o
	s.f.Close()
	s.f = New(o)
	s.start()
	s.seen, s.looks = map[source.ID]bool{}, 0
	s.took()
	for _, l := range s.logs {
		for i, line := range l.lines {
			if line.given == 0 && (i < len(l.lines)-1 || l.half == "") {
				line.fate = never
			}
		}
		l.mayCuts, l.cuts = l.mayCuts+l.cuts, 0
		l.known = false
		if l.file != nil && !l.file.named && !l.file.gone {
			l.file.gone = true
			l.lost(l.file.lines)
		}
	}
}

// check says what is missing at the end.
func (s *sim) check() {
	for _, l := range s.logs {
		for n, line := range l.lines {
			if line.fate == must && line.given == 0 && !line.broken && (n < len(l.lines)-1 || l.half == "") {
				s.fail("%s: line %d of %d was not given", l.name, n, len(l.lines))
			}
		}
		if l.told < l.cuts {
			s.fail("%s: %d cuts told of %d", l.name, l.told, l.cuts)
		}
	}
}

func (s *sim) run() {
	defer func() {
		s.f.Close()
		for _, l := range s.logs {
			if l.open != nil {
				_ = l.open.Close()
			}
		}
	}()
	s.start()
	s.took()
	for range 120 {
		l := s.logs[s.rng.IntN(len(s.logs))]
		switch n := s.rng.IntN(20); {
		case n < 8:
			l.write()
		case n < 14:
			l.step()
		case n < 19:
			s.round()
		case s.rng.IntN(8) == 0:
			s.again()
		case !slices.ContainsFunc(s.logs, func(l *simLog) bool { return l.old }):
			s.now = s.now.Add(2 * time.Minute)
		}
	}
	s.look()
	s.poll()
	s.look()
	s.poll()
	s.took()
	s.check()
}

// Whatever writers and rotation do, and whenever anybody looks, each line comes once and in its log's
// order, but for those that nobody can have, and what was cut is told.
func TestEveryLineOnce(t *testing.T) {
	if *simSeed != 0 {
		newSim(t, *simSeed).run()
		return
	}
	for seed := uint64(1); seed <= *simSeeds; seed++ {
		newSim(t, seed).run()
		if t.Failed() {
			return
		}
	}
}
