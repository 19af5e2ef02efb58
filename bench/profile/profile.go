// Package profile measures the queries of trawl's profile: each Token some times, after a warm-up, by
// a requester that is none of the nodes, every query a process of its own. Before that the nodes build
// their indexes, so that every query of a token reads the same.
//
// Run does it and gives a Report, which writes itself as Markdown for people (Text), as JSON, and as
// a chart.Bars (Figure). Where it is told to, it holds every answer against the sample's truth.
package profile

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/trawl-logs/trawl/bench/procs"
	"github.com/trawl-logs/trawl/sample"
)

// Absent is the token that no log holds; the others are sample.Tokens.
const Absent = "ABSENT"

// Options say what Run does.
type Options struct {
	Trawl   string        // the binary to run
	Dir     string        // logs with their truth.json, as sample.Write makes them
	Server  string        // URL of a bus with the fleet that serves these logs; empty: Run starts one
	Queries []Query       // none: sample.Tokens and Absent
	Trials  int           // timed queries a token, at least 1
	Idle    time.Duration // how long the idle responders are watched; 0: not at all
	Verify  bool          // hold every answer against the truth
	Eager   bool          // the responders build their indexes with a core each, not a tenth of one
	Say     func(text string)
}

// Query is what is asked.
type Query struct {
	Token      string
	Exhaustive bool // the nodes read all, whatever their indexes say
}

// Run measures. When ctx ends so do the processes, and Run returns its cause. With Verify the first
// answer that is wrong ends it with a WrongError.
func Run(ctx context.Context, o Options) (*Report, error) {
	if o.Trials < 1 {
		return nil, fmt.Errorf("number of trials %d is below 1", o.Trials)
	}
	truth, err := sample.ReadTruth(o.Dir)
	if err != nil {
		return nil, err
	}
	m := &measurement{ctx: ctx, o: o, truth: truth}
	r := &Report{
		Type: "profile", Began: time.Now().UTC().Truncate(time.Second), Machine: ThisMachine(), Nodes: len(truth.Nodes),
		Bytes: truth.Total.Bytes, Lines: truth.Total.Lines, Seed: truth.Seed, Trials: o.Trials, Verified: o.Verify, GivenFleet: o.Server != "",
	}
	m.argv = []string{o.Trawl, "grep", "--server", o.Server}
	if o.Server == "" {
		if r.Index, err = m.start(); err != nil {
			return nil, err
		}
		defer m.fleet.Stop()
		m.argv = m.fleet.Grep()
	}
	if len(o.Queries) == 0 {
		for _, token := range append(append([]string{}, sample.Tokens...), Absent) {
			o.Queries = append(o.Queries, Query{Token: token})
		}
	}
	for _, q := range o.Queries {
		t, err := m.token(q)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", q.Token, err)
		}
		r.Tokens = append(r.Tokens, *t)
	}
	if m.fleet != nil && o.Idle > 0 {
		if r.Idle, err = m.idle(); err != nil {
			return nil, err
		}
	}
	return r, nil
}

// measurement is a Run that goes on.
type measurement struct {
	ctx   context.Context
	o     Options
	truth *sample.Truth
	fleet *procs.Fleet // nil where it was given
	argv  []string     // of a query, but for its own flags
}

func (m *measurement) say(format string, args ...any) {
	if m.o.Say != nil {
		m.o.Say(fmt.Sprintf(format, args...))
	}
}

// The index has indexGrace, and the time that building takes at indexRate bytes a second, a fifth of what
// a tenth of a core does on the slowest machine seen, before it is measured without.
const (
	indexGrace = 30 * time.Second
	indexRate  = 2e6
)

// start starts the fleet and waits for its indexes. If it fails it has ended what it started.
func (m *measurement) start() (i *Index, err error) {
	var logs, args []string
	largest := int64(0)
	for _, node := range m.truth.Nodes {
		logs, largest = append(logs, filepath.Join(m.o.Dir, node.File)), max(largest, node.Bytes)
	}
	if m.o.Eager {
		config, err := os.CreateTemp("", "trawl-bench-*.yaml")
		if err != nil {
			return nil, err
		}
		defer os.Remove(config.Name())
		_, err = config.WriteString("index: {cpu: 100%}\n")
		if err := errors.Join(err, config.Close()); err != nil {
			return nil, err
		}
		args = []string{"--config", config.Name()}
	}
	if m.fleet, err = procs.Start(m.o.Trawl, logs, args...); err != nil {
		return nil, fmt.Errorf("start the fleet: %w", err)
	}
	m.say("waiting until the nodes have indexed their logs")
	i, began := &Index{}, time.Now()
	if i.Complete, err = m.fleet.Indexed(m.ctx, indexGrace+time.Duration(float64(largest)/indexRate*float64(time.Second))); err != nil {
		m.fleet.Stop()
		return nil, fmt.Errorf("index: %w", err)
	}
	i.Seconds = time.Since(began).Seconds()
	return i, nil
}

// token runs one token's queries.
func (m *measurement) token(ask Query) (*Token, error) {
	t := &Token{Token: ask.Token, Exhaustive: ask.Exhaustive, stages: map[string][]float64{}}
	name := ask.Token
	if ask.Exhaustive {
		name += ", all is read"
	}
	m.say("%s: a warm-up and %s", name, trials(m.o.Trials))
	v := &verify{truth: m.truth, token: ask.Token}
	for trial := range m.o.Trials + 1 {
		var before, after procs.CPU
		var err error
		if m.fleet != nil {
			if before, err = m.fleet.CPU(); err != nil {
				return nil, err
			}
		}
		var check *checker
		if m.o.Verify && trial == 0 {
			check = newChecker(m.truth, ask.Token)
		}
		q, err := m.query(ask, check)
		if err != nil {
			return nil, err
		}
		if m.fleet != nil {
			if after, err = m.fleet.CPU(); err != nil {
				return nil, err
			}
		}
		switch {
		case check != nil:
			err = v.warmUp(q, check)
		case m.o.Verify:
			err = v.trial(trial, q)
		}
		if err != nil {
			return nil, err
		}
		if trial > 0 { // the first one warms caches up
			t.add(q, after.Bus-before.Bus, after.Nodes-before.Nodes)
		}
	}
	t.sum()
	return t, nil
}

// idleRest is how long after the last query the responders are watched: by then they have given its
// memory back.
const idleRest = 3 * time.Second

// idle watches the responders while nobody asks them anything.
func (m *measurement) idle() (*Idle, error) {
	m.say("idle for %v", m.o.Idle)
	if err := m.rest(min(idleRest, m.o.Idle)); err != nil {
		return nil, err
	}
	before, err := m.fleet.Nodes()
	if err != nil {
		return nil, err
	}
	began := time.Now()
	if err := m.rest(m.o.Idle); err != nil {
		return nil, err
	}
	after, err := m.fleet.Nodes()
	if err != nil {
		return nil, err
	}
	i := &Idle{Seconds: time.Since(began).Seconds()}
	for n := range after {
		i.CPUShare = max(i.CPUShare, (after[n].CPU-before[n].CPU)/i.Seconds)
		i.Resident = max(i.Resident, after[n].Resident)
		i.Peak = max(i.Peak, after[n].Peak)
	}
	return i, nil
}

// rest does nothing for so long.
func (m *measurement) rest(d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-m.ctx.Done():
		return context.Cause(m.ctx)
	}
}

// Machine is what a measurement ran on.
type Machine struct {
	OS     string `json:"os"`
	Arch   string `json:"arch"`
	CPU    string `json:"cpu"` // the model, where it is known
	CPUs   int    `json:"cpus"`
	Memory int64  `json:"memory"` // bytes, where it is known
	Go     string `json:"go"`
	Load   string `json:"load"` // the average of one minute before the start, where it is known
}

// ThisMachine describes the machine as it is now.
func ThisMachine() Machine {
	m := Machine{OS: runtime.GOOS, Arch: runtime.GOARCH, CPUs: runtime.NumCPU(), Go: runtime.Version()}
	if text, err := os.ReadFile("/proc/loadavg"); err == nil {
		m.Load, _, _ = strings.Cut(string(text), " ")
	}
	if text, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for line := range strings.Lines(string(text)) {
			if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
				m.CPU = strings.TrimSpace(value)
				break
			}
		}
	}
	if text, err := os.ReadFile("/proc/meminfo"); err == nil {
		var kib int64
		_, _ = fmt.Sscanf(string(text), "MemTotal: %d kB", &kib)
		m.Memory = kib << 10
	}
	return m
}

// String says it in one line, for the foot of a table.
func (m Machine) String() string {
	s := fmt.Sprintf("%d cores", m.CPUs)
	if m.CPU != "" {
		s += " of " + m.CPU
	}
	if m.Memory > 0 {
		s += ", " + Size(m.Memory) + " of memory"
	}
	s += fmt.Sprintf(", %s/%s, %s", m.OS, m.Arch, m.Go)
	if m.Load != "" {
		s += ", load average " + m.Load + " before the start"
	}
	return s
}

// WrongError is an answer that is not what the logs hold.
type WrongError struct {
	Token, Says string
}

func (e *WrongError) Error() string { return "wrong answer: " + e.Says }
