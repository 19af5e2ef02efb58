package follow

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"
)

// turned is a writer that numbers its lines, and rotation as it may happen to them.
type turned struct {
	*bench
	rng      *rand.Rand
	next     int
	half     string       // of the line that is being written
	lost     map[int]bool // by copytruncate itself
	cuts     int
	mode     string
	turns    int
	looked   bool // since the last turn
	cutSince bool // a cut that no round has seen
}

func (w *turned) write() {
	for range 1 + w.rng.IntN(5) {
		line := fmt.Sprintf("line %d %s\n", w.next, strings.Repeat("x", w.next%97*w.rng.IntN(2)))
		w.next++
		text := w.half + line
		w.half = ""
		if w.rng.IntN(3) == 0 {
			n := w.rng.IntN(len(text))
			w.append("app.log", text[:n])
			w.maybePoll()
			text = text[n:]
		}
		w.append("app.log", text)
	}
}

func (w *turned) maybePoll() {
	switch w.rng.IntN(6) {
	case 0:
		w.poll()
		w.cutSince = false
	case 1:
		w.poll("app.log")
		w.cutSince = false
	case 2:
		w.look()
		w.looked = true
	}
}

// rotate shifts the older ones up and turns the log.
func (w *turned) rotate() {
	unread := w.f.names[w.path("app.log")] == nil || w.f.names[w.path("app.log")].at < 64 // so little does not tell its copy
	if w.mode == "copytruncate" && (w.cutSince || unread) || w.mode == "delete" && !w.looked {
		w.look()
		w.poll() // rotation is slower than looks are
	}
	for i := w.turns; i > 0; i-- {
		_ = os.Rename(w.path(fmt.Sprint("app.log.", i)), w.path(fmt.Sprint("app.log.", i+1))) // some are deleted
	}
	w.looked = false
	w.turns++
	switch w.mode {
	case "create":
		w.must(os.Rename(w.path("app.log"), w.path("app.log.1")))
		if w.rng.IntN(2) == 0 {
			w.maybePoll()
		}
		w.append("app.log", "")
	case "delete":
		w.must(os.Remove(w.path("app.log")))
		w.append("app.log", "")
	case "copytruncate":
		text, err := os.ReadFile(w.path("app.log"))
		w.must(err)
		n := w.rng.IntN(len(text) + 1)
		w.append("app.log.1", string(text[:n]))
		if w.rng.IntN(3) == 0 {
			w.look()
		}
		w.append("app.log.1", string(text[n:]))
		if w.rng.IntN(3) == 0 {
			w.look()
		}
		if w.rng.IntN(3) == 0 { // written after the copy, before the cut
			w.lost[w.next] = true
			w.append("app.log", fmt.Sprintf("line %d\n", w.next))
			w.next++
		}
		w.must(os.Truncate(w.path("app.log"), 0))
		w.cuts++
		w.cutSince = true
	}
	if w.rng.IntN(4) == 0 && w.turns > 2 {
		w.look()                                                 // a file that comes and goes unseen is lost
		_ = os.Remove(w.path(fmt.Sprint("app.log.", w.turns-1))) // may be gone
	}
}

// check compares what was given with what was written.
func (w *turned) check(seed uint64) {
	before, cuts := -1, 0
	seen := map[int]bool{}
	for _, line := range w.got {
		if line == "app.log cut" {
			cuts++
			continue
		}
		_, rest, ok := strings.Cut(line, " line ") // the name is what the file had when it was found
		number, _, _ := strings.Cut(rest, " ")
		n, err := strconv.Atoi(number)
		if !ok || err != nil || n <= before {
			w.t.Fatalf("seed %d: gave %q after line %d", seed, line, before)
		}
		before, seen[n] = n, true
	}
	for n := range w.next {
		if !seen[n] && !w.lost[n] {
			w.t.Fatalf("seed %d: %s: line %d of %d was not given; lost on the way: %v", seed, w.mode, n, w.next, w.lost)
		}
	}
	if cuts > w.cuts || cuts == 0 && len(w.lost) > 0 { // of a file of which nothing was read none is seen
		w.t.Fatalf("seed %d: %d cuts told, there were %d", seed, cuts, w.cuts)
	}
}

// Whatever rotation does, and whenever anybody looks, each line comes once and in order, but for those
// that copytruncate itself loses.
func TestEveryLineOnce(t *testing.T) {
	for _, mode := range []string{"create", "delete", "copytruncate"} {
		for seed := range uint64(40) {
			w := &turned{bench: newBench(t, "app.log*", Options{}), rng: rand.New(rand.NewPCG(seed, 1)), lost: map[int]bool{}, mode: mode}
			w.append("app.log", "")
			w.start()
			for range 60 {
				if w.rng.IntN(6) == 0 {
					w.rotate()
				} else {
					w.write()
				}
				w.maybePoll()
			}
			w.look()
			w.poll()
			w.poll()
			w.check(seed)
			w.f.Close()
		}
	}
}
