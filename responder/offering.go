package responder

import (
	"context"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/trawl-logs/trawl/responder/scan"
	"github.com/trawl-logs/trawl/responder/seal"
	"github.com/trawl-logs/trawl/responder/source"
	"github.com/trawl-logs/trawl/schemas"
)

const (
	offerEvery = 30 * time.Second // between two looks at what the record says of sealed blocks, at most: where files are looked for more often, so are these
	// offerStep is how much later a service has to be sealed up to before that alone is worth a new record.
	offerStep = 2 * time.Minute
	// writtenLate is how long after its time a line may be written, for a log all of which is sealed to be sealed up to then.
	writtenLate = time.Minute
	offerNames  = 128 << 10 // bytes of services' names in the record, at most
)

// offering is what the node's record says of sealed blocks, and what that takes.
type offering struct {
	mu       sync.Mutex
	store    *schemas.NodeStore // of services it says nothing before the first look
	listed   map[schemas.BlockID]bool
	revision uint64             // of the list, at which these were listed
	firsts   map[firstKey]int64 // only the goroutine that looks uses it
}

// firstKey is a file as it is at the moment.
type firstKey struct {
	id      source.ID
	size    int64
	modTime int64
}

// get is the record's. A node that has no part in the blocks takes plans too: it may have sealed some that others have by now.
func (o *offering) get() *schemas.NodeStore {
	if o == nil {
		return &schemas.NodeStore{Listed: schemas.NeverListed}
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.store
}

// at is the revision of the list at which what is known to be listed was.
func (o *offering) at() uint64 {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.revision
}

// Offer has the node's record say from now on what the node offers to the fleet's sealed blocks, and up to when its services are in
// blocks that are listed. It returns the Fleet by which they are to be listed: so it hears of those that are.
func (r *Responder) Offer(f Fleet) Fleet {
	o := &offering{listed: map[schemas.BlockID]bool{}, firsts: map[firstKey]int64{},
		store: &schemas.NodeStore{Capacity: int64(r.config.Sealed.Size), ReadRate: r.lastRate(), Listed: schemas.NeverListed}}
	r.offering.Store(o)
	return &listingFleet{Fleet: f, home: r.config.Node, o: o}
}

// keepOffering looks anew, now and then, until ctx ends; after Offer. f is what that returned.
func (r *Responder) keepOffering(ctx context.Context, f Fleet) {
	tick := time.NewTicker(min(offerEvery, time.Duration(r.config.Rescan)))
	defer tick.Stop()
	for {
		_ = guarded(r.log, "what offers sealed blocks", func() error { // the next look tries again
			r.lookAtOffer(ctx, f, time.Now())
			return nil
		})
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// lookAtOffer looks anew, and has the record written if it has become another one.
func (r *Responder) lookAtOffer(ctx context.Context, f Fleet, now time.Time) {
	o := r.offering.Load()
	before := o.get()
	draining, err := f.Draining(ctx)
	if err != nil {
		draining = before.Draining // as far as is known
	}
	next := &schemas.NodeStore{Capacity: int64(r.config.Sealed.Size), Draining: draining, ReadRate: before.ReadRate}
	if x := r.index.Load(); x != nil {
		if _, rate, measured := x.builder.Sizing(); measured {
			next.ReadRate = int64(rate)
		}
	}
	next.Listed = o.at()
	next.Services = r.sealedUntil(ctx, o, now)
	next.Listed = max(next.Listed, o.at()) // the list may have been read meanwhile
	if ctx.Err() != nil || !differs(before, next) {
		return
	}
	o.mu.Lock()
	o.store = next
	o.mu.Unlock()
	if next.ReadRate != before.ReadRate {
		r.keepRate(next.ReadRate)
	}
	r.changed()
}

// rateFile keeps, in the state directory, the rate that the record said last. Without it, blocks would move whenever the node starts, and
// back when the rate has been measured.
const rateFile = "read-rate"

// lastRate is the rate that is kept; 0: none.
func (r *Responder) lastRate() int64 {
	text, err := os.ReadFile(filepath.Join(r.config.State, rateFile))
	if r.config.State == "" || err != nil {
		return 0
	}
	rate, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
	if err != nil {
		return 0
	}
	return max(0, rate)
}

// keepRate keeps a rate. If it cannot, that is no loss that is worth a word.
func (r *Responder) keepRate(rate int64) {
	if r.config.State != "" {
		_ = os.WriteFile(filepath.Join(r.config.State, rateFile), []byte(strconv.FormatInt(rate, 10)+"\n"), 0o600)
	}
}

// differs says whether a record is worth being written: a rate that wavers, and times that pass, are not.
func differs(a, b *schemas.NodeStore) bool {
	if b.Listed < a.Listed || a.Capacity != b.Capacity || a.Draining != b.Draining || len(a.Services) != len(b.Services) ||
		(a.ReadRate == 0) != (b.ReadRate == 0) || max(a.ReadRate, b.ReadRate)-min(a.ReadRate, b.ReadRate) > a.ReadRate/5 {
		return true
	}
	for i, v := range b.Services {
		was := a.Services[i]
		if v.Service != was.Service || v.Until < was.Until || v.Until >= was.Until+int64(offerStep) {
			return true
		}
	}
	return false
}

// listingFleet takes note of the node's own blocks that are listed.
type listingFleet struct {
	Fleet
	home string
	o    *offering
}

// Blocks is the Fleet's. All of the list says too which blocks are not in it any more.
func (l *listingFleet) Blocks(ctx context.Context, f schemas.BlockFilter, take func(*schemas.BlockRecord, uint64)) (uint64, error) {
	seen := map[schemas.BlockID]bool{}
	var at uint64
	listed, err := l.Fleet.Blocks(ctx, f, func(b *schemas.BlockRecord, revision uint64) {
		if b.Home == l.home {
			seen[b.ID] = true
			at = max(at, revision)
		}
		take(b, revision)
	})
	if err != nil && !errors.Is(err, ErrNoList) {
		return listed, err
	}
	l.o.mu.Lock()
	defer l.o.mu.Unlock()
	if err != nil {
		l.o.listed, l.o.revision = map[schemas.BlockID]bool{}, 0
		return listed, err
	}
	if len(f.Services)+len(f.Homes) == 0 && f.Since == 0 && f.Until == 0 {
		l.o.listed, l.o.revision = seen, max(listed, at)
	} else {
		maps.Copy(l.o.listed, seen)
		l.o.revision = max(l.o.revision, listed, at)
	}
	return listed, nil
}

// Put is the Fleet's.
func (l *listingFleet) Put(ctx context.Context, b *schemas.BlockRecord, revision uint64) (uint64, error) {
	next, err := l.Fleet.Put(ctx, b, revision)
	if err == nil && b.Home == l.home {
		l.o.mu.Lock()
		l.o.listed[b.ID] = true
		l.o.revision = max(l.o.revision, next)
		l.o.mu.Unlock()
	}
	return next, err
}

// sealedUntil is, for each service all of whose lines are sealed here, the time before which each of them is in a block that is
// listed, sorted by name. A service of which that is not known is left out.
func (r *Responder) sealedUntil(ctx context.Context, o *offering, now time.Time) []schemas.SealedService {
	x, snap := r.sealing, r.catalog.Newest()
	if x == nil || x.store == nil || snap == nil || len(snap.Failed) > 0 || len(x.store.Damaged()) > 0 {
		return nil
	}
	u := untils{at: map[string]int64{}, unknown: map[string]bool{}, from: min(now.UnixNano(), snap.Taken.UnixNano()) - int64(writtenLate)}
	for _, e := range r.feeds.journals {
		u.unknown[e.Service] = true
	}
	mark := x.store.Mark()
	view := x.store.View()
	defer view.Close()
	for _, l := range view.Logs() {
		u.ofBlocks(l, o)
	}
	p := &plan{r: r, archives: newArchives(&r.config.Limits), feeds: r.feeds}
	var files []seal.File
	var entries []*source.Entry
	for _, e := range snap.Files {
		if !r.sealed(e) {
			u.unknown[e.Service] = true
			continue
		}
		switch f, gone := r.toMatch(e, func() (readable, error) { return r.openKnown(ctx, e) }, p.archives.limits); {
		case gone: // packed, perhaps, into a file that is not looked for yet
			u.unknown[e.Service] = true
		case e.Size > 0:
			files, entries = append(files, f), append(entries, e)
		}
	}
	m := view.Match(ctx, files, mark, nil, source.Family)
	firsts := map[firstKey]int64{}
	seeFirst := func(e *source.Entry) {
		k := firstKey{e.ID, e.Size, e.ModTime.UnixNano()}
		first, ok := o.firsts[k]
		if !ok {
			first = r.firstTime(ctx, p, e)
		}
		firsts[k] = first
		u.see(e.Service, first)
	}
	for i, e := range entries {
		switch l := cmpLog(m.Of[i], m.In[i]); {
		case m.Twice[i]:
		case files[i].Unread:
			u.unknown[e.Service] = true
		case l != nil:
			u.ofLog(l, e.Service, m.Of[i] != nil && endOf(l) == files[i].Size)
			if from, _ := l.Start(); from > 0 { // the file has what the blocks do not, or not any more
				seeFirst(e)
			}
		default:
			seeFirst(e)
		}
	}
	o.firsts = firsts
	return u.services()
}

// cmpLog is the log that a file goes on with, or that it, an archive, has more than the blocks of.
func cmpLog(of, in *seal.Log) *seal.Log {
	if of != nil {
		return of
	}
	return in
}

func endOf(l *seal.Log) int64 {
	end, _ := l.End()
	return end
}

// firstTime is the first time in a file; scan.NoTime where there is none, or where they are in no order.
func (r *Responder) firstTime(ctx context.Context, p *plan, e *source.Entry) int64 {
	c := r.checkFile(ctx, p, e)
	if c.Err != "" || c.Order == schemas.OrderUnsorted {
		return scan.NoTime
	}
	return c.First
}

// untils gathers up to when services are sealed.
type untils struct {
	from    int64            // what there is up to now is sealed up to then
	at      map[string]int64 // by service
	unknown map[string]bool
}

// see takes note that a service's lines are not all sealed from that time on.
func (u *untils) see(service string, ns int64) {
	if ns == scan.NoTime {
		u.unknown[service] = true
	}
	if was, ok := u.at[service]; !ok {
		u.at[service] = min(u.from, ns)
	} else {
		u.at[service] = min(was, ns)
	}
}

// ofBlocks takes note of the blocks of a log that are not listed.
func (u *untils) ofBlocks(l *seal.Log, o *offering) {
	u.see(l.Service, u.from)
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, b := range l.Blocks() {
		switch {
		case o.listed[schemas.BlockID(b.ID)]:
		case b.Timed:
			u.see(l.Service, b.MinTime)
		default:
			u.unknown[l.Service] = true
		}
	}
}

// ofLog takes note of a log with a file: where that has more, of when its last sealed line is.
func (u *untils) ofLog(l *seal.Log, service string, whole bool) {
	switch last, known := l.LastTime(); {
	case whole:
		u.see(service, u.from)
	case known:
		u.see(service, last-int64(writtenLate))
	default:
		u.unknown[service] = true
	}
}

// services are those of which it is known, by name.
func (u *untils) services() (all []schemas.SealedService) {
	room := offerNames
	for _, name := range slices.Sorted(maps.Keys(u.at)) {
		if room -= len(name); u.unknown[name] || room < 0 || len(all) == schemas.MaxServices {
			continue
		}
		all = append(all, schemas.SealedService{Service: name, Until: u.at[name]})
	}
	return all
}
