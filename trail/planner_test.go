package trail

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/trawl-logs/trawl/relations"
)

// world is logs of one request, on which Asks are answered.
type world struct {
	lines    []Line
	timeless map[string]bool // services whose logs have no times
	asks     int
	asked    map[string][]Window // by service
}

func (w *world) answer(a Ask) (lines []Line, timeless bool) {
	w.asks++
	for _, s := range a.Services {
		w.asked[s] = append(w.asked[s], a.Window)
	}
	for _, l := range w.lines {
		if len(a.Services) > 0 && !slices.Contains(a.Services, l.Service) {
			continue
		}
		switch {
		case w.timeless[l.Service] && a.Window != Whole:
			timeless = true
		case w.timeless[l.Service]:
			l.Timed, l.At = false, 0
			lines = append(lines, l)
		case a.Window.From <= l.At && l.At < a.Window.To:
			lines = append(lines, l)
		}
	}
	return lines, timeless
}

// follow asks until there is nothing more to ask.
func (w *world) follow(t *testing.T, o Options) *Planner {
	t.Helper()
	w.asked = map[string][]Window{}
	p := New(o)
	for range 200 {
		asks := p.Next()
		if len(asks) == 0 {
			return p
		}
		for _, a := range asks {
			lines, timeless := w.answer(a)
			p.Answer(a, lines, timeless)
		}
	}
	t.Fatal("200 rounds, and still something to ask")
	return nil
}

// texts are the lines of a story.
func texts(lines []Line) (all []string) {
	for _, l := range lines {
		all = append(all, string(l.Text))
	}
	return all
}

func graphOf(text string) *relations.Graph {
	var calls []relations.Call
	var services []string
	for word := range strings.FieldsSeq(text) {
		if caller, callee, ok := strings.Cut(word, ">"); ok {
			calls = append(calls, relations.Call{Caller: caller, Callee: callee})
		} else {
			services = append(services, word)
		}
	}
	return relations.NewGraph(calls, services...)
}

// logs reads "a:100 b:105": a line of a service at so many milliseconds.
func logs(text string) (lines []Line) {
	for word := range strings.FieldsSeq(text) {
		service, at, _ := strings.Cut(word, ":")
		var ms int64
		if _, err := fmt.Sscan(at, &ms); err != nil {
			panic(err)
		}
		lines = append(lines, Line{Node: "n", Service: service, File: service, At: ms * 1e6, Timed: true, Text: []byte(word)})
	}
	return lines
}

func options(graph string, services string) Options {
	return Options{Range: Whole, Skew: 100 * time.Millisecond, Slack: time.Second, Graph: graphOf(graph), Services: strings.Fields(services)}
}

// Of each system the lines that are found, in order and by hop, the windows that were asked, and what is said.
func TestFollow(t *testing.T) {
	for name, c := range map[string]struct {
		graph, services, entries string
		lines                    string
		timeless                 string
		want                     string // by hop
		asked                    string // of whom, in ms
		notes                    string
	}{
		"a chain": {graph: "a>b b>c", lines: "a:1000 a:1500 b:1100 b:1400 c:1200",
			want: "a:1000/0 b:1100/1 c:1200/2 b:1400/1 a:1500/0", asked: "a:all b:900-2600 c:1000-2500"},
		"the callee's clock is behind": {graph: "a>b", lines: "a:1000 b:960 b:1700 b:2300",
			want: "b:960/1 a:1000/0 b:1700/1 b:2300/1", asked: "a:all b:900-2100 b:2100-3200 b:3200-5400",
			notes: "b logs 700ms after who calls it: asked to 2.2s after; b logs 1.3s after who calls it: asked to 4.4s after"},
		"beyond the skew": {graph: "a>b", lines: "a:1000 b:940 b:850", want: "b:850/1 b:940/1 a:1000/0",
			asked: "a:all b:900-2100 b:800-900 b:600-800", notes: "b logs 60ms before who calls it: asked from 200ms before; b logs 150ms before who calls it: asked from 400ms before"},
		"who logs nothing hands on": {graph: "a>b b>c c>d", lines: "a:1000 d:1200",
			want: "a:1000/0 d:1200/1", asked: "a:all b:900-2100 c:900-3100 d:900-4100"},
		"nor has logs here": {graph: "a>b b>c", services: "a c", lines: "a:1000 c:1200",
			want: "a:1000/0 c:1200/1", asked: "a:all c:900-3100"},
		"an entry without logs": {graph: "user>a a>b", services: "a b", lines: "a:1000 b:1001",
			want: "a:1000/0 b:1001/1", asked: "a:all b:900-2100", notes: "no node has logs of user: those whom they call are entries"},
		"two callers": {graph: "a>b a>c b>d c>d", lines: "a:1000 b:1100 c:5000 d:5100 a:6000",
			want: "a:1000/0 b:1100/1 c:5000/1 d:5100/2 a:6000/0", asked: "a:all b:900-7100 c:900-7100 d:1000-6100"},
		"a circle": {graph: "a>b b>c c>b", lines: "a:1000 b:1900 c:2800 b:3700 c:4600",
			want: "a:1000/0 b:1900/1 c:2800/2 b:3700/1 c:4600/2", asked: "a:all b:900-2100 c:1800-3000 b:2100-3900 c:3000-4800 b:3900-5700 c:4800-5900",
			notes: "c logs 900ms after who calls it: asked to 2.2s after"},
		"one entry of two": {graph: "a>c b>c x>y", entries: "a", lines: "a:1000 c:1100 b:1050",
			want: "a:1000/0 c:1100/1", asked: "a:all c:900-2100", notes: "nothing leads from a to b, x, y: not asked"},
		"a stranger": {graph: "a>b", services: "a b s", lines: "a:1000 b:1001 s:9000",
			want: "a:1000/0 b:1001/1 s:9000/0", asked: "a:all b:900-2100 s:all", notes: "the relations do not know s: asked over the whole range"},
		"only a stranger logs": {graph: "a>b", services: "a b s", lines: "b:1001 s:9000",
			want: "b:1001/0 s:9000/0", asked: "a:all s:all", notes: "the relations do not know s: asked over the whole range; no line was found along the relations: all services are asked, over the whole range"},
		"the entry logs nothing": {graph: "a>b", lines: "b:1001", want: "b:1001/0", asked: "a:all",
			notes: "no line was found along the relations: all services are asked, over the whole range"},
		"nothing": {graph: "a>b", lines: "", asked: "a:all", notes: "no line was found along the relations: all services are asked, over the whole range"},
		"no relations": {graph: "", services: "a b", lines: "a:1000 b:9000", want: "a:1000/0 b:9000/0",
			notes: "no relations are known: all services are asked, over the whole range"},
		"a log without times": {graph: "a>b b>c", lines: "a:1000 b:1100 c:99999", timeless: "b", want: "b:1100/1 a:1000/0 c:99999/2",
			asked: "a:all b:900-2100 b:all c:all", notes: "a log of b has no times: asked over the whole range"},
		"the entry's log has none": {graph: "a>b", lines: "a:1000 b:1100", timeless: "a", want: "a:1000/0 b:1100/1", asked: "a:all b:all"},
	} {
		t.Run(name, func(t *testing.T) {
			w := &world{lines: logs(c.lines), timeless: map[string]bool{c.timeless: true}}
			o := options(c.graph, c.services)
			if c.services == "" {
				o.Services = o.Graph.Services()
			}
			o.Entries = strings.Fields(c.entries)
			p := w.follow(t, o)
			var got []string
			for _, l := range p.Story() {
				got = append(got, fmt.Sprintf("%s/%d", l.Text, l.Hop))
			}
			if strings.Join(got, " ") != c.want {
				t.Errorf("story %v, want %s", got, c.want)
			}
			if notes := strings.Join(p.Notes(), "; "); notes != c.notes {
				t.Errorf("notes %q\nwant  %q", notes, c.notes)
			}
			want := map[string][]string{}
			for word := range strings.FieldsSeq(c.asked) {
				s, window, _ := strings.Cut(word, ":")
				want[s] = append(want[s], window)
			}
			for s, windows := range w.asked {
				var got []string
				for _, a := range windows {
					text := "all"
					if a != Whole {
						text = fmt.Sprintf("%d-%d", a.From/1e6, a.To/1e6)
					}
					got = append(got, text)
				}
				if !slices.Equal(got, want[s]) {
					t.Errorf("%s was asked %v, want %v", s, got, want[s])
				}
				delete(want, s)
			}
			if len(want) > 0 {
				t.Errorf("not asked: %v", want)
			}
		})
	}
}

func TestUnknownServices(t *testing.T) {
	w := &world{lines: logs("a:1 z:99999")}
	o := options("a>b", "a b")
	o.Unknown = "node7 is known by name alone"
	p := w.follow(t, o)
	if len(p.Story()) != 2 || !p.Everything() || w.asks != 1 || !slices.Equal(p.Notes(), []string{"node7 is known by name alone: all services are asked, over the whole range"}) {
		t.Errorf("%v after %d asks: %v", texts(p.Story()), w.asks, p.Notes())
	}
}

// Nothing outside the range is asked, and nothing within is lost for it.
func TestRange(t *testing.T) {
	w := &world{lines: logs("a:1000 b:1100 b:1900 c:1950")}
	o := options("a>b b>c", "a b c")
	o.Range = Window{950e6, 1500e6}
	p := w.follow(t, o)
	if got := texts(p.Story()); !slices.Equal(got, []string{"a:1000", "b:1100"}) || len(p.Notes()) > 0 {
		t.Error(got, p.Notes())
	}
	for s, windows := range w.asked {
		for _, a := range windows {
			if !o.Range.holds(a) {
				t.Errorf("%s was asked in %v", s, a)
			}
		}
	}
}

// A line without a time of its own goes with the one above it.
func TestOrder(t *testing.T) {
	lines := logs("b:5 a:3 a:9 a:9 b:9")
	lines[2].Timed, lines[2].At = false, 0 // a's second goes with its first
	order(lines)
	if got := texts(lines); !slices.Equal(got, []string{"a:3", "a:9", "b:5", "a:9", "b:9"}) {
		t.Error(got)
	}
}

// request makes the lines of a request in a system in which causes come before what they cause: a service
// begins after who calls it, and ends at most slack after that. Some log nothing.
func request(r *rand.Rand, graph *relations.Graph, entry string, clocks map[string]int64, silent map[string]bool, slack time.Duration) (lines []Line) {
	calls := 0
	var serve func(s string, at int64) int64
	serve = func(s string, at int64) int64 {
		calls++
		log := func() {
			if !silent[s] {
				lines = append(lines, Line{Node: "n" + s, Service: s, File: s, Offset: int64(len(lines)), At: at + clocks[s], Timed: true, Text: fmt.Appendf(nil, "%s %d", s, len(lines))})
			}
		}
		log()
		begin := at
		for _, callee := range graph.Callees(s) {
			at += r.Int64N(1e7)
			switch {
			case calls > 60:
			case r.IntN(4) == 0: // later; slack is counted from the caller's last line, which is not earlier than this
				serve(callee, at+r.Int64N(int64(slack)/2))
			case r.IntN(2) == 0:
				at = serve(callee, at)
				log()
			}
		}
		at = min(at, begin+int64(slack)/4) // so that what is called late still ends in time
		return at
	}
	serve(entry, 1e12)
	return lines
}

// Where causes come before what they cause, every line is found once, whatever the graph, who is silent, and
// the clocks within the skew.
func TestNothingIsLost(t *testing.T) {
	notAll, total := 0, 0
	for seed := range uint64(2000) {
		r := rand.New(rand.NewPCG(seed, 5))
		n := 2 + r.IntN(12)
		var calls []relations.Call
		var services []string
		for i := range n {
			services = append(services, fmt.Sprintf("s%02d", i))
		}
		for i := range n {
			for range r.IntN(3) {
				calls = append(calls, relations.Call{Caller: services[i], Callee: services[r.IntN(n)]})
			}
		}
		graph := relations.NewGraph(calls, services...)
		roots := graph.Roots()
		skew, slack := time.Duration(1+r.Int64N(2e9)), time.Duration(1e9+r.Int64N(1e10))
		clocks, silent := map[string]int64{}, map[string]bool{}
		for _, s := range services {
			clocks[s] = r.Int64N(int64(skew)/2+1) * int64(1-2*r.IntN(2))
			silent[s] = r.IntN(8) == 0
		}
		entry := roots[r.IntN(len(roots))]
		silent[entry] = false
		w := &world{lines: request(r, graph, entry, clocks, silent, slack)}
		p := w.follow(t, Options{Range: Whole, Skew: skew, Slack: slack, Graph: graph, Services: services})
		got, want := texts(p.Story()), texts(w.lines)
		if !slices.IsSortedFunc(p.Story(), func(a, b Line) int { return int(a.At - b.At) }) {
			t.Fatalf("seed %d: the story is not in order", seed)
		}
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Fatalf("seed %d: %d lines, want %d\ngot  %v\nwant %v\nnotes %v", seed, len(got), len(want), got, want, p.Notes())
		}
		for s, windows := range w.asked {
			total++
			if !slices.Contains(windows, Whole) {
				notAll++
			}
			for i, a := range windows {
				for _, b := range windows[:i] {
					if !a.within(b).empty() {
						t.Fatalf("seed %d: %s was asked in %v and in %v", seed, s, a, b)
					}
				}
			}
		}
	}
	if notAll*3 < total {
		t.Errorf("of %d services that were asked only %d were not over the whole range", total, notAll)
	}
}

// Whatever the lines and the clocks, it ends, and finds no line twice.
func TestItEnds(t *testing.T) {
	for seed := range uint64(1000) {
		r := rand.New(rand.NewPCG(seed, 6))
		n := 1 + r.IntN(8)
		var calls []relations.Call
		var services []string
		for i := range n {
			services = append(services, fmt.Sprintf("s%d", i))
		}
		for range r.IntN(3 * n) {
			calls = append(calls, relations.Call{Caller: services[r.IntN(n)], Callee: services[r.IntN(n)]})
		}
		w := &world{timeless: map[string]bool{}}
		for i := range r.IntN(40) {
			s := services[r.IntN(n)]
			at := r.Int64() >> r.IntN(60)
			w.lines = append(w.lines, Line{Node: "n", Service: s, File: s, At: at - r.Int64()>>r.IntN(60), Timed: r.IntN(20) > 0, Text: fmt.Appendf(nil, "%d", i)})
		}
		if r.IntN(4) == 0 {
			w.timeless[services[0]] = true
		}
		o := Options{Range: Whole, Skew: time.Duration(r.Int64N(1e9)), Slack: time.Duration(r.Int64N(1e10)), Graph: relations.NewGraph(calls, services[:1+r.IntN(n)]...), Services: services}
		got := texts(w.follow(t, o).Story())
		once := map[string]bool{}
		for _, text := range got {
			if once[text] {
				t.Fatalf("seed %d: line %s twice", seed, text)
			}
			once[text] = true
		}
	}
}
