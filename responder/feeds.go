package responder

import (
	"context"
	"io"
	"maps"
	"strings"

	"github.com/trawl-logs/trawl/responder/feed"
	"github.com/trawl-logs/trawl/responder/scan"
	"github.com/trawl-logs/trawl/responder/source"
)

// feeds are what a node searches that is no plain file: journals, and the logs that have to be
// unwrapped. It does not change.
type feeds struct {
	journals []*source.Entry // in the order of the configuration
	openers  map[*source.Entry]*feed.Journal
	formats  []feed.Format // by source; 0: plain
}

// newFeeds takes what the configuration says, which was checked, and completes the catalog's sources.
func newFeeds(c *Config, sources []source.Source) *feeds {
	f := &feeds{openers: map[*source.Entry]*feed.Journal{}, formats: make([]feed.Format, len(c.Sources))}
	var namer feed.Namer
	for i := range c.Sources {
		s := &c.Sources[i]
		if s.Kind == kindJournal {
			f.addJournals(s, c.Labels)
		} else if s.Format != "" {
			f.formats[i], _ = feed.ParseFormat(s.Format)
			sources[i].LabelsOf, sources[i].ServiceLabel = namer.Labels, feed.LabelContainer
		}
	}
	return f
}

// addJournals adds an entry for each unit, so that each can be a service of its own.
func (f *feeds) addJournals(s *SourceConfig, node map[string]string) {
	zone, _ := s.zone()
	labels := map[string]string{}
	maps.Copy(labels, node)
	maps.Copy(labels, s.Labels)
	add := func(name, service string, units ...string) {
		if s.Service != "" {
			service = s.Service
		}
		e := source.NewEntry(name, service, labels)
		f.journals = append(f.journals, e)
		f.openers[e] = &feed.Journal{Units: units, Priority: s.Priority, Directory: s.Directory, Zone: zone}
	}
	if len(s.Units) == 0 {
		add(kindJournal, kindJournal)
	}
	for _, unit := range s.Units {
		service := strings.TrimSuffix(unit, ".service")
		if strings.ContainsAny(unit, `*?[`) {
			service = kindJournal
		}
		add(kindJournal+":"+unit, service, unit)
	}
}

// selected are the journals that a filter admits.
func (f *feeds) selected(filter *source.Filter) (entries []*source.Entry) {
	for _, e := range f.journals {
		if filter.Admits(e) {
			entries = append(entries, e)
		}
	}
	return entries
}

// open opens what a search reads of an entry, a file or a journal.
func (p *plan) open(ctx context.Context, e *source.Entry) (scan.File, error) {
	if j := p.feeds.openers[e]; j != nil {
		return p.openJournal(ctx, j)
	}
	if p.sealed != nil {
		if c := p.sealed.pieces[e]; c != nil {
			return p.openPiece(c)
		}
		if l := p.sealed.logs[e]; l != nil {
			return p.openSealed(e, l)
		}
	}
	f, err := p.set.Open(e)
	if err != nil {
		return scan.File{}, err
	}
	file, err := p.openArchive(ctx, f)
	if err != nil {
		return scan.File{}, err
	}
	file = p.feeds.unwrapped(file, e)
	if file.Stream == nil && !file.InOrder {
		file = p.pruning.apply(file, f)
	}
	return file, nil
}

// unwrapped gives the lines of a file whose source has a format without their wrappers.
func (f *feeds) unwrapped(file scan.File, e *source.Entry) scan.File {
	format := f.formats[e.Source()]
	if format == 0 {
		return file
	}
	if file.Stream == nil {
		file.Stream = io.NewSectionReader(file.At, 0, file.Size)
	}
	lines := feed.Unwrap(file.Stream, format)
	return scan.File{Stream: lines, Origin: lines, Closer: file.Closer}
}

func (p *plan) openJournal(ctx context.Context, j *feed.Journal) (scan.File, error) {
	lines, closer, err := j.Open(ctx, p.since, p.until)
	if err != nil {
		return scan.File{}, err
	}
	counted := &journalReader{Lines: lines, closer: closer, p: p}
	return scan.File{Stream: counted, Origin: lines, Closer: counted}, nil
}

// journalReader counts what a journal gave, whose size is not known before.
type journalReader struct {
	*feed.Lines
	closer io.Closer
	p      *plan
}

// Read reads the journal's lines.
func (j *journalReader) Read(b []byte) (int, error) {
	n, err := j.Lines.Read(b)
	j.p.archives.grown.Add(int64(n))
	return n, err
}

// Close ends journalctl.
func (j *journalReader) Close() error { return j.closer.Close() }
