// Trawl asks every machine's logs at once, over NATS, and knows exactly who answered.
//
// Each file of this package is one subcommand: it turns flags into library calls and hands what
// comes back to a printer. A command returns an error, at most wrapped in an exitError that names
// the exit status; main is the only place that exits.
//
// What goes where: stdout carries matches and answers only. Messages, progress and the receipt of
// text mode go to stderr, as "trawl: lower case, no full stop". The exit status is the constants
// below, for every command.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"
	_ "time/tzdata" // zones by name, also where the system has none
)

// The exit statuses of every command.
const (
	exitMatch             = 0   // matched, and every known node answered in full; or -q or --limit is satisfied
	exitNoMatch           = 1   // no match, and every known node answered in full
	exitUsage             = 2   // usage, pattern, connection or internal error; an empty selection
	exitMatchIncomplete   = 3   // matched, but the answer is not complete
	exitNoMatchIncomplete = 4   // no match, and the answer is not complete
	exitInterrupted       = 130 // SIGINT or SIGTERM before the end
	exitPipe              = 141 // stdout was closed by its reader
)

// exitError carries an exit status out of a command. A nil err prints nothing: all has been said.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit status %d", e.code)
	}
	return e.err.Error()
}

func (e *exitError) Unwrap() error { return e.err }

// errInterrupted is the cause of a command's context once a signal has asked it to stop.
var errInterrupted = errors.New("interrupted")

// signalPause is how long a second signal is the first one: timeout(1) sends its own to the process and then to
// the process's group, which is no impatience.
const signalPause = 300 * time.Millisecond

func main() {
	// With SIGPIPE ignored a closed stdout is an error of the write, so that a query can be
	// cancelled on its nodes before the process ends.
	signal.Ignore(syscall.SIGPIPE)
	ctx, cancel := context.WithCancelCause(context.Background())
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		<-signals
		cancel(errInterrupted)
		for first := time.Now(); ; {
			if <-signals; time.Since(first) >= signalPause { // asked twice: without ceremony
				os.Exit(exitInterrupted)
			}
		}
	}()
	os.Exit(run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// run executes one command line and returns its exit status.
func run(ctx context.Context, args []string, in io.Reader, out, errout io.Writer) int {
	root := newRootCommand(args)
	root.SetIn(in)
	root.SetOut(out)
	root.SetErr(errout)
	err := root.ExecuteContext(ctx)
	if errors.Is(err, context.Canceled) && ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	return exitStatus(err, errout)
}

// exitStatus says what err means for the caller's shell, and prints it.
func exitStatus(err error, errout io.Writer) int {
	if err == nil {
		return exitMatch
	}
	code := exitUsage
	var exit *exitError
	var network *net.OpError
	switch {
	case errors.As(err, &exit):
		code, err = exit.code, exit.err
	case errors.Is(err, syscall.EPIPE) && !errors.As(err, &network): // the bus's end of a connection is not stdout
		code, err = exitPipe, nil
	case errors.Is(err, errInterrupted):
		code, err = exitInterrupted, nil
	}
	if path, ok := errors.AsType[*os.PathError](err); ok && path.Op == "write" && path.Path == os.Stdout.Name() {
		err = fmt.Errorf("write error: %w", path.Err)
	}
	if err != nil {
		say(errout, strings.TrimSpace(err.Error()))
	}
	return code
}
