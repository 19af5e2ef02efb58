package responder

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/trawl-logs/trawl/responder/feed"
	"github.com/trawl-logs/trawl/responder/timestamp"
)

// kindJournal is the Kind of systemd's journal; and what its entries are called, in place of a file.
const kindJournal = "journald"

// SourceConfig registers files, as globs with ** for any number of directories; or, as its Kind says,
// systemd's journal.
type SourceConfig struct {
	Service string            `yaml:"service"`
	Logs    List              `yaml:"logs"`
	Exclude List              `yaml:"exclude"`
	Labels  map[string]string `yaml:"labels"`
	// Timezone is that of times that name none, and TimeFormat how times are written: as Go's time
	// package has it, or one of epoch, epoch-ms, epoch-us and epoch-ns.
	Timezone   string `yaml:"timezone"`
	TimeFormat string `yaml:"time_format"`
	// Format is how a container runtime has wrapped the lines, docker or cri; empty: they are not.
	Format string `yaml:"format"`
	// Store is sealed where the lines are kept in sealed blocks as well, which outlive the files; empty: they
	// are not.
	Store string `yaml:"store"`
	// Kind is files, which is the default, or journald: then Units, Priority and Directory say which
	// entries.
	Kind      string `yaml:"kind"`
	Units     List   `yaml:"units"`
	Priority  string `yaml:"priority"`
	Directory string `yaml:"directory"`
}

func (s *SourceConfig) finish() error {
	if s.Service != "" {
		if err := checkService(s.Service); err != nil {
			return err
		}
	}
	if _, err := s.zone(); err != nil {
		return err
	}
	if err := checkLabels(s.Labels); err != nil {
		return err
	}
	switch s.Kind {
	case "", "files":
		return s.finishFiles()
	case kindJournal:
		return s.finishJournal()
	}
	return fmt.Errorf("kind %q is neither files nor %s", s.Kind, kindJournal)
}

func (s *SourceConfig) finishFiles() error {
	if len(s.Logs) == 0 {
		return errors.New("it names no logs")
	}
	if len(s.Units) > 0 || s.Priority != "" || s.Directory != "" {
		return fmt.Errorf("units, priority and directory are of kind: %s", kindJournal)
	}
	if err := errors.Join(absolute(s.Logs), absolute(s.Exclude)); err != nil {
		return err
	}
	if s.Format != "" {
		if _, err := feed.ParseFormat(s.Format); err != nil {
			return err
		}
	}
	if s.TimeFormat != "" {
		return timestamp.Check(s.TimeFormat)
	}
	return nil
}

func (s *SourceConfig) finishJournal() error {
	if len(s.Logs) > 0 || len(s.Exclude) > 0 || s.Format != "" || s.TimeFormat != "" {
		return fmt.Errorf("logs, exclude, format and time_format are of files, not of kind: %s", kindJournal)
	}
	return (&feed.Journal{Units: s.Units, Priority: s.Priority, Directory: s.Directory}).Check()
}

// zone is the source's time zone; nil: the node's.
func (s *SourceConfig) zone() (*time.Location, error) {
	if s.Timezone == "" {
		return nil, nil
	}
	zone, err := time.LoadLocation(s.Timezone)
	if err != nil {
		return nil, fmt.Errorf("timezone %q: %w", s.Timezone, err)
	}
	return zone, nil
}

// journalSource reads journald or journald:UNIT, as --logs has it.
func journalSource(service, logs string) (SourceConfig, bool) {
	unit, ok := strings.CutPrefix(logs, kindJournal+":")
	if !ok && logs != kindJournal {
		return SourceConfig{}, false
	}
	s := SourceConfig{Kind: kindJournal, Service: service}
	if ok && unit != "" {
		s.Units = List{unit}
	}
	return s, true
}

// timeRules are the name of the zone that times without one are in, and the layout of times, as another node needs
// them that reads the source's lines; empty: the name is not known, or the layout is found out.
func (s *SourceConfig) timeRules() (zone, layout string) {
	if s.Timezone != "" {
		return s.Timezone, s.TimeFormat
	}
	return localZone(), s.TimeFormat
}

// localZone is the name of the node's own zone; empty: it has none that others know.
var localZone = sync.OnceValue(func() string {
	name := time.Local.String()
	if name == "Local" {
		if target, err := os.Readlink("/etc/localtime"); err == nil {
			_, name, _ = strings.Cut(target, "zoneinfo/")
		}
	}
	if _, err := time.LoadLocation(name); err != nil || name == "" || name == "Local" {
		return ""
	}
	return name
})
