package requester

import (
	"bytes"
	"container/heap"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/trawl-logs/trawl/responder/outbox"
	"github.com/trawl-logs/trawl/schemas"
)

// The simulation joins one Gather and many Outboxes by a network that loses, doubles, delays and
// reorders, in virtual time and from one seed. plan says what goes wrong in a seed; world runs it;
// sim_test.go judges what came of it.

// event is something that happens at a virtual time; equal times happen in the order of seq.
type event struct {
	at  time.Time
	seq int
	do  func()
}

type events []event

func (e events) Len() int { return len(e) }
func (e events) Less(i, j int) bool {
	if !e[i].at.Equal(e[j].at) {
		return e[i].at.Before(e[j].at)
	}
	return e[i].seq < e[j].seq
}
func (e events) Swap(i, j int) { e[i], e[j] = e[j], e[i] }
func (e *events) Push(x any)   { *e = append(*e, x.(event)) }
func (e *events) Pop() any {
	old := *e
	x := old[len(old)-1]
	old[len(old)-1].do = nil
	*e = old[:len(old)-1]
	return x
}

var simStart = time.Unix(1_700_000_000, 0)

type world struct {
	p       plan
	rng     *rand.Rand
	now     time.Time
	queue   events
	seq     int
	epoch   int  // of the bus: what was sent in another is lost
	up      bool // the bus is
	client  bool // the requester is connected
	g       *Gather
	nodes   map[string]*simNode
	names   []string
	sent    map[string][][]byte // frames that a node published, to replay
	heard   map[string]int
	out     []Release
	busy    bool // the consumer is printing
	blocked time.Time
	still   time.Time // until then the bus delivers nothing
	asleep  time.Time // until then the requester does not run
	trace   []string
	store   *simStore // nil: nothing is sealed
	broken  string    // the first invariant that did not hold
}

// process is a node's, with its connection: its accounts share it.
type process struct {
	instance  int
	up        bool
	paused    time.Time
	connected bool
	inbox     []func()             // what came while paused
	last      map[string]time.Time // delivery of the last message, by direction
}

// simNode is a node, or what it does for a part of the query.
type simNode struct {
	*process
	w      *world
	name   string     // the Account
	store  *simAnswer // of a planned query
	text   []byte     // all its lines
	times  []int64
	groups []bool // the line begins a group
	begun  int    // lines, in what was sent
	ledger *outbox.Ledger
	box    *outbox.Outbox
	twin   *outbox.Outbox // of a second node of the same name
	at     int            // of text, sent so far
	number int64
	lines  int64
	inLine bool
}

func newWorld(p plan) *world {
	w := &world{p: p, rng: rand.New(rand.NewPCG(p.seed, 77)), now: simStart, up: true, client: true, nodes: map[string]*simNode{}, sent: map[string][][]byte{}, heard: map[string]int{}}
	for i := range p.nodes {
		n := &simNode{w: w, name: fmt.Sprintf("node%d", i+1), process: &process{up: true, connected: true, last: map[string]time.Time{}}, ledger: outbox.NewLedger()}
		n.text = w.script(n.name)
		n.times, n.groups = w.dates(bytes.Count(n.text, []byte{'\n'}))
		w.nodes[n.name] = n
		w.names = append(w.names, n.name)
	}
	return w
}

// script is what a node has to say.
func (w *world) script(name string) []byte {
	var b bytes.Buffer
	size := w.rng.IntN(w.p.size + 1)
	if w.rng.IntN(4) == 0 {
		size = 0
	}
	for i := 0; b.Len() < size; i++ {
		fmt.Fprintf(&b, "%s:%06d:", name, i)
		pad := w.rng.IntN(120)
		if w.p.longLines && w.rng.IntN(40) == 0 {
			pad = w.rng.IntN(w.p.size)
		}
		b.WriteString(strings.Repeat(".", pad) + "\n")
	}
	return b.Bytes()
}

// dates are the times of a node's lines, in order, many the same, some missing, and where its groups
// begin. In a group times are what they like.
func (w *world) dates(lines int) (times []int64, groups []bool) {
	rng := rand.New(rand.NewPCG(w.p.seed, uint64(len(w.names))))
	now, step := int64(rng.IntN(100)), 1+rng.IntN(20)
	for i := range lines {
		begins := i == 0 || w.p.columns&schemas.ColumnGroup == 0 || rng.IntN(4) == 0
		groups = append(groups, begins)
		if rng.IntN(3) == 0 {
			now += int64(rng.IntN(step))
		}
		switch {
		case rng.IntN(4) == 0:
			times = append(times, schemas.NoTime)
		case begins:
			times = append(times, now)
		default:
			times = append(times, int64(rng.IntN(1000)))
		}
	}
	return times, groups
}

// watermark is what a node may say of the lines that it has not sent.
func (n *simNode) watermark() int64 {
	grouped := n.w.p.columns&schemas.ColumnGroup != 0
	switch {
	case n.store != nil:
		return schemas.NoTime
	case n.w.p.order != schemas.OrderTime || n.box.Unsent() || n.inLine || n.w.rng.IntN(3) == 0:
		return schemas.NoTime
	case n.begun == len(n.times):
		return 1 << 40
	case grouped && !n.groups[n.begun]:
		return schemas.NoTime
	}
	return n.times[n.begun]
}

func (w *world) after(d time.Duration, do func()) {
	w.seq++
	heap.Push(&w.queue, event{w.now.Add(d), w.seq, do})
}

func (w *world) note(format string, args ...any) {
	w.trace = append(w.trace, fmt.Sprintf("%8s ", w.now.Sub(simStart).Round(time.Millisecond))+fmt.Sprintf(format, args...))
}

func (w *world) ms(from, to int) time.Duration {
	return time.Duration(from+w.rng.IntN(to-from+1)) * time.Millisecond
}

// carry delivers a message over one direction of a node's connection: in order, unless it may
// overtake, if the bus lives till then.
func (w *world) carry(n *simNode, direction string, overtakes bool, deliver func()) {
	if w.rng.Float64() < w.p.loss {
		return
	}
	at := w.now.Add(w.p.delay + time.Duration(w.rng.Int64N(int64(w.p.delay)+1)))
	if last := n.last[direction]; !overtakes && at.Before(last) {
		at = last
	}
	if !overtakes {
		n.last[direction] = at
	}
	epoch := w.epoch
	again := 1
	if w.rng.Float64() < w.p.double {
		again = 2
	}
	for i := range again {
		d := at.Sub(w.now)
		if i > 0 {
			d += w.ms(0, 300)
		}
		w.arrive(d, epoch, direction == "in", deliver)
	}
}

// arrive delivers a message after a time, later if the bus stands still then, or if the requester
// whom it is for does not run; in the order in which it would have come.
func (w *world) arrive(d time.Duration, epoch int, home bool, deliver func()) {
	w.after(d, func() {
		until := w.still
		if home && w.asleep.After(until) {
			until = w.asleep
		}
		switch {
		case w.now.Before(until):
			w.arrive(until.Sub(w.now), epoch, home, deliver)
		case w.epoch == epoch && w.up:
			deliver()
		}
	})
}

// probe carries the requester's question to the bus, and the answer back.
func (w *world) probe() {
	epoch := w.epoch
	w.arrive(w.p.delay, epoch, false, func() {
		w.arrive(w.p.delay, epoch, true, func() {
			if w.client {
				w.g.Probed(w.now)
				w.check()
				w.flush()
			}
		})
	})
}

// flush sends what the Gather wants sent.
func (w *world) flush() {
	for _, o := range w.g.Take() {
		if !w.client || !w.up {
			continue
		}
		switch o := o.(type) {
		case Ask:
			if o.To.Node != "" {
				w.toNode(Account(o.Part, o.To.Node), func(n *simNode) { n.ask(o.Query) })
				continue
			}
			for _, name := range w.names {
				if n := w.nodes[name]; n.up && n.connected { // no 503 for those who are not: others are
					w.toNode(name, func(n *simNode) { n.ask(o.Query) })
				}
			}
		case Grant:
			c := o.Control
			w.toNode(Account(o.Part, o.Node), func(n *simNode) { n.control(&c) })
		case Quit:
			for _, name := range slices.Sorted(maps.Keys(w.nodes)) {
				w.toNode(name, func(n *simNode) { n.cancel() })
			}
		case Probe:
			w.probe()
		case Ping:
			name := Account(o.Part, o.Node)
			w.toNode(name, func(n *simNode) {
				w.toRequester(n, false, func() { w.g.Pong(name, w.now) })
			})
		}
	}
}

// account is a node, or what it does for a part of the query.
func (w *world) account(name string) *simNode {
	node, _, part := strings.Cut(name, "/")
	if n := w.nodes[name]; n != nil || !part || w.nodes[node] == nil {
		return n
	}
	n := &simNode{w: w, name: name, process: w.nodes[node].process, ledger: outbox.NewLedger()}
	w.nodes[name] = n
	return n
}

// toNode carries a message to a node, or the bus's answer that nobody is there.
func (w *world) toNode(name string, deliver func(*simNode)) {
	n := w.account(name)
	if n == nil {
		return
	}
	if !n.up || !n.connected {
		w.carry(n, "in", false, func() {
			if w.client {
				w.g.NoResponders(name, w.now)
				w.flush()
			}
		})
		return
	}
	instance := n.instance
	w.carry(n, "out", false, func() {
		if !n.up || !n.connected || n.instance != instance {
			return
		}
		if w.now.Before(n.paused) {
			n.inbox = append(n.inbox, func() { deliver(n) })
			return
		}
		deliver(n)
	})
}

func (w *world) toRequester(n *simNode, overtakes bool, deliver func()) {
	if !n.connected {
		return
	}
	w.carry(n, "in", overtakes, func() {
		if w.client {
			deliver()
			w.check()
			w.flush()
			w.consume()
		}
	})
}

// consume lets the consumer take the next release, at its own pace.
func (w *world) consume() {
	if w.busy || w.now.Before(w.blocked) || w.now.Before(w.asleep) {
		return
	}
	r, ok := w.g.Next()
	w.flush()
	if !ok {
		return
	}
	w.out = append(w.out, r)
	w.busy = true
	took := time.Duration(0)
	if w.p.rate > 0 {
		took = time.Duration(float64(r.raw) / w.p.rate * float64(time.Second))
	}
	w.after(took, func() {
		w.busy = false
		w.g.Consumed(r, w.now)
		w.check()
		w.flush()
		w.consume()
	})
}

// run plays the seed until the Gather is done and the network quiet, and says if it never is.
func (w *world) run() {
	q := w.p.query()
	if w.store == nil {
		w.g = NewGather(q, w.names, w.p.roster, w.p.window)
	} else if w.g = w.store.gather(w, q); w.g == nil {
		return
	}
	w.g.Start(w.now)
	w.flush()
	var tick func()
	tick = func() {
		if !w.now.Before(w.asleep) {
			w.g.Tick(w.now)
			w.check()
			w.flush()
			w.consume()
		}
		w.after(50*time.Millisecond, tick)
	}
	w.after(50*time.Millisecond, tick)
	for _, f := range w.p.faults {
		w.after(f.at, func() { w.fault(f) })
	}
	most := simStart.Add(q.Timeout + 45*time.Second + w.p.block + w.p.consume(w))
	for len(w.queue) > 0 && w.broken == "" {
		e := heap.Pop(&w.queue).(event)
		w.now = e.at
		e.do()
		if w.g.Done() && !w.busy {
			return
		}
		if w.now.After(most) {
			w.broken = "not done at " + w.now.Sub(simStart).String() + ": " + w.describe()
		}
	}
}

func (w *world) describe() string {
	var b strings.Builder
	fmt.Fprintf(&b, "head %d, held %d of %d", w.g.head, w.g.credit.held, w.g.credit.window)
	for _, n := range w.g.order {
		fmt.Fprintf(&b, "; %s %s settled %t next %d seen %d offset %d granted %d consumed %d queue %d", n.name, n.status, n.settled,
			n.next, n.seen, n.offset, n.granted, n.consumed, len(n.queue))
	}
	return b.String()
}

// check holds the Gather to its books.
func (w *world) check() {
	var held, queued int64
	for _, n := range w.g.order {
		held += n.granted - n.consumed
		queued += n.offset - n.consumed
	}
	switch {
	case w.broken != "":
	case held != w.g.credit.held:
		w.broken = fmt.Sprintf("held is %d, the nodes have %d: %s", w.g.credit.held, held, w.describe())
	case w.p.order == schemas.OrderTime && held <= w.p.window+int64(len(w.g.order))*timeQuantum:
	case queued > w.p.window+quantum || held > w.p.window+headWindow: // a quantum: for a node in the middle of a line
		w.broken = fmt.Sprintf("%d bytes are queued, %d are held, the window is %d", queued, held, w.p.window)
	}
}

// ask is a query that comes to a node.
func (n *simNode) ask(q *schemas.Query) {
	if n.twin != nil {
		n.twin.Asked(n.w.now)
	}
	switch known, end := n.ledger.Start(outbox.Key{ID: q.ID}, n.w.now); known {
	case outbox.Running:
		n.box.Asked(n.w.now)
		n.publish()
	case outbox.Finished:
		if end != nil {
			n.send(end)
		}
	case outbox.Fresh:
		n.at, n.number, n.lines, n.inLine, n.begun = 0, 0, 0, false, 0
		if n.w.store != nil {
			n.store = n.w.store.answer(n, q)
		}
		n.box = outbox.New(outbox.Options{
			Run: n.w.rng.Uint64() | 1, Terminator: '\n', Credit: q.Credit, Timeout: q.Timeout, Jitter: q.Jitter,
			Compress: n.w.rng.IntN(3) == 0, Reuse: true,
		}, n.w.now)
		n.box.Hello(&schemas.Hello{Instance: fmt.Sprint(n.instance), Host: n.name + "-host", Files: 1, Bytes: int64(len(n.text))}, n.w.now)
		n.work(n.box, n.instance, q)
	}
}

func (n *simNode) control(c *schemas.Control) {
	if n.twin != nil {
		n.twin.Control(c, n.w.now)
	}
	if n.box != nil {
		n.box.Control(c, n.w.now)
		n.publish()
	}
}

func (n *simNode) cancel() {
	if n.twin != nil {
		n.twin.Cancelled("cancelled", n.w.now)
	}
	if n.ledger.Cancel(outbox.Key{ID: "q"}, n.w.now) == outbox.Running {
		n.box.Cancelled("cancelled", n.w.now)
		n.publish()
	}
}

// publish sends what the outbox wants sent.
func (n *simNode) publish() {
	for _, msg := range n.box.Take() {
		n.send(msg)
	}
	if n.box.State() == outbox.Done {
		n.ledger.Finish(outbox.Key{ID: "q"}, n.box.EndFrame(), n.w.now)
	}
}

func (n *simNode) send(msg []byte) {
	msg = bytes.Clone(msg) // the outbox uses its memory again
	f, err := schemas.DecodeFrame(msg)
	if err != nil {
		n.w.broken = n.name + " publishes what does not decode: " + err.Error()
		return
	}
	if len(n.w.sent[n.name]) < 50 {
		n.w.sent[n.name] = append(n.w.sent[n.name], msg)
	}
	n.w.toRequester(n, f.End != nil && n.w.rng.IntN(4) == 0, func() {
		n.w.hear(n.name, heardNode)
		n.w.g.Frame(n.name, msg, n.w.now)
	})
}

// work is a node's search, a batch every few milliseconds while there is room.
func (n *simNode) work(box *outbox.Outbox, instance int, q *schemas.Query) {
	if n.box != box || n.instance != instance || !n.up {
		return
	}
	w := n.w
	if w.now.Before(n.paused) {
		w.after(n.paused.Sub(w.now), func() { n.work(box, instance, q) })
		return
	}
	next := box.Tick(w.now)
	if _, _, over := box.Over(); over {
		box.End(&schemas.End{Status: schemas.StatusPartial, Reason: "given up", Lines: n.lines}, w.now)
	}
	if box.State() == outbox.Working && box.Room() > 0 {
		switch {
		case n.store != nil:
			n.store.work(n, q)
		case n.at < len(n.text):
			n.batch(q)
		}
		if n.store == nil && n.at == len(n.text) {
			box.End(&schemas.End{Lines: n.lines, BytesRead: int64(n.at), Files: 1}, w.now)
		}
	}
	box.Progress(int64(n.at), n.watermark())
	n.publish()
	if box.State() == outbox.Done {
		return
	}
	wait := w.ms(1, 10)
	if box.State() == outbox.Ending || box.Room() == 0 {
		wait = min(50*time.Millisecond, max(time.Millisecond, next.Sub(w.now)))
	}
	w.after(wait, func() { n.work(box, instance, q) })
}

// batch gives the outbox the next piece of the text: whole lines, or a piece of a long one.
func (n *simNode) batch(q *schemas.Query) {
	size := min(len(n.text)-n.at, 1+n.w.rng.IntN(n.w.p.batch))
	if q.Order == schemas.OrderTime { // a node sends what there is room for
		size = min(size, max(1, int(n.box.Room())/30))
	}
	piece := n.text[n.at : n.at+size]
	c := schemas.Chunk{File: "log", Continues: n.inLine}
	if i := bytes.LastIndexByte(piece, '\n'); i >= 0 {
		piece = piece[:i+1]
	} else {
		c.More = true
	}
	c.Text = piece
	n.at += len(piece)
	begin := c.Lines('\n')
	if q.Order == schemas.OrderTime {
		c.Times = slices.Clone(n.times[n.begun : n.begun+begin])
		for i, begins := range n.groups[n.begun : n.begun+begin] {
			if begins && q.Columns&schemas.ColumnGroup != 0 {
				c.Groups = append(c.Groups, int64(i))
			}
		}
		n.begun += begin
	}
	if q.Columns&schemas.ColumnNumber != 0 {
		for range begin {
			n.number++
			c.Numbers = append(c.Numbers, n.number)
		}
	}
	n.lines += int64(begin)
	n.inLine = c.More
	n.box.Data([]schemas.Chunk{c}, n.w.now)
}
