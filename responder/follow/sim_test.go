package follow

import (
	"bytes"
	"compress/gzip"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/trawl-logs/trawl/responder/source"
)

var (
	simSeed  = flag.Uint64("sim.seed", 0, "run this seed of the simulation alone, and print what happens")
	simSeeds = flag.Uint64("sim.seeds", 150, "how many seeds the simulation runs")
)

// fate is what has to become of a line.
type fate int

const (
	must  fate = iota // it comes once
	may               // it comes once or not at all: nobody can have it who did not look in time
	never             // it was there, whole, when following began anew
)

// line is one that a writer wrote.
type line struct {
	text   string
	fate   fate
	broken bool // its log was cut in the middle of it: pieces of it may come
	given  int
}

// inode is a file of a log, under whatever name, or a copy.
type inode struct {
	id    source.ID
	lines []int // that it holds a part of
	size  int
	named bool
	gone  bool // it has no name, and nobody who follows has it open
}

// simLog is a log with one writer, who numbers its lines, and rotation as may happen to it.
type simLog struct {
	*sim
	name     string
	lines    []*line
	half     string   // what is still to be written of the last line
	open     *os.File // the writer's
	file     *inode   // that the writer has open
	old      bool     // which has been renamed or deleted
	rotated  int      // names that rotation has given
	before   int      // the number of the line that was given last
	cuts     int      // that must be told
	mayCuts  int      // that may be, beyond those
	told     int
	copies   bool // the last turn made a copy
	known    bool // the file was found before the turn that is under way
	turn     func() bool
	dateName bool
}

// sim is a directory of logs and one who follows them, in a random order of steps.
type sim struct {
	*bench
	seed  uint64
	rng   *rand.Rand
	logs  []*simLog
	seen  map[source.ID]bool // by the Follower there is
	looks int                // of its, that seen knows of
}

func (s *sim) say(format string, args ...any) {
	if *simSeed != 0 {
		s.t.Logf(format, args...)
	}
}

func (s *sim) fail(format string, args ...any) {
	s.t.Helper()
	s.t.Fatalf("seed %d: "+format, append([]any{s.seed}, args...)...)
}

func newSim(t *testing.T, seed uint64) *sim {
	s := &sim{bench: newBench(t, "*.log*", Options{Numbers: seed%4 == 0}), seed: seed, rng: rand.New(rand.NewPCG(seed, 7)), seen: map[source.ID]bool{}}
	for i := range 1 + s.rng.IntN(3) {
		l := &simLog{sim: s, name: string(rune('a'+i)) + ".log", before: -1, dateName: s.rng.IntN(4) == 0}
		s.logs = append(s.logs, l)
		if s.rng.IntN(3) > 0 {
			l.reopen()
		}
	}
	return s
}

// idOf is what a file is known by.
func (s *sim) idOf(name string) source.ID {
	s.t.Helper()
	snap, err := s.f.o.Catalog.Again(s.t.Context())
	s.must(err)
	for _, e := range snap.Files {
		if e.Path == s.path(name) {
			return e.ID
		}
	}
	s.fail("%s is not there", name)
	return source.ID{}
}

// reopen has the writer open the log under its name, which creates it.
func (l *simLog) reopen() {
	if l.open != nil {
		_ = l.open.Close()
	}
	var err error
	l.open, err = os.OpenFile(l.path(l.name), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	l.must(err)
	id := l.idOf(l.name)
	if l.file == nil || l.old {
		l.file = &inode{id: id, named: true}
	}
	l.old = false
}

func (l *simLog) put(text string) {
	_, err := l.open.WriteString(text)
	l.must(err)
	l.file.size += len(text)
	l.say("%s: %q", l.name, text)
}

// hold notes that the last line is, or will be, in the file.
func (l *simLog) hold() {
	if n := len(l.lines) - 1; len(l.file.lines) == 0 || l.file.lines[len(l.file.lines)-1] != n {
		l.file.lines = append(l.file.lines, n)
	}
	if l.file.gone {
		l.lost(l.file.lines)
	}
}

// write writes some lines, the last one perhaps not to its end.
func (l *simLog) write() {
	if l.open == nil {
		l.reopen()
	}
	for range 1 + l.rng.IntN(4) {
		text := l.half
		if text == "" {
			if l.old && l.rng.IntN(2) == 0 { // the writer hears that its log was rotated
				l.reopen()
			}
			n := len(l.lines)
			line := &line{text: fmt.Sprintf("%c%s %d %s}", 'A'+n%50, l.name, n, filler(n, n*37%25*l.rng.IntN(2)))}
			l.lines = append(l.lines, line)
			text = line.text + "\n"
		}
		l.hold()
		l.half = ""
		if l.rng.IntN(3) == 0 {
			n := 1 + l.rng.IntN(len(text))
			l.put(text[:n])
			if l.half = text[n:]; l.half != "" {
				return
			}
			continue
		}
		l.put(text)
	}
}

// filler is text that is found nowhere else.
func filler(line, n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "%d.%d ", line, i)
	}
	return strings.TrimSpace(b.String())
}

// lost says of the lines of a file of which nothing is left that they need not come.
func (l *simLog) lost(lines []int) {
	for _, n := range lines {
		if l.lines[n].fate == must && l.lines[n].given == 0 {
			l.lines[n].fate, l.lines[n].broken = may, true
		}
	}
}

// shift makes the name of the newest rotated file free, and returns it.
func (l *simLog) shift() string {
	l.rotated++
	if l.dateName {
		return fmt.Sprintf("%s-202601%02d", l.name, l.rotated%100)
	}
	for i := l.rotated; i > 0; i-- {
		for _, end := range []string{"", ".gz"} {
			_ = os.Rename(l.path(fmt.Sprint(l.name, ".", i, end)), l.path(fmt.Sprint(l.name, ".", i+1, end))) // some are not there
		}
	}
	return l.name + ".1"
}

// end deletes a rotated file, or packs it, or does neither.
func (l *simLog) end(name string, file *inode) {
	kind := l.rng.IntN(6)
	if kind > 1 {
		return
	}
	text, err := os.ReadFile(l.path(name))
	l.must(err)
	if kind == 0 {
		var b bytes.Buffer
		w := gzip.NewWriter(&b)
		_, _ = w.Write(text)
		_ = w.Close()
		l.must(os.WriteFile(l.path(name+".gz"), b.Bytes(), 0o600))
		if l.rng.IntN(2) == 0 {
			l.look()
			l.took()
		}
	}
	l.say("%s: %s goes, seen: %v", l.name, name, l.seen[file.id])
	l.must(os.Remove(l.path(name)))
	if !l.seen[file.id] {
		l.lost(file.lines)
		l.cuts, l.mayCuts = 0, l.mayCuts+l.cuts // one of them may have been this one's
	}
	delete(l.seen, file.id) // another file may get it
}

// step does the next step of a turn, or begins one. Steps of several logs, and rounds, may come between.
func (l *simLog) step() {
	if l.turn != nil {
		if l.turn() {
			l.turn = nil
		}
		return
	}
	if l.open == nil || l.old {
		l.write()
		return
	}
	l.known = l.seen[l.file.id]
	kind := l.rng.IntN(8)
	if kind < 2 && l.copies {
		l.say("look, poll: nobody copies, cuts and renames a log at once")
		l.look()
		l.poll()
		l.took()
	}
	l.copies = kind >= 2
	switch kind {
	case 0: // it is renamed, and the writer goes on in it until it hears of that
		to, file := l.shift(), l.file
		l.say("%s: renamed to %s", l.name, to)
		l.must(os.Rename(l.path(l.name), l.path(to)))
		l.old = true
		l.turn = func() bool {
			if l.file == file { // the writer has it still
				return false
			}
			l.end(to, file)
			return true
		}
	case 1: // it is deleted
		l.say("%s: deleted, seen: %v", l.name, l.known)
		l.must(os.Remove(l.path(l.name)))
		delete(l.seen, l.file.id)
		l.old = true
		l.file.named = false
		if !l.known {
			l.file.gone = true
			l.lost(l.file.lines)
		}
	case 2: // it is cut, and nothing is left of it
		l.say("%s: cut", l.name)
		l.cutNow(0)
	case 3: // it is copied, and not cut; of two copies that were found with the log, nobody can tell what they are
		l.copied(!l.known)
	default:
		l.copied(true)
	}
}

// cutNow cuts the file, of which so many bytes are in a copy.
func (l *simLog) cutNow(copied int) {
	l.must(os.Truncate(l.path(l.name), 0))
	if l.file.size == 0 {
		return
	}
	if l.known && copied > 0 {
		l.cuts++
	} else {
		l.mayCuts++
	}
	if l.half != "" {
		l.lines[len(l.lines)-1].broken = true
	}
	// The text of what was copied: lines behind it may be lost.
	at := 0
	text := l.text()
	for _, n := range l.file.lines {
		whole := l.lines[n].text + "\n"
		i := strings.Index(text[at:], whole)
		end := len(text) + 1
		if i >= 0 {
			end = at + i + len(whole)
			at = end
		}
		if end > copied {
			l.lost([]int{n})
			l.lines[n].broken = true
		}
	}
	l.file.lines, l.file.size = nil, 0
}

// text is what the file that is cut held.
func (l *simLog) text() string {
	var b strings.Builder
	for i, n := range l.file.lines {
		whole := l.lines[n].text + "\n"
		if i == len(l.file.lines)-1 {
			whole = whole[:len(whole)-len(l.half)]
		}
		b.WriteString(whole)
	}
	text := b.String()
	return text[max(0, len(text)-l.file.size):] // it may begin in the middle of a line
}

// copied begins a copy of the log as logrotate makes it.
func (l *simLog) copied(cut bool) {
	to := l.shift()
	l.say("%s: copied to %s", l.name, to)
	l.must(os.WriteFile(l.path(to), nil, 0o600))
	c := &inode{id: l.idOf(to)}
	done, size := 0, 0 // of the copy, and of the file when it was read last
	l.turn = func() bool {
		text, err := os.ReadFile(l.path(l.name))
		l.must(err)
		if n := len(text) - done; n > 0 && (done < size || l.rng.IntN(2) == 0) {
			if l.rng.IntN(2) == 0 {
				n = 1 + l.rng.IntN(n)
			}
			l.append(to, string(text[done:done+n]))
			done, size = done+n, len(text)
			return false
		}
		c.lines = slices.Clone(l.file.lines)
		if cut {
			l.say("%s: cut, %d of %d bytes copied, known: %v", l.name, done, l.file.size, l.known)
			l.cutNow(done)
		} else {
			c.lines = nil // all is in the log itself
		}
		l.turn = func() bool {
			l.end(to, c)
			return true
		}
		return false
	}
}
