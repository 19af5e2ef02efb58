package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/trawl-logs/trawl/requester"
	"github.com/trawl-logs/trawl/requester/onbus"
	"github.com/trawl-logs/trawl/requester/printer"
	"github.com/trawl-logs/trawl/responder/scan"
	"github.com/trawl-logs/trawl/schemas"
)

// fleetSearch is a trawl grep that asks the fleet.
type fleetSearch struct {
	o      *grepOptions
	query  *schemas.Query
	errout io.Writer
	onTTY  bool // errout is a terminal
	line   *progressLine
	print  *printer.Printer
	timing timing
	reply  *replier                        // nil: results are only printed
	asked  func(*requester.Receipt, error) // ends the query's span
	over   bool                            // every node has said its End, and nothing is to be published
}

// grepFleet asks the fleet: flags → query → bus → gather → printer, and the receipt.
func grepFleet(cmd *cobra.Command, connect *connectFlags, o *grepOptions) error {
	collectLess(200)
	s := &fleetSearch{o: o, line: newProgressLine(cmd.ErrOrStderr(), !o.noProgress)}
	s.errout, s.onTTY = s.line.before(cmd.ErrOrStderr()), isTerminal(cmd.ErrOrStderr())
	out := cmd.OutOrStdout()
	ctx, cancel := context.WithCancelCause(cmd.Context())
	s.timing.connecting = time.Now()
	reached := s.reaching(ctx, connect, "trawl grep", requester.DefaultWindow)
	defer reached.leave()
	defer cancel(nil) // a connection that is not there yet is not waited for
	var err error
	if s.query, err = o.query(cmd.InOrStdin(), time.Now(), s.errout); err != nil {
		return err
	}
	newMatcher, strategy, err := compileLocal(o, s.query.Patterns)
	if err != nil {
		return err
	}
	s.print = printer.New(s.line.before(out), s.printerOptions(out, newMatcher))

	spans := spansOfEnvironment(func(text string) { fmt.Fprintln(s.errout, "trawl: "+text) })
	defer spans.close() // when everything else is over
	stopWatching := watchClosed(out, func() { cancel(syscall.EPIPE) })
	defer stopWatching()

	transport, err := reached.wait()
	if err != nil {
		return err
	}
	s.timing.connected, s.timing.transport = time.Now(), transport
	ask := requester.New(&s.timing, timedRoster{givenRoster{transport, o.nodes}, &s.timing}, requester.WithProgress(s.progress), requester.WithBlockList(transport))
	answer, err := s.ask(ctx, ask, spans)
	if err != nil {
		return err
	}
	err = s.printAnswer(answer)
	answer.Close()
	if err == nil && o.explain {
		s.explain(answer.Receipt(), strategy)
	}
	receipt := answer.Receipt()
	s.over = receipt.Complete && s.reply == nil
	s.asked(receipt, err)
	if err == nil && s.reply != nil {
		err = s.reply.end(receipt)
	}
	err = s.end(ctx, receipt, err)
	if o.timing {
		s.timing.say(s.errout, receipt, time.Now())
	}
	return err
}

// reached is a way to the bus that is made beside other work: what compiles the pattern need not wait for
// the server, nor the server for that.
type reached struct {
	done      chan struct{}
	transport *onbus.Transport
	away      func()
	err       error
}

// reaching begins to reach.
func (s *fleetSearch) reaching(ctx context.Context, connect *connectFlags, name string, window int64) *reached {
	r := &reached{done: make(chan struct{})}
	go func() {
		defer close(r.done)
		r.transport, r.away, r.err = s.reach(ctx, connect, name, window)
	}()
	return r
}

// wait waits until the bus is reached, or cannot be.
func (r *reached) wait() (*onbus.Transport, error) {
	<-r.done
	return r.transport, r.err
}

// leave leaves it again.
func (r *reached) leave() {
	if <-r.done; r.err == nil {
		r.away()
	}
}

// reach connects to the bus under a name for its list of connections, with a window in bytes for what waits
// to be read, and prepares what is published of the answer. Leave ends it.
func (s *fleetSearch) reach(ctx context.Context, connect *connectFlags, name string, window int64) (transport *onbus.Transport, leave func(), err error) {
	conn, err := connect.connect(ctx, name)
	if err != nil {
		return nil, nil, err
	}
	if s.reply, err = newReplier(s.o, conn); err == nil {
		transport, err = onbus.New(conn, window, func(err error) { fmt.Fprintf(s.errout, "trawl: %v\n", err) })
	}
	if err != nil {
		conn.Close()
		return nil, nil, err
	}
	return transport, func() {
		if s.over { // what is left are acknowledgements, for which nobody waits
			conn.Leave()
			return
		}
		transport.Close()
		conn.Close()
	}, nil
}

// ask puts the query to the fleet, as a span of its own.
func (s *fleetSearch) ask(ctx context.Context, fleet *requester.Requester, spans *spans) (*requester.Answer, error) {
	s.asked = spans.ask(s.query)
	answer, err := fleet.Query(ctx, s.query)
	if err == nil {
		if s.reply != nil {
			s.reply.query = answer.Query().ID
		}
		return answer, nil
	}
	s.asked(nil, err)
	switch {
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	case errors.Is(err, requester.ErrNoNodes):
		return nil, fmt.Errorf("%w; `trawl nodes` lists the known ones", err)
	}
	return nil, err
}

// printAnswer prints chunks as they are released. What is not printed is not acknowledged: a reader
// of stdout that takes its time slows the nodes.
func (s *fleetSearch) printAnswer(answer *requester.Answer) error {
	for node, chunks := range answer.Chunks() {
		before := time.Now()
		err := s.printChunks(node, chunks)
		if err == nil && !answer.Ready() {
			err = s.print.Flush()
		}
		s.timing.printed += time.Since(before)
		if err != nil {
			return err
		}
	}
	return nil
}

func (s *fleetSearch) printChunks(node string, chunks []schemas.Chunk) error {
	if s.reply != nil {
		if err := s.reply.send(node, chunks); err != nil {
			return err
		}
	}
	for i := range chunks {
		if err := s.print.Print(node, &chunks[i]); err != nil {
			return err
		}
	}
	return nil
}

// end prints the receipt and says with which status the query ends.
func (s *fleetSearch) end(ctx context.Context, receipt *requester.Receipt, err error) error {
	if ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	if err != nil && !errors.Is(err, errInterrupted) {
		return err
	}
	if e := s.print.Abandon(); e != nil {
		return e
	}
	if s.o.output == "json" {
		text, e := json.Marshal(receipt)
		if e == nil {
			e = s.print.WriteLine(text)
		}
		if e != nil {
			return e
		}
	}
	if e := s.print.Flush(); e != nil {
		return e
	}
	s.complain(receipt)
	s.line.clear()
	if s.o.receipt || s.o.output == "text" && (receipt.Trouble() || err != nil || s.onTTY) {
		fmt.Fprint(s.errout, receipt.Text())
	}
	if err != nil {
		return &exitError{code: exitInterrupted}
	}
	return s.verdict(receipt)
}

// verdict is the exit status of a query that ran to its end.
func (s *fleetSearch) verdict(receipt *requester.Receipt) error {
	code := receipt.Exit(s.o.okPartial)
	switch {
	case code == exitUsage:
		return fmt.Errorf("no file is selected on %s: that proves nothing", nodesOf(receipt))
	case s.o.explain && code == exitNoMatch:
		return nil
	case code == exitMatch:
		return nil
	}
	return &exitError{code: code}
}

func nodesOf(receipt *requester.Receipt) string {
	if len(receipt.Nodes) == 1 {
		return receipt.Nodes[0].Node
	}
	return fmt.Sprintf("any of %d nodes", len(receipt.Nodes))
}

// complain reports the files that could not be searched, as grep does.
func (s *fleetSearch) complain(receipt *requester.Receipt) {
	if s.o.noMessages {
		return
	}
	for i := range receipt.Nodes {
		n := &receipt.Nodes[i]
		for _, e := range n.Errors {
			fmt.Fprintln(s.errout, shown(fmt.Sprintf("trawl: %s:%s: %s", n.Node, e.File, e.Err)))
		}
		if more := n.ErrorCount - int64(len(n.Errors)); more > 0 && len(n.Errors) > 0 {
			fmt.Fprintf(s.errout, "trawl: %s: %s could not be searched\n", n.Node, plural(more, "more file"))
		}
	}
}

// shown escapes what a node says, which may be anything, for a terminal.
func shown(text string) string { return string(printer.AppendEscaped(nil, []byte(text))) }

// explain prints how the pattern would be looked for, and what would be read, node by node: how many
// blocks there are, and how many of them are left out by their times and by what they hold.
func (s *fleetSearch) explain(receipt *requester.Receipt, strategy string) {
	row := func(node, files, size, read, blocks, byTime, byIndex string) {
		s.writeLine(fmt.Sprintf("%-20s %8s %14s %14s %8s %8s %8s", node, files, size, read, blocks, byTime, byIndex))
	}
	full := func(node string, files, size, read int64, b schemas.Blocks) {
		row(node, fmt.Sprint(files), fmt.Sprint(size), fmt.Sprint(read), fmt.Sprint(b.Considered), fmt.Sprint(b.SkippedTime), fmt.Sprint(b.Skipped-b.SkippedTime))
	}
	if s.o.output == "json" {
		return // it is all in the receipt
	}
	s.writeLine("strategy: " + strategy)
	row("NODE", "FILES", "BYTES", "TO READ", "BLOCKS", "BY TIME", "BY INDEX")
	for i := range receipt.Nodes {
		n := &receipt.Nodes[i]
		if n.Status != schemas.StatusComplete {
			row(n.Node, n.Status.String(), "-", "-", "-", "-", "-")
			continue
		}
		full(n.Node, n.Files, n.BytesConsidered, n.BytesRead, n.Blocks)
	}
	full("all", receipt.Files, receipt.BytesConsidered, receipt.BytesRead, receipt.Blocks)
	s.explainStore(receipt)
}

// explainStore prints which node would read how many of the fleet's sealed blocks, or why that is not planned.
func (s *fleetSearch) explainStore(receipt *requester.Receipt) {
	if receipt.Store == nil {
		return
	}
	if why := receipt.Store.Error; why != "" {
		s.writeLine(shown("block list: " + why + "; each node would be asked for what it has"))
		return
	}
	s.writeLine(fmt.Sprintf("block list: revision %d, %s in question", receipt.Store.Revision, plural(int64(receipt.Store.Blocks), "sealed block")))
	for i := range receipt.Nodes {
		if n := &receipt.Nodes[i]; n.SealedBlocks > 0 {
			s.writeLine(fmt.Sprintf("%-20s %8d", n.Node, n.SealedBlocks))
		}
	}
}

func (s *fleetSearch) writeLine(line string) {
	_ = s.print.WriteLine([]byte(line)) // the error comes again with Flush
}

// progress draws the progress line.
func (s *fleetSearch) progress(p requester.Progress) {
	s.line.update(func() string { return progressText(p) })
}

// progressText says how far a query is.
func progressText(p requester.Progress) string {
	return fmt.Sprintf("%d of %s through, searched %s of %s, %s, %s", p.Through, plural(int64(p.Nodes), "node"),
		formatBytes(p.BytesRead), formatBytes(p.BytesConsidered), plural(p.Lines, "line"), p.Elapsed.Round(time.Second))
}

func (s *fleetSearch) printerOptions(out io.Writer, newMatcher func() scan.Matcher) printer.Options {
	po := (&localSearch{o: s.o, errout: s.errout}).printerOptions(out, newMatcher)
	po.File = s.o.filename != never
	po.Node = po.File
	po.Binary = func(node, file string) {
		fmt.Fprintln(s.errout, shown(fmt.Sprintf("trawl: %s:%s: binary file matches", node, file)))
	}
	return po
}

// watchEvery is how often stdout is looked at while nothing is written to it.
const watchEvery = 200 * time.Millisecond

// watchClosed calls closed when the reader of out, if out is a pipe, has gone away. A query that
// finds nothing would not notice by writing. The func it returns ends the watch.
func watchClosed(out io.Writer, closed func()) (stop func()) {
	file, ok := out.(*os.File)
	if !ok {
		return func() {}
	}
	done := make(chan struct{})
	go func() {
		tick := time.NewTicker(watchEvery)
		defer tick.Stop()
		for {
			select {
			case <-done:
				return
			case <-tick.C:
			}
			if readerGone(file) {
				closed()
				return
			}
		}
	}()
	return func() { close(done) }
}
