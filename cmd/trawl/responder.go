package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"os"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/KimMachineGun/automemlimit/memlimit"
	"github.com/coreos/go-systemd/v22/daemon"
	"github.com/spf13/cobra"

	"github.com/trawl-logs/trawl/bus"
	"github.com/trawl-logs/trawl/responder"
	"github.com/trawl-logs/trawl/responder/mapped"
)

const responderHelp = `Serve this machine's logs: answer queries by searching the log files that --logs
or the configuration names, and no others. It runs in the foreground, until
SIGINT or SIGTERM.

A glob may hold ** for any number of directories; files that appear later are
found. SERVICE=GLOB names the service that the files belong to; otherwise it is
derived from each file's name: /var/log/payments.log.1 is of payments,
/var/log/nginx/access.log of nginx. In place of a glob, journald stands for
systemd's journal, and journald:UNIT for the entries of a unit.

When the node can be asked it prints one line, "ready node=… files=… bytes=…".
Its log goes to stderr: every query, who sent it and what it cost.

What a flag says goes before the environment (TRAWL_NODE, TRAWL_LOGS …), that
before the configuration, ` + responder.DefaultConfigFile + ` and conf.d/*.yaml beside it,
of which docs/configuration.md has the keys; trawl config check looks at it.`

// responderFlags are what the command line says; empty means that it does not say.
type responderFlags struct {
	config, node, state string
	logs, groups        []string
	labels              []string
	logFormat, logLevel string
	ephemeral           bool
	connect             connectFlags
}

func newResponderCommand() *cobra.Command {
	var f responderFlags
	cmd := &cobra.Command{
		Use:   "responder",
		Short: "Serve this machine's logs to queries",
		Long:  responderHelp,
		Example: `  trawl responder --logs '/var/log/**/*.log'
  trawl responder --node web1 --group web --logs 'nginx=/var/log/nginx/*.log'
  trawl responder --logs journald:nginx --logs '/srv/app/*.log'
  trawl responder --server nats://bus:4222 --config /etc/trawl/trawl.yaml
  trawl nodes                               who is there, from any machine`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, args []string) error { return f.run(cmd) },
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.StringVar(&f.node, "node", "", "`NAME` of this node, unique in the fleet (default the host name, dots as -)")
	flags.StringArrayVar(&f.logs, "logs", nil, "`[SERVICE=]GLOB` of log files, or journald[:UNIT]; repeatable, and in place of the configuration's")
	flags.StringArrayVar(&f.groups, "group", nil, "`GROUP` that the node is in; repeatable")
	flags.StringArrayVar(&f.labels, "with-label", nil, "`KEY=VALUE` that queries can select by; repeatable")
	flags.StringVar(&f.state, "state", "", "`DIR` for what the node keeps; made if need be")
	flags.StringVar(&f.config, "config", "", "`FILE` of the configuration (default "+responder.DefaultConfigFile+", if there is one)")
	flags.BoolVar(&f.ephemeral, "ephemeral", false, "leave the roster on a clean stop: nobody misses the node then")
	flags.StringVar(&f.logFormat, "log-format", "", "`FORM` of the log: text or json (default text)")
	flags.StringVar(&f.logLevel, "log-level", "", "`LEVEL` of the log: debug, info, warn or error (default info)")
	f.connect.register(flags)
	return cmd
}

// settings are the configuration with the environment and the flags over it.
func (f *responderFlags) settings() (*responder.Config, error) {
	c, err := responder.Load(f.config)
	if err != nil {
		return nil, err
	}
	if err := c.Environ(os.LookupEnv); err != nil {
		return nil, err
	}
	for _, s := range []struct {
		flag string
		to   *string
	}{{f.node, &c.Node}, {f.state, &c.State}, {f.logFormat, &c.LogFormat}, {f.logLevel, &c.LogLevel}} {
		if s.flag != "" {
			*s.to = s.flag
		}
	}
	if len(f.logs) > 0 {
		c.Sources = nil
	}
	if len(f.groups) > 0 {
		c.Groups = f.groups
	}
	c.Ephemeral = c.Ephemeral || f.ephemeral
	if err := errors.Join(c.AddLogs(f.logs...), c.AddLabels(f.labels...)); err != nil {
		return nil, err
	}
	return c, c.Finish()
}

// connection is how the flags, the environment and at last the configuration say the bus is reached.
func (f *responderFlags) connection(c *responder.Config) bus.Options {
	o := f.connect.options("trawl responder " + c.Node)
	if o.Server == "" && o.Context == "" {
		o.Server, o.Context = c.Connection.Server, c.Connection.NATSContext
	}
	if o.Creds == "" && o.NKey == "" {
		o.Creds, o.NKey = c.Connection.Creds, c.Connection.NKey
	}
	for _, s := range []struct {
		to   *string
		from string
	}{{&o.TLSCert, c.Connection.TLSCert}, {&o.TLSKey, c.Connection.TLSKey}, {&o.TLSCA, c.Connection.TLSCA}} {
		if *s.to == "" {
			*s.to = s.from
		}
	}
	o.Responder = true
	return o
}

func (f *responderFlags) run(cmd *cobra.Command) error {
	config, err := f.settings()
	if err != nil {
		return err
	}
	log, err := daemonLog(cmd.ErrOrStderr(), config.LogFormat, config.LogLevel)
	if err != nil {
		return err
	}
	if config.State != "" {
		if err := os.MkdirAll(config.State, 0o700); err != nil {
			return fmt.Errorf("state directory: %w", err)
		}
	}
	limitMemory(int64(config.Limits.Memory))
	collectLess(200)
	options := f.connection(config)
	options.Log = log
	ctx := cmd.Context()
	node, err := joinNode(ctx, config, options, log)
	if err != nil {
		return err
	}
	defer node.Leave()
	if node.service.Await(ctx) != nil {
		return nil // asked to stop before the bus was there
	}
	node.text.Await(ctx)
	record := node.responder.Node()
	if record.Files == 0 {
		log.Warn("no file matches the globs yet", "globs", globsOf(config))
	}
	if _, err := fmt.Fprintf(cmd.OutOrStdout(), "ready node=%s files=%d bytes=%d\n", record.Name, record.Files, record.Bytes); err != nil {
		return err
	}
	log.Info("ready", "node", record.Name, "groups", strings.Join(record.Groups, ","), "services", strings.Join(record.Services, ","),
		"files", record.Files, "bytes", record.Bytes, "bus", node.conn.URL(), "version", record.Version)
	return supervise(ctx, log)
}

// globsOf lists what was to be found, for a message.
func globsOf(c *responder.Config) string {
	var globs []string
	for _, s := range c.Sources {
		globs = append(globs, s.Logs...)
	}
	return strings.Join(globs[:min(len(globs), 10)], " ")
}

// supervise tells systemd, if it started us, that the node is up and stays so, until ctx ends.
func supervise(ctx context.Context, log *slog.Logger) error {
	notify := func(state string) {
		if _, err := daemon.SdNotify(false, state); err != nil {
			log.Debug("systemd", "err", err)
		}
	}
	notify(daemon.SdNotifyReady)
	defer notify(daemon.SdNotifyStopping)
	interval, err := daemon.SdWatchdogEnabled(false)
	if err != nil || interval <= 0 {
		<-ctx.Done()
		return nil // asked to stop, and does
	}
	tick := time.NewTicker(interval / 2)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			notify(daemon.SdNotifyWatchdog)
		}
	}
}

// collectLess has the garbage collector wait until the heap has grown by so many percent, unless GOGC
// says otherwise. Trawl's processes live on a few MB, but let many messages through: collecting each
// time that had doubled took up to a third of their time.
func collectLess(percent int) {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(percent)
	}
}

// programBytes is about how much of the program itself is resident, which Go does not count.
const programBytes = 18 << 20

// limitMemory has the process stay below limit, as far as it can, or below what the control group allows, if that is less; 0 is
// no limit. A fifth is for parts of logs that are mapped, and what the program leaves of the rest is Go's soft limit,
// unless GOMEMLIMIT says it.
func limitMemory(limit int64) {
	if limit == 0 {
		limit = math.MaxInt64
	}
	if group, err := memlimit.FromCgroup(); err == nil && group < uint64(limit) {
		limit = int64(group / 10 * 9)
	}
	if limit == math.MaxInt64 {
		return
	}
	mapped.Bound(limit / 5)
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(max(limit-limit/5-programBytes, limit/2))
	}
}

// daemonLog is the log of a daemon in a form and from a level on.
func daemonLog(w io.Writer, form, level string) (*slog.Logger, error) {
	levels := []string{"debug", "info", "warn", "error"}
	i := slices.Index(levels, strings.ToLower(level))
	if i < 0 {
		return nil, fmt.Errorf("log level %q is none of %s", level, strings.Join(levels, ", "))
	}
	o := &slog.HandlerOptions{Level: slog.LevelDebug + slog.Level(4*i)}
	if form == "json" {
		return slog.New(slog.NewJSONHandler(w, o)), nil
	}
	return slog.New(slog.NewTextHandler(w, o)), nil
}
