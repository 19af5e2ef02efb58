package sample

import (
	"container/heap"
	"fmt"
	"time"
)

// Times of a request, in microseconds.
const (
	maxStep  = 4_000     // between two lines of a service
	maxHop   = 1_500     // a call on the network, one way
	maxLater = 2_000_000 // what is queued is begun so much after its caller's end
	maxCalls = 150       // of one request
)

// traceLine is a line that is still to be written.
type traceLine struct {
	at      int64 // microseconds since epoch, by the clock that is right
	order   int64 // of lines of the same time
	request *RequestTruth
	text    string // what follows the service's name
}

// traceLog is one service's log on one node. Its lines wait until nothing earlier can come.
type traceLog struct {
	node, service int
	pid           uint64
	waiting       lineHeap
	buffer        []byte // what is to be written
	second        int64
	stamp         []byte // "2026-11-22T00:00:00."
	lines, bytes  int64
}

// lineHeap has the earliest line first.
type lineHeap []traceLine

func (h lineHeap) Len() int { return len(h) }
func (h lineHeap) Less(i, j int) bool {
	return h[i].at < h[j].at || h[i].at == h[j].at && h[i].order < h[j].order
}
func (h lineHeap) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h *lineHeap) Push(x any)   { *h = append(*h, x.(traceLine)) }
func (h *lineHeap) Pop() any {
	last := len(*h) - 1
	line := (*h)[last]
	(*h)[last] = traceLine{}
	*h = (*h)[:last]
	return line
}

// tracer makes requests one after the other.
type tracer struct {
	system *traceSystem
	random random
	logs   []*traceLog
	of     map[[2]int]*traceLog // by service and node
	every  uint64               // the mean time between requests
	now    int64                // when the next request arrives
	order  int64
	calls  int // of the request that is being made
}

func newTracer(o TraceOptions, s *traceSystem) *tracer {
	t := &tracer{system: s, random: newRandom(o.Seed, 1<<41), every: uint64(o.Every.Microseconds()), of: map[[2]int]*traceLog{}}
	for service, homes := range s.homes {
		for _, node := range homes {
			log := &traceLog{node: node, service: service, pid: uint64(1000 + 13*service + node), second: -1}
			t.logs = append(t.logs, log)
			t.of[[2]int{service, node}] = log
		}
	}
	return t
}

func (t *tracer) upTo(n uint64) int64 { return int64(t.random.next() % n) }

// request makes the next request: its lines are waiting in the logs then.
func (t *tracer) request(truth *RequestTruth) {
	t.now += 1 + t.upTo(2*t.every)
	t.calls = 0
	t.serve(int(t.upTo(uint64(t.system.entries))), t.now, truth)
}

// serve is a service's part in a request, from at on; it returns when the service is through.
func (t *tracer) serve(service int, at int64, truth *RequestTruth) int64 {
	s := t.system
	t.calls++
	homes := s.homes[service]
	log := t.of[[2]int{service, homes[t.upTo(uint64(len(homes)))]}]
	program := &services()[service%len(services())]
	route := program.routes[t.upTo(uint64(len(program.routes)))]
	begin := at
	id := " req=" + truth.ID + " "
	t.line(log, at, truth, fmt.Sprintf("info%s%s %s begins", id, methods[t.upTo(uint64(len(methods)))], route))
	var later []int
	for range 1 + t.upTo(3) {
		at += 50 + t.upTo(maxStep)
		if t.upTo(4) == 0 { // of nobody's request
			t.line(log, at, nil, "debug "+phrases[t.upTo(uint64(len(phrases)))])
			continue
		}
		t.line(log, at, truth, "info"+id+phrases[t.upTo(uint64(len(phrases)))])
	}
	for _, callee := range s.callees[service] {
		if t.upTo(100) >= 55 || t.calls >= maxCalls {
			continue
		}
		at += 50 + t.upTo(maxStep)
		if t.upTo(20) == 0 {
			t.line(log, at, truth, "info"+id+"queues work for "+s.names[callee])
			later = append(later, callee)
			continue
		}
		t.line(log, at, truth, "info"+id+"calls "+s.names[callee])
		at = t.serve(callee, at+100+t.upTo(maxHop), truth) + 100 + t.upTo(maxHop)
		t.line(log, at, truth, "debug"+id+"has the answer of "+s.names[callee])
	}
	at += 50 + t.upTo(maxStep)
	t.line(log, at, truth, fmt.Sprintf("info%sends status=%s dur=%d.%dms", id, statuses[t.upTo(uint64(len(statuses)))], (at-begin)/1000, (at-begin)/100%10))
	for _, callee := range later {
		t.serve(callee, at+t.upTo(maxLater), truth)
	}
	return at
}

func (t *tracer) line(log *traceLog, at int64, truth *RequestTruth, text string) {
	t.order++
	heap.Push(&log.waiting, traceLine{at, t.order, truth, text})
}

// settle moves the lines before a time into the buffer, and tells truth of them; it returns their bytes.
func (t *tracer) settle(log *traceLog, before int64) (bytes int64) {
	s := t.system
	name := s.names[log.service]
	for len(log.waiting) > 0 && log.waiting[0].at < before {
		line := heap.Pop(&log.waiting).(traceLine)
		start := len(log.buffer)
		log.stampTime(line.at + s.ahead[log.node] + clockRoom)
		b := append(log.buffer, name...)
		b = appendInt(append(b, '['), log.pid)
		b = append(append(b, "]: "...), line.text...)
		log.lines++
		if r := line.request; r != nil && !r.dropped {
			r.Lines = append(r.Lines, LineTruth{s.nodes[log.node], name, log.lines, string(b[start:])})
			r.at = append(r.at, [2]int64{line.at, line.order})
		}
		log.buffer = append(b, '\n')
		bytes += int64(len(log.buffer) - start)
	}
	log.bytes += bytes
	return bytes
}

// clockRoom is how long after epoch the first request comes, in microseconds, so that no clock that is
// behind writes a time before it: an hour.
const clockRoom = int64(time.Hour / time.Microsecond)

// stampTime appends a time with microseconds; it formats a second only when it changes.
func (l *traceLog) stampTime(micros int64) {
	second, fraction := micros/1_000_000, micros%1_000_000
	if second != l.second {
		l.second = second
		l.stamp = epoch.Add(time.Duration(second)*time.Second).AppendFormat(l.stamp[:0], "2006-01-02T15:04:05.")
	}
	b := append(l.buffer, l.stamp...)
	for unit := int64(100_000); unit > 0; unit /= 10 {
		b = append(b, byte('0'+fraction/unit%10))
	}
	l.buffer = append(b, "Z "...)
}
