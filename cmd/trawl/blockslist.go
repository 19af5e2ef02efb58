package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/bmatcuk/doublestar/v4"
	"github.com/spf13/cobra"

	"github.com/trawl-logs/trawl/bus"
	"github.com/trawl-logs/trawl/requester"
	"github.com/trawl-logs/trawl/schemas"
)

// exitNobodyHas is of blocks --list: no node that is up has one of the blocks.
const exitNobodyHas = 1

// listFlags are those of blocks --list alone.
type listFlags struct {
	list         bool
	services     []string
	since, until string
	under        int
}

// checkList says whether one was given without --list, or one that does not go with it.
func (f *blocksFlags) checkList(cmd *cobra.Command) error {
	own, others := []string{"service", "since", "until", "under"}, []string{"verify", "sealed", "sizing", "prove"}
	for _, name := range own {
		if !f.list && cmd.Flags().Changed(name) {
			return fmt.Errorf("--%s is for --list", name)
		}
	}
	for _, name := range others {
		if f.list && cmd.Flags().Changed(name) {
			return fmt.Errorf("--list does not go with --%s", name)
		}
	}
	for _, g := range f.services {
		if !doublestar.ValidatePattern(g) {
			return fmt.Errorf("glob %q: %w", g, doublestar.ErrBadPattern)
		}
	}
	for _, g := range f.nodes {
		if _, err := path.Match(g, ""); err != nil {
			return fmt.Errorf("glob %q: %w", g, err)
		}
	}
	return nil
}

// listBlocks shows the fleet's list of sealed blocks: a row a service, or a block.
func (f *blocksFlags) listBlocks(cmd *cobra.Command) error {
	ctx := cmd.Context()
	times := grepOptions{since: f.since, until: f.until, zone: time.Local}
	since, until, err := times.timeRange(time.Now(), cmd.ErrOrStderr())
	if err != nil {
		return err
	}
	conn, err := f.connect.connect(ctx, "trawl blocks")
	if err != nil {
		return err
	}
	defer conn.Close()
	roster, err := conn.Roster(ctx)
	if err == nil {
		err = conn.Presence(ctx, &roster)
	}
	if err != nil {
		return err
	}
	l := newListing(f, upOf(roster), cmd.OutOrStdout())
	filter := schemas.BlockFilter{Since: since, Until: until}
	if !slices.ContainsFunc(f.services, isGlob) {
		filter.Services = f.services
	}
	if err := l.read(ctx, conn, filter); err != nil {
		return err
	}
	if err := l.finish(); err != nil {
		return err
	}
	if n := l.total.lost; n > 0 {
		return &exitError{code: exitNobodyHas, err: fmt.Errorf("no node that is up has %s", plural(n, "block"))}
	}
	return nil
}

// upOf are the nodes that answer.
func upOf(r bus.Roster) map[string]bool {
	up := map[string]bool{}
	for i := range r.Nodes {
		if r.Nodes[i].Live {
			up[r.Nodes[i].Name] = true
		}
	}
	return up
}

// listing is what of the list is shown.
type listing struct {
	f        *blocksFlags
	up       map[string]bool
	out      io.Writer
	json     *json.Encoder // nil: text
	revision uint64        // of the list
	services map[string]*listTotal
	total    listTotal
	blocks   []*schemas.BlockRecord // those that are shown, with --each
	failed   error                  // of writing
}

// listTotal sums blocks up.
type listTotal struct {
	first, last   int64 // NoTime: none has times
	blocks, lines int64
	bytes, stored int64
	copies        map[int]int64 // blocks by how many nodes have them
	lost, retired int64         // blocks that no node that is up has; that are retired
}

func newListing(f *blocksFlags, up map[string]bool, out io.Writer) *listing {
	l := &listing{f: f, up: up, out: out, services: map[string]*listTotal{}, total: emptyTotal()}
	if f.output == "json" {
		l.json = json.NewEncoder(out)
		l.json.SetEscapeHTML(false)
	}
	return l
}

func emptyTotal() listTotal {
	return listTotal{first: schemas.NoTime, last: schemas.NoTime, copies: map[int]int64{}}
}

// read takes the blocks of the list that the flags want.
func (l *listing) read(ctx context.Context, list requester.BlockList, f schemas.BlockFilter) (err error) {
	l.revision, err = list.Blocks(ctx, f, func(b *schemas.BlockRecord, _ uint64) {
		if l.failed == nil && l.wants(b) {
			l.take(b)
		}
	})
	return errors.Join(l.failed, err)
}

// wants says whether a block is shown. Globs of services and of nodes are those of a query.
func (l *listing) wants(b *schemas.BlockRecord) bool {
	s := schemas.Select{Nodes: l.f.nodes}
	node := len(l.f.nodes) == 0 || slices.ContainsFunc(b.Owners, func(o string) bool { return s.AdmitsNode(o, nil) })
	service := len(l.f.services) == 0 || slices.ContainsFunc(l.f.services, func(g string) bool { return doublestar.MatchUnvalidated(g, b.Service) })
	return service && node && (l.f.under == 0 || b.State == schemas.BlockKept && len(b.Owners) < l.f.under)
}

// take shows a block, or keeps it to be shown.
func (l *listing) take(b *schemas.BlockRecord) {
	s := l.services[b.Service]
	if s == nil {
		t := emptyTotal()
		s = &t
		l.services[b.Service] = s
	}
	for _, t := range []*listTotal{s, &l.total} {
		t.add(b, l.has(b) > 0)
	}
	switch {
	case l.json != nil:
		l.failed = l.json.Encode(l.line(b))
	case l.f.each:
		l.blocks = append(l.blocks, b)
	}
}

// has is how many nodes that are up have a block.
func (l *listing) has(b *schemas.BlockRecord) (n int) {
	for _, o := range b.Owners {
		if l.up[o] {
			n++
		}
	}
	return n
}

func (t *listTotal) add(b *schemas.BlockRecord, has bool) {
	if b.State == schemas.BlockRetired {
		t.retired++
		return
	}
	t.blocks++
	t.lines += b.Lines
	t.bytes += b.Bytes
	t.stored += b.Stored
	t.copies[len(b.Owners)]++
	if !has {
		t.lost++
	}
	if !b.Timed {
		return
	}
	if t.first == schemas.NoTime || b.MinTime < t.first {
		t.first = b.MinTime
	}
	t.last = max(t.last, b.MaxTime)
}

// finish prints what could not be before all was read.
func (l *listing) finish() error {
	switch {
	case l.json != nil:
		return nil
	case l.f.each:
		return l.rows()
	}
	return blockTable(l.out, "SERVICE\tFROM\tTO\tBLOCKS\tLINES\tBYTES\tSTORED\tCOPIES\tLOST\tRETIRED", func(w io.Writer) {
		row := func(name string, t *listTotal) {
			fmt.Fprintf(w, "%s\t%s\t%s\t%d\t%d\t%s\t%s\t%s\t%d\t%d\n", name, blockTime(t.first), blockTime(t.last), t.blocks, t.lines,
				formatBytes(t.bytes), formatBytes(t.stored), t.histogram(), t.lost, t.retired)
		}
		for _, name := range slices.Sorted(maps.Keys(l.services)) {
			row(cell(name), l.services[name])
		}
		row(fmt.Sprintf("all, revision %d", l.revision), &l.total)
	})
}

// histogram is how many blocks so many nodes have: "2×950 1×50".
func (t *listTotal) histogram() string {
	var words []string
	for _, n := range slices.Backward(slices.Sorted(maps.Keys(t.copies))) {
		words = append(words, fmt.Sprintf("%d×%d", n, t.copies[n]))
	}
	return cmp.Or(strings.Join(words, " "), "-")
}

// rows prints a row a block, by service and time.
func (l *listing) rows() error {
	slices.SortFunc(l.blocks, func(a, b *schemas.BlockRecord) int {
		return cmp.Or(cmp.Compare(a.Service, b.Service), cmp.Compare(a.MinTime, b.MinTime), slices.Compare(a.ID[:], b.ID[:]))
	})
	return blockTable(l.out, "SERVICE\tFROM\tTO\tLINES\tBYTES\tSTORED\tHOME\tOWNERS\tSTATE\tBLOCK", func(w io.Writer) {
		for _, b := range l.blocks {
			first, last := timesOf(b)
			fmt.Fprintf(w, "%s\t%s\t%s\t%d\t%s\t%s\t%s\t%s\t%s\t%s\n", cell(b.Service), blockTime(first), blockTime(last), b.Lines, formatBytes(b.Bytes),
				formatBytes(b.Stored), b.Home, list(b.Owners), stateOf(b), b.ID)
		}
	})
}

// timesOf is from when to when a block's lines are.
func timesOf(b *schemas.BlockRecord) (first, last int64) {
	if !b.Timed {
		return schemas.NoTime, schemas.NoTime
	}
	return b.MinTime, b.MaxTime
}

func stateOf(b *schemas.BlockRecord) string {
	if b.State == schemas.BlockRetired {
		return "retired"
	}
	return "kept"
}

// recordLine is a line of blocks --list --output json; fields may be added, none renamed.
type recordLine struct {
	Block    string            `json:"block"`
	Service  string            `json:"service"`
	Home     string            `json:"home"` // the node that sealed it
	Labels   map[string]string `json:"labels"`
	First    *string           `json:"first"`
	Last     *string           `json:"last"`
	Lines    int64             `json:"lines"`
	Bytes    int64             `json:"bytes"`
	Stored   int64             `json:"stored"`
	Checksum string            `json:"checksum"`
	Owners   []string          `json:"owners"`
	Up       int               `json:"up"` // so many of the owners are up
	State    string            `json:"state"`
	Since    *string           `json:"since"` // of the state
}

func (l *listing) line(b *schemas.BlockRecord) recordLine {
	first, last := timesOf(b)
	return recordLine{b.ID.String(), b.Service, b.Home, labels(b.Labels), stamp(first), stamp(last), b.Lines, b.Bytes, b.Stored,
		fmt.Sprintf("%016x", b.Checksum), notNil(b.Owners), l.has(b), stateOf(b), stamp(b.Since)}
}
