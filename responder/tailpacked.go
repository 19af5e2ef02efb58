package responder

import (
	"context"
	"errors"
	"slices"

	"github.com/trawl-logs/trawl/responder/archive"
	"github.com/trawl-logs/trawl/responder/clock"
	"github.com/trawl-logs/trawl/responder/follow"
	"github.com/trawl-logs/trawl/responder/rotation"
	"github.com/trawl-logs/trawl/responder/scan"
	"github.com/trawl-logs/trawl/responder/source"
)

// errTooManyLast says that a history is not as long as it was wanted.
var errTooManyLast = errors.New("the last lines that match of older archives have more than 8 MiB: those are left out")

// addPacked has the history reach back into the archives of a set, which are not followed. They are those
// beside which nothing holds the same lines.
func (t *tail) addPacked(set *rotation.Set, archives *archives) {
	t.archives = archives
	for _, f := range set.Files {
		if _, named := source.PackedFrom(f.Entry.Path); !named && f.Kind() == archive.Plain || clock.Over(f.Entry.ModTime, t.q.Since) {
			continue
		}
		if err := f.Open(); err != nil {
			t.failed(f.Entry.Path, err)
		} else if f.Kind() != archive.Plain {
			t.packed = append(t.packed, f)
		}
	}
}

// logOf is the name of the log of which a file is, before it was rotated and compressed.
func logOf(name string) string {
	if names := source.RotatedOf(name); len(names) > 0 {
		return names[len(names)-1]
	}
	name, _ = source.PackedFrom(name)
	return name
}

// packedHistory gives what is selected of archives: all in the range of times, or as many of the last lines
// of each log as its other files have too few.
func (t *tail) packedHistory(ctx context.Context) (read int64, err error) {
	of := map[string][]*rotation.File{}
	var logs []string
	for _, f := range t.packed {
		name := logOf(f.Entry.Path)
		if of[name] == nil {
			logs = append(logs, name)
		}
		of[name] = append(of[name], f)
	}
	for _, name := range logs {
		files := of[name]
		slices.SortStableFunc(files, func(a, b *rotation.File) int { return follow.Older(a.Entry, b.Entry) })
		n, err := t.packedLog(ctx, name, files)
		if read += n; err != nil {
			return read, err
		}
	}
	return read, nil
}

// packedLog is packedHistory of one log, whose archives come oldest first.
func (t *tail) packedLog(ctx context.Context, name string, files []*rotation.File) (read int64, err error) {
	if t.q.Last < 0 {
		for _, f := range files {
			n, err := t.searchPacked(ctx, f, t.options, t.emit)
			if read += n; err != nil {
				return read, err
			}
		}
		return read, nil
	}
	o := t.options
	o.Before, o.After, o.Groups = 0, 0, false // which of the lines are the last is not known before they all are
	wanted := t.q.Last
	for i := range t.past {
		if p := &t.past[i]; logOf(p.Entry.Path) == name && wanted > 0 {
			found, n, err := t.count(ctx, p, wanted, o)
			if read += n; err != nil {
				return read, err
			}
			wanted -= found
		}
	}
	var last []*lastLines
	size := 0
	for _, f := range slices.Backward(files) {
		if wanted <= 0 {
			break
		}
		if size > lastKept {
			t.failed(f.Entry.Path, errTooManyLast)
			break
		}
		l := &lastLines{wanted: wanted, terminator: t.options.Terminator}
		n, err := t.searchPacked(ctx, f, o, l.add)
		if read += n; err != nil {
			return read, err
		}
		if l.lost {
			t.failed(f.Entry.Path, errLastKept)
		}
		last, wanted, size = append(last, l), wanted-l.lines, size+l.size
	}
	for _, l := range slices.Backward(last) {
		if err := l.give(t.emit); err != nil {
			return read, err
		}
	}
	return read, nil
}

// count counts the last lines that are selected of what a file held, at most so many.
func (t *tail) count(ctx context.Context, p *follow.Past, most int64, o scan.Options) (found, read int64, err error) {
	for window := int64(firstWindow); ; window *= 4 {
		from, err := t.lineAt(p, p.Size-window)
		if t.q.Since != 0 || err != nil {
			from = 0
		}
		found = 0
		n, err := t.searchPast(ctx, p, from, o, func(b *scan.Batch) error { found += b.Selected; return nil })
		if read += n; err != nil || found >= most || from == 0 {
			return min(found, most), read, err
		}
	}
}

// searchPacked searches an archive.
func (t *tail) searchPacked(ctx context.Context, f *rotation.File, o scan.Options, emit func(*scan.Batch) error) (read int64, err error) {
	o.Since = t.q.Since
	o.OnError = func(_ int, err error) { t.failed(f.Entry.Path, bare(err)) }
	inputs := []scan.Input{{Name: f.Entry.Path, Service: f.Entry.Service, Open: func() (scan.File, error) {
		file, err := t.archives.open(f)
		if err != nil {
			return scan.File{}, err
		}
		return t.r.feeds.unwrapped(file, f.Entry), nil
	}}}
	times := t.r.clocks.Attach(inputs, func(int) clock.File { return t.r.timesOf(f.Entry) }, true, &o)
	stats, err := scan.Run(ctx, inputs, t.matcher, o, emit)
	return stats.Bytes + times.Read(), err
}
