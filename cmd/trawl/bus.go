package main

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"

	"github.com/trawl-logs/trawl/bus"
)

const busHelp = `Run a NATS server with JetStream in the foreground, until SIGINT or SIGTERM.
When it is ready it prints its URL on one line.

It listens on loopback only, because it asks nobody who they are. To offer it to
other machines, give it a nats-server configuration with authorization. Any NATS
server serves trawl as well; this one saves installing it.`

// busMemory is the soft memory limit of the server's process: 128 MiB less what Go does not count. It
// holds for the bus without a configuration, which serves tens of nodes, not thousands.
const busMemory = 100 << 20

func newBusCommand() *cobra.Command {
	var o bus.ServerOptions
	var verbose bool
	cmd := &cobra.Command{
		Use:   "bus",
		Short: "Run a NATS server with JetStream, with safe defaults",
		Long:  busHelp,
		Example: `  trawl bus                                 on 127.0.0.1:4222
  trawl bus --listen 127.0.0.1:0            on any free port
  trawl bus --store /var/lib/trawl/bus
  trawl bus -c /etc/nats/nats-server.conf   a stock nats-server configuration
  NATS_URL=nats://127.0.0.1:4222 trawl nodes`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			level := slog.LevelWarn
			if verbose {
				level = slog.LevelDebug
			}
			o.Log = newLog(cmd.ErrOrStderr(), level)
			return runBus(cmd, o)
		},
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.StringVar(&o.Listen, "listen", "", "`HOST:PORT` to listen on, port 0 for any free one (default "+bus.DefaultListen+")")
	flags.StringVar(&o.Store, "store", "", "`DIR` for what JetStream keeps (default below ~/.local/state/trawl/bus)")
	flags.StringVarP(&o.Config, "config", "c", "", "`FILE` in nats-server's form; --listen and --store overrule it")
	flags.BoolVarP(&verbose, "verbose", "v", false, "log what the server does")
	return cmd
}

func runBus(cmd *cobra.Command, o bus.ServerOptions) error {
	if o.Config == "" {
		if o.Listen == "" {
			o.Listen = bus.DefaultListen
		}
		if o.Store == "" {
			dir, remove, err := defaultStore(o.Listen)
			if err != nil {
				return err
			}
			defer remove()
			o.Store = dir
		}
		if os.Getenv("GOMEMLIMIT") == "" {
			debug.SetMemoryLimit(busMemory)
			collectLess(800)
		}
	}
	server, err := bus.StartServer(o)
	if err != nil {
		return err
	}
	defer server.Stop()
	if _, err := fmt.Fprintln(cmd.OutOrStdout(), server.URL()); err != nil {
		return err
	}
	select {
	case <-cmd.Context().Done():
		return nil // asked to stop, and does
	case <-server.Failed():
		return server.Err()
	}
}

// defaultStore returns the directory of the bus that listens there, each its own; a bus on any free
// port will never be found again, so its directory goes with it.
func defaultStore(listen string) (dir string, remove func(), err error) {
	if strings.HasSuffix(listen, ":0") {
		if dir, err = os.MkdirTemp("", "trawl-bus-"); err != nil {
			return "", nil, fmt.Errorf("bus store: %w; give one with --store", err)
		}
		return dir, func() { _ = os.RemoveAll(dir) }, nil // what is left is in the temporary directory
	}
	state := os.Getenv("XDG_STATE_HOME")
	if state == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			return "", nil, errors.New("bus store: there is no home directory; give one with --store")
		}
		state = filepath.Join(home, ".local", "state")
	}
	return filepath.Join(state, "trawl", "bus", strings.NewReplacer(":", "-", "/", "-").Replace(listen)), func() {}, nil
}
