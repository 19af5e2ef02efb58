package tracing

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"
)

// Bounds of what an Exporter holds and sends.
const (
	queueMost = 2048        // spans that wait
	batchMost = 512         // spans of a request
	retryMost = time.Minute // between two attempts to reach a collector that does not answer
	replyMost = 64 << 10    // bytes of a collector's answer that are read
)

// Exporter sends spans to a collector. Its methods are safe for concurrent use, and those of a nil
// Exporter do nothing.
type Exporter struct {
	settings Settings
	version  string
	warn     func(text string)
	client   *http.Client
	ctx      context.Context // of requests
	cancel   context.CancelCauseFunc
	some     chan struct{} // holds one: something waits
	full     chan struct{} // holds one: a batch does
	closing  chan struct{} // closed by Close
	done     chan struct{} // closed when the last request is over
	close    sync.Once

	mu      sync.Mutex
	waiting []Span
	lost    int // spans dropped since that was last told
}

// New returns an Exporter of spans, which says that it is of version of trawl. Warn hears, in words, when
// the collector begins to take nothing, and when it does again; it is called from a goroutine of the
// Exporter. Close ends it.
func New(s *Settings, version string, warn func(text string)) *Exporter {
	e := &Exporter{
		settings: *s, version: version, warn: warn, client: &http.Client{Timeout: s.Timeout},
		some: make(chan struct{}, 1), full: make(chan struct{}, 1), closing: make(chan struct{}), done: make(chan struct{}),
	}
	// A redirection would take the headers, which may be secrets, elsewhere.
	e.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	e.ctx, e.cancel = context.WithCancelCause(context.Background())
	go e.run()
	return e
}

// Export takes a span whose context is sampled, and returns at once. Where too many wait the oldest is
// dropped.
func (e *Exporter) Export(s Span) {
	if e == nil || !s.Context.Sampled {
		return
	}
	e.mu.Lock()
	e.waiting = append(e.waiting, s)
	e.bound()
	full := len(e.waiting) >= batchMost
	e.mu.Unlock()
	kick(e.some)
	if full {
		kick(e.full)
	}
}

// bound drops the oldest of too many; mu is held.
func (e *Exporter) bound() {
	if more := len(e.waiting) - queueMost; more > 0 {
		e.waiting = append(e.waiting[:0], e.waiting[more:]...)
		e.lost += more
	}
}

func kick(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default: // one is enough
	}
}

// Close sends what waits, and gives up when ctx ends. What is exported later is lost.
func (e *Exporter) Close(ctx context.Context) {
	if e == nil {
		return
	}
	e.close.Do(func() { close(e.closing) })
	defer context.AfterFunc(ctx, func() { e.cancel(context.Cause(ctx)) })()
	<-e.done
	e.cancel(nil)
	e.client.CloseIdleConnections()
}

// run sends batches until Close.
func (e *Exporter) run() {
	defer close(e.done)
	failures := 0
	for {
		select {
		case <-e.some:
		case <-e.closing:
		}
		if !e.gather(failures) {
			e.flush(failures)
			return
		}
		failures = e.flush(failures)
		if failures > 0 {
			kick(e.some) // what was not taken
		}
	}
}

// gather waits for more spans to go with the first. It is false when the exporter closes.
func (e *Exporter) gather(failures int) bool {
	wait, full := e.settings.Delay, e.full
	if failures > 0 {
		wait, full = min(wait<<min(failures, 10), max(retryMost, wait)), nil // not before its time
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-full:
		return true
	case <-e.closing:
		return false
	}
}

// flush sends what waits, until a request fails, and returns how many have failed in a row.
func (e *Exporter) flush(failures int) int {
	for {
		batch := e.take()
		if len(batch) == 0 {
			return failures
		}
		again, err := e.send(batch)
		if err == nil {
			e.works(failures)
			failures = 0
			continue
		}
		e.failed(batch, again, err, failures == 0)
		if failures++; again {
			return failures
		}
	}
}

// take removes the next batch from what waits.
func (e *Exporter) take() []Span {
	e.mu.Lock()
	defer e.mu.Unlock()
	n := min(len(e.waiting), batchMost)
	batch := append([]Span(nil), e.waiting[:n]...)
	e.waiting = append(e.waiting[:0], e.waiting[n:]...)
	return batch
}

// failed puts a batch back that may yet be taken, and tells of the first failure in a row.
func (e *Exporter) failed(batch []Span, again bool, err error, first bool) {
	e.mu.Lock()
	if again {
		e.waiting = append(batch, e.waiting...)
		e.bound()
	} else {
		e.lost += len(batch)
	}
	e.mu.Unlock()
	if first {
		e.warn(fmt.Sprintf("spans are not exported: %v", err))
	}
}

// works tells that the collector takes spans again.
func (e *Exporter) works(failures int) {
	e.mu.Lock()
	lost := e.lost
	e.lost = 0
	e.mu.Unlock()
	if failures > 0 || lost > 0 {
		e.warn(fmt.Sprintf("spans are exported again; %d were lost", lost))
	}
}

// send posts one batch. Again says whether a failure may pass.
func (e *Exporter) send(batch []Span) (again bool, err error) {
	body, err := encode(e.settings.Resource, e.version, batch)
	if err != nil {
		return false, err
	}
	request, err := http.NewRequestWithContext(e.ctx, http.MethodPost, e.settings.Endpoint, bytes.NewReader(body))
	if err != nil {
		return false, err
	}
	for key, value := range e.settings.Headers {
		request.Header.Set(key, value)
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("User-Agent", "trawl/"+e.version)
	response, err := e.client.Do(request)
	if err != nil {
		return true, err
	}
	defer response.Body.Close()
	reply, err := io.ReadAll(io.LimitReader(response.Body, replyMost))
	switch code := response.StatusCode; {
	case code == http.StatusTooManyRequests, code == http.StatusBadGateway, code == http.StatusServiceUnavailable, code == http.StatusGatewayTimeout:
		return true, fmt.Errorf("%s: %s", request.URL.Redacted(), response.Status)
	case code/100 != 2:
		return false, fmt.Errorf("%s: %s", request.URL.Redacted(), response.Status)
	case err != nil:
		return false, nil // it has taken them, whatever else it wanted to say
	}
	var said struct {
		Partial struct {
			Rejected json.Number `json:"rejectedSpans"`
			Message  string      `json:"errorMessage"`
		} `json:"partialSuccess"`
	}
	if json.Unmarshal(reply, &said) == nil && said.Partial.Message != "" {
		e.warn(fmt.Sprintf("the collector refused %s spans: %q", said.Partial.Rejected, said.Partial.Message))
	}
	return false, nil
}
