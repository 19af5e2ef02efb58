package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/trawl-logs/trawl/bus"
	"github.com/trawl-logs/trawl/requester"
	"github.com/trawl-logs/trawl/requester/onbus"
	"github.com/trawl-logs/trawl/requester/printer"
	"github.com/trawl-logs/trawl/responder"
)

// textWindow is what of one answer in text may wait in a coordinator, in bytes.
const textWindow = 4 << 20

// errAskerGone is why a question ends whose asker the server does not find any more.
var errAskerGone = errors.New("nobody listens for the answer any more")

// coordinator answers questions in text: it asks the fleet as a requester does, under a user of its own,
// and prints as trawl grep does, into messages.
type coordinator struct {
	node   string
	config responder.Coordinator
	own    bus.Options // of the connection that asks and answers
	log    *slog.Logger
	slots  chan struct{}
	totals textTotals
	spans  *spans
	tried  chan struct{} // closed when it is known whether questions are heard

	running sync.WaitGroup
	ctx     context.Context
	cancel  context.CancelFunc

	mu        sync.Mutex
	conn      *bus.Conn        // made when there is the first question
	transport *onbus.Transport // on conn
	stop      func()           // ends the subscriptions; nil: there are none
	closed    bool
}

// newCoordinator returns a coordinator of a node whose connection node is. It begins to answer when that
// stands: at once, or later. It is on where the configuration says so, or says nothing and the bus asks
// nobody who they are: then it hears questions over the node's connection, and makes its own for
// the first of them. On a bus that wants a login it has its own from the start, or stays off.
func newCoordinator(c *responder.Config, node *bus.Conn, options bus.Options, spans *spans, log *slog.Logger) *coordinator {
	k := &coordinator{node: c.Node, config: c.Coordinator, own: options, spans: spans, log: log, slots: make(chan struct{}, c.Coordinator.Queries), tried: make(chan struct{})}
	k.ctx, k.cancel = context.WithCancel(context.Background())
	k.own.User, k.own.Name = c.Coordinator.User, "trawl coordinator "+c.Node
	login := c.Coordinator.Connection
	given := login.Given()
	if given {
		k.own.Server, k.own.Context = orElse(login.Server, login.NATSContext, k.own.Server, k.own.Context)
		k.own.Creds, k.own.NKey = login.Creds, login.NKey
		k.own.TLSCert, k.own.TLSKey = orElse(login.TLSCert, login.TLSKey, k.own.TLSCert, k.own.TLSKey)
		if login.TLSCA != "" {
			k.own.TLSCA = login.TLSCA
		}
	}
	if on := c.Coordinator.Enabled; on != nil && !*on {
		close(k.tried)
		return k
	}
	k.running.Go(func() {
		up := make(chan struct{}, 1)
		defer node.OnConnected(func() {
			select {
			case up <- struct{}{}:
			default:
			}
		})()
		select {
		case <-up:
			k.listen(node, given)
		case <-k.ctx.Done():
		}
		close(k.tried)
	})
	return k
}

// Await returns when questions are heard, or it is known that they will not be; or when ctx ends.
func (k *coordinator) Await(ctx context.Context) {
	select {
	case <-k.tried:
	case <-ctx.Done():
	}
}

// orElse returns the first pair, or the second if both of the first are empty.
func orElse(a, b, otherA, otherB string) (string, string) {
	if a == "" && b == "" {
		return otherA, otherB
	}
	return a, b
}

// listen begins to hear questions.
func (k *coordinator) listen(node *bus.Conn, given bool) {
	conn := node
	switch {
	case given:
		if _, _, err := k.connect(); err != nil {
			k.log.Warn("no questions in text are answered", "err", err)
			return
		}
		conn = k.conn
	case node.AuthRequired():
		level := slog.LevelDebug
		if k.config.Enabled != nil {
			level = slog.LevelWarn
		}
		k.log.Log(k.ctx, level, "no questions in text are answered: the bus wants a login, and coordinator.connection has none of its own")
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.closed {
		return
	}
	stop, err := conn.ServeText(k.node, k.take)
	if err != nil {
		k.log.Warn("no questions in text are answered", "err", err)
		return
	}
	k.stop = stop
}

// connect returns the coordinator's own connection, with its transport, and makes them the first time.
func (k *coordinator) connect() (*bus.Conn, *onbus.Transport, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	switch {
	case k.closed:
		return nil, nil, errors.New("the coordinator stops")
	case k.transport != nil:
		return k.conn, k.transport, nil
	}
	conn, err := bus.Connect(k.own)
	if err != nil {
		return nil, nil, err
	}
	k.transport, err = onbus.New(conn, int64(k.config.Queries)*textWindow, func(err error) { k.log.Warn("question in text", "err", err) })
	if err != nil {
		conn.Close()
		return nil, nil, err
	}
	k.conn = conn
	return k.conn, k.transport, nil
}

// Close ends all answers.
func (k *coordinator) Close() {
	k.mu.Lock()
	k.closed = true
	stop := k.stop
	k.mu.Unlock()
	if stop != nil {
		stop()
	}
	k.cancel()
	k.running.Wait()
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.transport != nil {
		k.transport.Close()
		k.conn.Close()
	}
}

// take answers a question beside the subscription that brought it.
func (k *coordinator) take(r *bus.TextRequest) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.closed {
		return
	}
	k.running.Go(func() { k.answer(r) })
}

// answer answers one question, whatever it is, and ends the answer.
func (k *coordinator) answer(r *bus.TextRequest) {
	began := time.Now()
	conn, transport, err := k.connect()
	if err != nil {
		k.log.Warn("question in text not answered", "err", err)
		return
	}
	ctx, cancel := context.WithCancelCause(k.ctx)
	defer cancel(nil)
	reply, err := conn.OpenTextReply(r, func() { cancel(errAskerGone) })
	if err != nil {
		k.log.Warn("question in text not answered", "err", err)
		return
	}
	defer reply.Close()
	question, err := parseText(r.Body)
	a := &textAnswer{k: k, r: r, sink: newTextSink(reply, question.json), transport: transport, textQuestion: question}
	status, receipt := a.run(ctx, err)
	if ctx.Err() == nil {
		if err := reply.End(status); err != nil {
			k.log.Debug("answer in text", "err", err)
		}
	}
	k.totals.add(receipt, status, a.sink.sent, time.Since(began))
	args := []any{"user", r.User, "node", r.Node, "question", fmt.Sprintf("%.200q", r.Body), "status", status, "bytes", a.sink.sent, "ms", time.Since(began).Milliseconds()}
	if receipt != nil {
		args = append(args, "query", receipt.Query, "lines", receipt.Lines, "complete", receipt.Complete)
	}
	if r.Trace != "" {
		args = append(args, "traceparent", r.Trace)
	}
	if cause := context.Cause(ctx); cause != nil {
		args = append(args, "ended", cause)
	}
	k.log.Info("question in text", args...)
}

// textAnswer is the answer to one question.
type textAnswer struct {
	textQuestion
	k         *coordinator
	r         *bus.TextRequest
	sink      *textSink
	transport *onbus.Transport
}

// run asks and prints. It returns an exit status of trawl grep, and the receipt if anybody was asked.
func (a *textAnswer) run(ctx context.Context, err error) (int, *requester.Receipt) {
	if err != nil {
		return a.refuse(err, true), nil
	}
	if a.help {
		a.say("help", textHelp())
		return exitMatch, nil
	}
	select {
	case a.k.slots <- struct{}{}:
		defer func() { <-a.k.slots }()
	default:
		return a.refuse(fmt.Errorf("busy: %d questions are being answered; try again", cap(a.k.slots)), false), nil
	}
	defer a.sink.keepAlive()()
	search := &fleetSearch{o: a.grepOptions, line: newProgressLine(a.sink.notes(), false), errout: a.sink.notes()}
	if search.query, err = a.query(strings.NewReader(""), time.Now(), search.errout); err != nil {
		return a.refuse(err, true), nil
	}
	newMatcher, strategy, err := compileLocal(a.grepOptions, search.query.Patterns)
	if err != nil {
		return a.refuse(err, true), nil
	}
	po := search.printerOptions(a.sink, newMatcher)
	po.Node, po.Escape, po.Colors, po.Spans = true, true, nil, nil // "#" begins no line of a log
	search.query.Host, search.query.Trace = a.host(), a.r.Trace
	if a.r.Node != "" {
		if len(a.nodes) > 0 {
			return a.refuse(errors.New("flag --node: the subject names the node already"), true), nil
		}
		a.nodes = []string{a.r.Node}
		search.query.Select.Nodes = a.nodes
	}
	search.print = printer.New(a.sink, po)
	return a.ask(ctx, search, strategy)
}

// host is what the nodes' logs say of where the query comes from.
func (a *textAnswer) host() string {
	if a.r.User == "" {
		return a.k.node
	}
	return a.k.node + " for " + a.r.User
}

// refuse says why there is no answer.
func (a *textAnswer) refuse(err error, usage bool) int {
	a.sink.say("error", err.Error())
	if usage {
		a.say("usage", strings.TrimPrefix(textUsage, "usage: "))
	} else {
		_ = a.sink.end("", "") // who is gone needs no answer
	}
	return exitUsage
}

// say ends the answer with a text of the coordinator's own.
func (a *textAnswer) say(kind, text string) {
	_ = a.sink.end(kind, text) // who is gone needs no answer
}

// ask has the fleet answer, prints it, and the receipt last.
func (a *textAnswer) ask(ctx context.Context, search *fleetSearch, strategy string) (int, *requester.Receipt) {
	var last requester.Progress
	var mu sync.Mutex
	progress := func(p requester.Progress) {
		mu.Lock()
		defer mu.Unlock()
		last = p
	}
	a.sink.mu.Lock()
	a.sink.about = func() string {
		mu.Lock()
		defer mu.Unlock()
		return progressText(last)
	}
	a.sink.mu.Unlock()
	ask := requester.New(a.transport, givenRoster{a.transport, a.nodes}, requester.WithWindow(textWindow), requester.WithProgress(progress), requester.WithBlockList(a.transport))
	endSpan := a.k.spans.ask(search.query)
	answer, err := ask.Query(ctx, search.query)
	if err != nil {
		endSpan(nil, err)
		return a.refuse(err, false), nil
	}
	err = search.printAnswer(answer)
	answer.Close()
	receipt := answer.Receipt()
	endSpan(receipt, err)
	if err == nil && a.explain {
		search.explain(receipt, strategy)
	}
	search.complain(receipt)
	if search.print.Abandon() == nil {
		_ = search.print.Flush() // the sink keeps the error
	}
	if a.output == "json" {
		text, err := json.Marshal(receipt)
		if err != nil {
			text = []byte(`{"type":"error","error":"the receipt cannot be written"}`)
		}
		a.say("", string(text))
	} else {
		a.say("receipt", receipt.Text())
	}
	status := receipt.Exit(false)
	if a.explain && status == exitNoMatch {
		status = exitMatch
	}
	if status == exitMatch && errors.Is(err, errTruncated) {
		status = exitMatchIncomplete
	}
	return status, receipt
}

// textTotals count what a coordinator has answered.
type textTotals struct {
	mu sync.Mutex
	t  responder.Totals
}

func (t *textTotals) add(r *requester.Receipt, status int, bytes int64, took time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.t.Queries++
	t.t.Bytes += bytes
	t.t.Time += took
	if r != nil {
		t.t.Lines += r.Lines
		t.t.BytesRead += r.BytesRead
	}
	if status == exitUsage || r != nil && !r.Complete && !r.Satisfied {
		t.t.Errors++
		t.t.LastError = "exit status " + fmt.Sprint(status)
	}
}

// Totals returns what has been answered so far.
func (k *coordinator) Totals() responder.Totals {
	k.totals.mu.Lock()
	defer k.totals.mu.Unlock()
	return k.totals.t
}

// Listening tells whether questions are heard.
func (k *coordinator) Listening() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.stop != nil
}
