package sample

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
)

// RelationsFile is the name of the file that says who calls whom.
const RelationsFile = "relations.yaml"

// WriteTraces makes dir with the logs of a system of services that serve requests, NODE/SERVICE.log, with
// relations.yaml, which trawl relations and trawl trace read, and with truth.json, which comes last: where it
// stands, the logs are whole. It calls progress, if there is one, with the bytes written so far. With
// force, what an earlier WriteTraces left in dir is replaced; other files stay.
//
// A request enters at one of the first services and is handed on along the calls, each line with its id and
// the time by the clock of its node. Between, and without an id, the services say other things.
func WriteTraces(ctx context.Context, dir string, o TraceOptions, force bool, progress func(written int64)) (*TraceTruth, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	if err := prepare(dir, force); err != nil {
		return nil, err
	}
	s := newTraceSystem(o)
	w := &traceWriter{tracer: newTracer(o, s), truth: newTraceTruth(o, s), most: o.Truth, progress: progress}
	if force {
		if err := dropTraces(dir); err != nil {
			return nil, err
		}
	}
	err := w.open(dir)
	if err == nil {
		err = w.run(ctx, o.Size*int64(o.Nodes))
	}
	if err = errors.Join(err, w.close()); err != nil {
		return nil, err
	}
	w.finish()
	err = publish(filepath.Join(dir, RelationsFile), func(out io.Writer) error {
		_, err := io.WriteString(out, s.relations())
		return err
	})
	if err != nil {
		return nil, err
	}
	return w.truth, publish(filepath.Join(dir, TruthFile), func(out io.Writer) error {
		return json.NewEncoder(out).Encode(w.truth)
	})
}

// ReadTraceTruth reads the truth.json of a dir that WriteTraces made.
func ReadTraceTruth(dir string) (*TraceTruth, error) {
	data, err := os.ReadFile(filepath.Join(dir, TruthFile))
	if err != nil {
		return nil, err
	}
	truth := new(TraceTruth)
	if err := json.Unmarshal(data, truth); err != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Join(dir, TruthFile), err)
	}
	return truth, nil
}

func newTraceTruth(o TraceOptions, s *traceSystem) *TraceTruth {
	truth := &TraceTruth{Seed: o.Seed, Calls: s.calls(), Ahead: map[string]float64{}}
	for i, node := range s.nodes {
		truth.Ahead[node] = float64(s.ahead[i]) / 1000
	}
	for i, name := range s.names {
		service := ServiceTruth{Service: name}
		for _, node := range s.homes[i] {
			service.Nodes = append(service.Nodes, s.nodes[node])
		}
		truth.Services = append(truth.Services, service)
	}
	return truth
}

// dropTraces removes the logs of an earlier run.
func dropTraces(dir string) error {
	logs, err := filepath.Glob(filepath.Join(dir, "node*", "*.log"))
	for _, log := range logs {
		err = errors.Join(err, os.Remove(log))
	}
	return err
}

// traceWriter writes what a tracer makes.
type traceWriter struct {
	tracer   *tracer
	truth    *TraceTruth
	files    []*os.File // of the tracer's logs
	most     int
	progress func(int64)

	stride int64 // every stride-th request is in the truth
}

func (w *traceWriter) open(dir string) error {
	for _, log := range w.tracer.logs {
		folder := filepath.Join(dir, w.tracer.system.nodes[log.node])
		if err := os.MkdirAll(folder, 0o755); err != nil {
			return err
		}
		file, err := os.Create(filepath.Join(folder, w.tracer.system.names[log.service]+".log"))
		if err != nil {
			return err
		}
		w.files = append(w.files, file)
	}
	return nil
}

func (w *traceWriter) close() (err error) {
	for _, f := range w.files {
		err = errors.Join(err, f.Close())
	}
	return err
}

// settleEvery is how many requests are made before what cannot change any more is written.
const settleEvery = 16

// run makes requests until there are so many bytes, and writes them.
func (w *traceWriter) run(ctx context.Context, size int64) error {
	w.stride = 1
	for w.truth.Bytes < size {
		request := &RequestTruth{ID: string(appendHex(nil, w.tracer.random.next(), 16)), dropped: w.truth.Made%w.stride != 0}
		if !request.dropped {
			w.keep(request)
		}
		w.tracer.request(request)
		w.truth.Made++
		if w.truth.Made%settleEvery == 0 {
			if err := ctx.Err(); err != nil {
				return context.Cause(ctx)
			}
			if err := w.write(w.tracer.now); err != nil {
				return err
			}
		}
	}
	return w.write(math.MaxInt64)
}

// keep takes a request into the truth. If there are twice too many, every second goes, and of those to
// come only every second is taken.
func (w *traceWriter) keep(r *RequestTruth) {
	w.truth.Requests = append(w.truth.Requests, r)
	if len(w.truth.Requests) < 2*w.most {
		return
	}
	w.stride *= 2
	var kept []*RequestTruth
	for i, r := range w.truth.Requests {
		if i%2 == 0 {
			kept = append(kept, r)
		} else {
			r.dropped, r.Lines, r.at = true, nil, nil
		}
	}
	w.truth.Requests = kept
}

// write writes the lines before a time.
func (w *traceWriter) write(before int64) error {
	const enough = 256 << 10
	for i, log := range w.tracer.logs {
		lines := log.lines
		w.truth.Bytes += w.tracer.settle(log, before)
		w.truth.Lines += log.lines - lines
		if len(log.buffer) >= enough || before == math.MaxInt64 {
			if _, err := w.files[i].Write(log.buffer); err != nil {
				return err
			}
			log.buffer = log.buffer[:0]
		}
	}
	if w.progress != nil {
		w.progress(w.truth.Bytes)
	}
	return nil
}

// finish puts the lines of the truth in order, and leaves as many requests as were asked for.
func (w *traceWriter) finish() {
	if n := len(w.truth.Requests); n > w.most {
		var even []*RequestTruth
		for i := range w.most {
			even = append(even, w.truth.Requests[i*n/w.most])
		}
		w.truth.Requests = even
	}
	for _, r := range w.truth.Requests {
		order := make([]int, len(r.Lines))
		for i := range order {
			order[i] = i
		}
		slices.SortFunc(order, func(a, b int) int {
			return cmp.Or(cmp.Compare(r.at[a][0], r.at[b][0]), cmp.Compare(r.at[a][1], r.at[b][1]))
		})
		lines := make([]LineTruth, len(order))
		for i, at := range order {
			lines[i] = r.Lines[at]
		}
		r.Lines, r.at = lines, nil
	}
}
