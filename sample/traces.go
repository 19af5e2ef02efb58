package sample

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// TraceOptions say what WriteTraces makes.
type TraceOptions struct {
	Nodes    int           // at least 1
	Services int           // at least 2
	Size     int64         // bytes a node, on average; what is begun then is brought to its end
	Seed     uint64        // the same seed gives the same bytes
	Every    time.Duration // the mean time between two requests
	Skew     time.Duration // each node's clock is ahead or behind by up to this
	Truth    int           // requests at most whose lines the truth holds, evenly spread; at least 1
}

// Validate returns an error that names the first option that cannot be.
func (o TraceOptions) Validate() error {
	switch {
	case o.Nodes < 1 || o.Nodes > 1000:
		return fmt.Errorf("number of nodes %d is not within 1 and 1000", o.Nodes)
	case o.Services < 2 || o.Services > 500:
		return fmt.Errorf("number of services %d is not within 2 and 500", o.Services)
	case o.Size < 4096:
		return fmt.Errorf("size of %d bytes a node is below 4096", o.Size)
	case o.Every < time.Microsecond || o.Every > time.Hour:
		return fmt.Errorf("time between requests %v is not within 1µs and an hour", o.Every)
	case o.Skew < 0 || o.Skew > time.Hour:
		return fmt.Errorf("clock skew %v is not within 0 and an hour", o.Skew)
	case o.Truth < 1 || o.Truth > 1_000_000:
		return fmt.Errorf("number of requests in the truth %d is not within 1 and 1000000", o.Truth)
	}
	return nil
}

// TraceTruth is what truth.json says of a system of services: who calls whom, how far the clocks are off,
// and which lines belong to a request.
type TraceTruth struct {
	Seed     uint64              `json:"seed"`
	Services []ServiceTruth      `json:"services"`
	Calls    map[string][]string `json:"calls"`    // caller: callees
	Ahead    map[string]float64  `json:"ahead_ms"` // of a node's clock; negative: behind
	Bytes    int64               `json:"bytes"`
	Lines    int64               `json:"lines"`
	Made     int64               `json:"requests_made"`
	Requests []*RequestTruth     `json:"requests"` // at most so many as were asked for
}

// ServiceTruth says where a service's logs are.
type ServiceTruth struct {
	Service string   `json:"service"`
	Nodes   []string `json:"nodes"` // its log there is NODE/SERVICE.log
}

// RequestTruth is a request: its id stands in its lines and in no other.
type RequestTruth struct {
	ID    string      `json:"id"`
	Lines []LineTruth `json:"lines"` // in the order in which they were written, whatever the clocks say

	dropped bool       // not in the truth
	at      [][2]int64 // when the lines were written: time, and order among those of one time
}

// LineTruth is one line of a request.
type LineTruth struct {
	Node    string `json:"node"`
	Service string `json:"service"`
	Line    int64  `json:"line"` // its number in its file, from 1
	Text    string `json:"text"`
}

// traceNames are services without digits in their names, which a log's name would lose.
var traceNames = strings.Fields(`gateway web checkout search cart orders payments inventory users sessions pricing shipping
	catalog reviews ratings coupons mailer invoices ledger fraud addresses recommender media thumbnails audit notifications
	exports imports geocoder taxes warehouse suppliers returns support surveys loyalty billing metering archive scheduler`)

func traceName(i int) string {
	n := len(traceNames)
	if i < n {
		return traceNames[i]
	}
	return traceNames[i%n] + "-" + traceNames[i/n]
}

// traceSystem is the services, where they run, and whom they call.
type traceSystem struct {
	names   []string
	nodes   []string
	ahead   []int64 // of a node's clock, in microseconds
	homes   [][]int // of a service: its nodes
	callees [][]int // of a service: later ones
	entries int     // the first services are where requests enter
}

// newTraceSystem draws a system: each service runs on 1 to 3 nodes and calls 1 to 3 of those that follow it
// closely; each but the entries is called by somebody.
func newTraceSystem(o TraceOptions) *traceSystem {
	r := newRandom(o.Seed, 1<<40)
	s := &traceSystem{entries: max(1, o.Services/10)}
	for i := range o.Nodes {
		s.nodes = append(s.nodes, fmt.Sprintf("node%d", i+1))
		ahead := int64(0)
		if most := uint64(o.Skew.Microseconds()); most > 0 {
			ahead = int64(r.next()%(2*most+1)) - int64(most)
		}
		s.ahead = append(s.ahead, ahead)
	}
	called := make([]bool, o.Services)
	s.callees = make([][]int, o.Services)
	call := func(caller, callee int) {
		if !slices.Contains(s.callees[caller], callee) {
			s.callees[caller] = append(s.callees[caller], callee)
			called[callee] = true
		}
	}
	for i := range o.Services {
		s.names = append(s.names, traceName(i))
		homes := []int{i % o.Nodes}
		for range r.next() % 3 {
			if n := int(r.next() % uint64(o.Nodes)); !slices.Contains(homes, n) {
				homes = append(homes, n)
			}
		}
		s.homes = append(s.homes, homes)
		first := max(i+1, s.entries)
		if room := min(o.Services-first, 6); room > 0 {
			for range 1 + r.next()%3 {
				call(i, first+int(r.next()%uint64(room)))
			}
		}
	}
	for i := s.entries; i < o.Services; i++ {
		if !called[i] {
			call(int(r.next()%uint64(i)), i)
		}
	}
	for _, callees := range s.callees {
		slices.Sort(callees)
	}
	return s
}

// calls are the relations by name.
func (s *traceSystem) calls() map[string][]string {
	calls := map[string][]string{}
	for i, callees := range s.callees {
		for _, c := range callees {
			calls[s.names[i]] = append(calls[s.names[i]], s.names[c])
		}
	}
	return calls
}

// relations is the file that trawl reads: who calls whom. Every service is in a call.
func (s *traceSystem) relations() string {
	var b strings.Builder
	b.WriteString("# Who calls whom, as trawl relations and trawl trace read it.\nrelations:\n  calls:\n")
	for i, callees := range s.callees {
		if len(callees) == 0 {
			continue
		}
		var names []string
		for _, c := range callees {
			names = append(names, s.names[c])
		}
		fmt.Fprintf(&b, "    %s: [%s]\n", s.names[i], strings.Join(names, ", "))
	}
	return b.String()
}
