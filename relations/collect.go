package relations

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"
)

// State says what a source's part of the graph rests on.
type State string

// The states of a source.
const (
	Fresh  State = "fresh"  // it answered, now or within the refresh time; or it is the configuration
	Stale  State = "stale"  // it did not answer: what it knew last counts
	Part   State = "part"   // it answered in part: what it knew last counts beside it
	Absent State = "absent" // it did not answer, and never has
)

// Report says what a source contributed.
type Report struct {
	Source string        `json:"source"` // "configuration", "prometheus http://…", "jaeger http://…"
	State  State         `json:"state"`
	Error  string        `json:"error,omitempty"`
	Age    time.Duration `json:"age_ns"` // of the answer, the oldest where two count
	Calls  int           `json:"calls"`
	Left   int           `json:"left_out,omitempty"` // calls whose names cannot be services'
}

// Collected is a graph and what it rests on.
type Collected struct {
	Graph   *Graph
	Reports []Report
}

// Trouble returns the reports of sources that did not answer in full.
func (c *Collected) Trouble() []Report {
	return slices.DeleteFunc(slices.Clone(c.Reports), func(r Report) bool { return r.State == Fresh })
}

// source is one that is asked.
type source interface {
	name() string // for people
	key() string  // all that an answer depends on
	ask(ctx context.Context, client *http.Client, now time.Time) (*found, error)
}

// answer is what is kept of a source's answer, in a file of its own: JSON, before aliases.
type answer struct {
	Key      string    `json:"key"`
	Asked    time.Time `json:"asked"`
	Oldest   time.Time `json:"oldest"` // when the oldest part of it was asked
	Whole    bool      `json:"whole"`
	Calls    []Call    `json:"calls"`
	Services []string  `json:"services"`
	Left     int       `json:"left"`
}

// Collect asks every source, at once, but for those whose answer in dir is younger than the refresh time, and
// merges what they know. What was answered is kept in dir, each source's by itself; with dir empty nothing
// is. Refresh has all asked. An error is about dir; what goes wrong with sources is in the reports.
func (c *Config) Collect(ctx context.Context, dir string, now time.Time, refresh bool) (*Collected, error) {
	var sources []source
	for i := range c.Prometheus {
		sources = append(sources, &c.Prometheus[i])
	}
	for i := range c.Jaeger {
		sources = append(sources, &c.Jaeger[i])
	}
	answers, reports, errs := make([]*answer, len(sources)), make([]Report, len(sources)), make([]error, len(sources))
	client := &http.Client{}
	defer client.CloseIdleConnections()
	var asked sync.WaitGroup
	for i, s := range sources {
		asked.Go(func() { answers[i], reports[i], errs[i] = c.consult(ctx, s, client, dir, now, refresh) })
	}
	asked.Wait()
	result := &Collected{}
	var calls []Call
	var services []string
	if len(c.Calls) > 0 || len(c.Services) > 0 || len(sources) == 0 {
		for caller, callees := range c.Calls {
			services = append(services, caller)
			for _, callee := range callees {
				calls = append(calls, Call{Caller: caller, Callee: callee})
			}
		}
		services = append(services, c.Services...)
		result.Reports = append(result.Reports, Report{Source: "configuration", State: Fresh, Calls: len(calls)})
	}
	for _, a := range answers {
		if a == nil {
			continue
		}
		for _, call := range a.Calls {
			calls = append(calls, Call{c.alias(call.Caller), c.alias(call.Callee), call.Count})
		}
		for _, s := range a.Services {
			services = append(services, c.alias(s))
		}
	}
	result.Graph = NewGraph(calls, services...)
	result.Reports = append(result.Reports, reports...)
	return result, errors.Join(errs...)
}

// consult gives a source's answer, from dir if that is young enough. A nil answer: there is none.
func (c *Config) consult(ctx context.Context, s source, client *http.Client, dir string, now time.Time, refresh bool) (*answer, Report, error) {
	kept, err := readKept(dir, s.key())
	r := Report{Source: s.name(), State: Fresh}
	if kept != nil && kept.Whole && !refresh && now.Sub(kept.Asked) < time.Duration(c.Refresh) && !now.Before(kept.Asked) {
		r.fill(kept, now)
		return kept, r, err
	}
	ctx, stop := context.WithTimeout(ctx, time.Duration(c.Timeout))
	defer stop()
	f, failed := s.ask(ctx, client, now)
	switch {
	case failed != nil && kept == nil:
		r.State, r.Error = Absent, failed.Error()
		return nil, r, err
	case failed != nil:
		r.State, r.Error = Stale, failed.Error()
		r.fill(kept, now)
		return kept, r, err
	}
	if f.partial == "" && len(f.calls) == 0 && kept != nil && len(kept.Calls) > 0 {
		f.partial = "it knows of no calls any more" // rather new, or restarted, than a system without calls
	}
	a := &answer{Key: s.key(), Asked: now, Oldest: now, Whole: f.partial == "", Calls: f.calls, Services: f.services, Left: f.left}
	if !a.Whole {
		r.State, r.Error = Part, f.partial
		if kept != nil {
			a.Calls, a.Services, a.Oldest = slices.Concat(a.Calls, kept.Calls), slices.Concat(a.Services, kept.Services), kept.Oldest
		}
	}
	g := NewGraph(a.Calls, a.Services...)
	a.Calls, a.Services = g.Calls(), g.Services()
	if len(a.Calls) > MaxCalls {
		a.Calls = a.Calls[:MaxCalls]
	}
	r.fill(a, now)
	return a, r, errors.Join(err, keep(dir, a))
}

func (r *Report) fill(a *answer, now time.Time) {
	r.Age, r.Calls, r.Left = max(0, now.Sub(a.Oldest)), len(a.Calls), a.Left
}

// keptFile is where a source's answer is kept.
func keptFile(dir, key string) string {
	sum := sha256.Sum256([]byte(key))
	return filepath.Join(dir, hex.EncodeToString(sum[:8])+".json")
}

// readKept reads what is kept; nil: nothing, or nothing that can be used: it is asked for again.
func readKept(dir, key string) (*answer, error) {
	if dir == "" {
		return nil, nil
	}
	text, err := os.ReadFile(keptFile(dir, key))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("kept relations: %w", err)
	}
	a := &answer{}
	if err := json.NewDecoder(bytes.NewReader(text)).Decode(a); err != nil || a.Key != keyOnDisk(key) {
		return nil, nil
	}
	return a, nil
}

// keyOnDisk is the key without the password that it may hold.
func keyOnDisk(key string) string {
	sum := sha256.Sum256([]byte(key))
	return hex.EncodeToString(sum[:])
}

// keep publishes an answer: temporary file, sync, rename, sync of the directory.
func keep(dir string, a *answer) (err error) {
	if dir == "" {
		return nil
	}
	defer func() {
		if err != nil {
			err = fmt.Errorf("keep relations: %w", err)
		}
	}()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	name := keptFile(dir, a.Key)
	onDisk := *a
	onDisk.Key = keyOnDisk(a.Key)
	text, err := json.Marshal(&onDisk)
	if err != nil {
		return err
	}
	file, err := os.CreateTemp(dir, ".relations-*")
	if err != nil {
		return err
	}
	defer os.Remove(file.Name()) // gone once it is renamed
	_, err = file.Write(text)
	err = errors.Join(err, file.Sync(), file.Close())
	if err != nil {
		return err
	}
	if err := os.Rename(file.Name(), name); err != nil {
		return err
	}
	folder, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer folder.Close()
	return folder.Sync()
}
