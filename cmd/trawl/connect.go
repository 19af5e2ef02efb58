package main

import (
	"context"
	"io"
	"log/slog"
	"os"

	"github.com/spf13/pflag"

	"github.com/trawl-logs/trawl/bus"
)

// connectFlags say where the bus is and who asks. What no flag says comes from the environment, from the
// user's file (but for trawl responder), from the nats command's selected context, and at last from bus.DefaultURL.
type connectFlags struct {
	server, context, creds, nkey string
	tlsCert, tlsKey, tlsCA       string
	user, prefix                 string
}

// register adds the flags to a flag set.
func (f *connectFlags) register(flags *pflag.FlagSet) {
	flags.StringVar(&f.server, "server", "", "`URL` of the bus, or several joined by commas (TRAWL_SERVER, NATS_URL)")
	flags.StringVar(&f.context, "nats-context", "", "`NAME` of a context of the nats command (TRAWL_NATS_CONTEXT); default: the selected one")
	flags.StringVar(&f.creds, "creds", "", "`FILE` of credentials, JWT and seed (TRAWL_CREDS)")
	flags.StringVar(&f.nkey, "nkey", "", "`FILE` of an NKey seed (TRAWL_NKEY)")
	flags.StringVar(&f.tlsCert, "tlscert", "", "`FILE` of the client certificate (TRAWL_TLSCERT)")
	flags.StringVar(&f.tlsKey, "tlskey", "", "`FILE` of its key (TRAWL_TLSKEY)")
	flags.StringVar(&f.tlsCA, "tlsca", "", "`FILE` of the authorities that vouch for the bus (TRAWL_TLSCA)")
	flags.StringVar(&f.user, "user", "", "`NAME` that stands for the user in subjects (TRAWL_USER); default: the system's user name")
	flags.StringVar(&f.prefix, "prefix", "", "`SUBJECT` in front of every other (TRAWL_PREFIX); default: "+bus.DefaultPrefix)
}

// given returns what the flags alone say; name is for the bus's list of connections.
func (f *connectFlags) given(name string) bus.Options {
	return bus.Options{
		Server: f.server, Context: f.context, Creds: f.creds, NKey: f.nkey,
		TLSCert: f.tlsCert, TLSKey: f.tlsKey, TLSCA: f.tlsCA,
		User: f.user, Prefix: f.prefix, Name: name,
	}
}

// options returns what the flags and the environment say.
func (f *connectFlags) options(name string) bus.Options {
	return f.given(name).FromEnvironment(os.Getenv)
}

// flagsAlone is of a context in which neither the environment nor the user's file says where the bus is: that of
// trawl demo, whose bus and nodes know of neither.
type flagsAlone struct{}

// settled returns what the flags, the environment and the user's file say.
func (f *connectFlags) settled(ctx context.Context, name string) (bus.Options, error) {
	if ctx.Value(flagsAlone{}) != nil {
		return f.given(name), nil
	}
	file, err := ownUserFile()
	if err != nil {
		return bus.Options{}, err
	}
	return file.Connection.under(f.options(name)), nil
}

// connect connects to the bus that is settled on. A bus that accepts the connection and says nothing
// keeps it waiting for seconds; it does not wait longer than ctx.
func (f *connectFlags) connect(ctx context.Context, name string) (*bus.Conn, error) {
	options, err := f.settled(ctx, name)
	if err != nil {
		return nil, err
	}
	type connected struct {
		conn *bus.Conn
		err  error
	}
	done := make(chan connected, 1)
	go func() {
		conn, err := bus.Connect(options)
		done <- connected{conn, err}
	}()
	select {
	case c := <-done:
		return c.conn, c.err
	case <-ctx.Done():
	}
	go func() {
		if c := <-done; c.err == nil {
			c.conn.Close()
		}
	}()
	return nil, context.Cause(ctx)
}

// newLog returns the log of a daemon, for people: text on w, from level on.
func newLog(w io.Writer, level slog.Level) *slog.Logger {
	return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: level}))
}
