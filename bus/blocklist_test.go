package bus_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/trawl-logs/trawl/bus"
	"github.com/trawl-logs/trawl/bus/bustest"
	"github.com/trawl-logs/trawl/schemas"
)

const (
	hour   = int64(3600e9)
	day    = 24 * hour
	midday = 20000*day + 12*hour // the noon of a day
)

// block is a record whose times are those, and whose id begins with n.
func block(n int, service, home string, from, to int64) *schemas.BlockRecord {
	return &schemas.BlockRecord{
		ID: schemas.BlockID{byte(n), byte(n >> 8), byte(n >> 16)}, Home: home, Service: service, Window: from, Span: hour, Timed: true, MinTime: from, MaxTime: to,
		Lines: 32768, Bytes: 4 << 20, Stored: 1 << 20, Checksum: uint64(n), Owners: []string{home}, Since: to,
	}
}

// listed is the ids of the blocks that a filter admits, sorted, with the revision of each.
func listed(t testing.TB, conn *bus.Conn, f schemas.BlockFilter) (ids []string, revisions map[schemas.BlockID]uint64) {
	t.Helper()
	revisions = map[schemas.BlockID]uint64{}
	_, err := conn.Blocks(t.Context(), f, func(b *schemas.BlockRecord, revision uint64) {
		if revisions[b.ID] != 0 {
			t.Errorf("block %s comes twice", b.ID)
		}
		revisions[b.ID] = revision
		ids = append(ids, b.ID.String())
	})
	must(t, err)
	slices.Sort(ids)
	return ids, revisions
}

func put(t testing.TB, conn *bus.Conn, b *schemas.BlockRecord, revision uint64) uint64 {
	t.Helper()
	now, err := conn.PutBlock(t.Context(), b, revision)
	must(t, err)
	return now
}

// putMany lists as many blocks, of one service, home and hour, several at a time.
func putMany(t testing.TB, conn *bus.Conn, many int) {
	t.Helper()
	var running sync.WaitGroup
	for w := range 8 {
		running.Go(func() {
			for i := w; i < many; i += 8 {
				if _, err := conn.PutBlock(t.Context(), block(i, "api", "web1", midday, midday), 0); err != nil {
					t.Error(err)
				}
			}
		})
	}
	running.Wait()
}

// A record is written, changed and removed only by whoever has seen its newest revision.
func TestBlockListComparesAndSets(t *testing.T) {
	bustest.NoLeaks(t)
	b := bustest.StartInProcess(t)
	conn := b.Connect("web1")
	if _, err := conn.Blocks(t.Context(), schemas.BlockFilter{}, nil); !errors.Is(err, bus.ErrNoBlockList) {
		t.Fatalf("before a block was listed: %v", err)
	}
	one := block(1, "api", "web1", midday, midday+1)
	first := put(t, conn, one, 0)
	for _, wrong := range []uint64{0, first + 1} {
		if _, err := conn.PutBlock(t.Context(), one, wrong); !errors.Is(err, bus.ErrConflict) {
			t.Errorf("written at %d, where it is at %d: %v", wrong, first, err)
		}
	}
	one.Owners = append(one.Owners, "web2")
	second := put(t, conn, one, first)
	got := 0
	revision, err := conn.Blocks(t.Context(), schemas.BlockFilter{Services: []string{"api"}}, func(r *schemas.BlockRecord, at uint64) {
		if got++; at != second || !slices.Equal(r.Owners, []string{"web1", "web2"}) {
			t.Errorf("revision %d of %+v", at, r)
		}
	})
	must(t, err)
	if got != 1 || revision != second {
		t.Errorf("%d blocks at revision %d, not %d", got, revision, second)
	}
	if err := conn.RemoveBlock(t.Context(), one, first); !errors.Is(err, bus.ErrConflict) {
		t.Errorf("removed at an old revision: %v", err)
	}
	must(t, conn.RemoveBlock(t.Context(), one, second))
	if ids, _ := listed(t, conn, schemas.BlockFilter{}); len(ids) != 0 {
		t.Errorf("after it was removed: %v", ids)
	}
	if revision, err := conn.Blocks(t.Context(), schemas.BlockFilter{Services: []string{"none"}}, nil); err != nil || revision <= second {
		t.Errorf("nothing is listed at revision %d, %v", revision, err)
	}
	put(t, conn, one, 0)
	if ids, _ := listed(t, conn, schemas.BlockFilter{}); len(ids) != 1 {
		t.Errorf("listed again: %v", ids)
	}
	one.Home = "no token"
	if _, err := conn.PutBlock(t.Context(), one, 0); err == nil {
		t.Error("a record that nobody could read is written")
	}
}

// hourSteps is how many hours the keys of blocks stand for.
var hourSteps = []int64{1, 24, 240, 2400, 24_000, 240_000}

// mayBeIn says whether the key of a block, which has the hours that all its times share, is of a filter's services, homes and hours.
func mayBeIn(b *schemas.BlockRecord, f schemas.BlockFilter) bool {
	brief := func(service string) string { // of a long name the key has the beginning
		if len(service) > 48 {
			return service[:32] + "…"
		}
		return service
	}
	if len(f.Services) > 0 && !slices.ContainsFunc(f.Services, func(s string) bool { return brief(s) == brief(b.Service) }) ||
		len(f.Homes) > 0 && !slices.Contains(f.Homes, b.Home) {
		return false
	}
	const lastHour = 100_000*24 - 1
	hourOf := func(ns int64) int64 { return (ns - (ns%hour+hour)%hour) / hour }
	from, to := hourOf(b.MinTime), hourOf(b.MaxTime)
	if !b.Timed || from < 0 || to > lastHour || f.Since == 0 && f.Until == 0 {
		return true
	}
	wide := slices.IndexFunc(hourSteps, func(h int64) bool { return from/h == to/h })
	if wide < 0 { // its key says nothing
		return true
	}
	from = from / hourSteps[wide] * hourSteps[wide]
	to = from + hourSteps[wide] - 1
	return (f.Since == 0 || to >= hourOf(f.Since)) && (f.Until == 0 || from <= hourOf(f.Until-1))
}

// What a range of times finds is what the filter admits, however its blocks lie about borders of hours and days; and no
// other keys than those of its services, homes and hours come to the reader.
func TestBlocksOfTimes(t *testing.T) {
	conn := bustest.StartInProcess(t).Connect("web1")
	seed := rand.Uint64()
	random := rand.New(rand.NewPCG(seed, 0))
	long := strings.Repeat("a", 40)
	services := []string{"", "api", "ä.*>", long + "one-that-is-long", long + "another-long-one"}
	about := []int64{midday, midday + 12*hour, 19999 * day, 20100 * day, 0, -day, 99999*day + 23*hour, 100001 * day}
	var all []*schemas.BlockRecord
	moment := func() int64 {
		spread := []int64{1, hour, day, 200 * day}[random.IntN(4)]
		if at := about[random.IntN(len(about))] + random.Int64N(2*spread) - spread; at != 0 {
			return at
		}
		return 1
	}
	for i := range 200 {
		from, to := moment(), int64(0)
		if to = from + []int64{0, hour / 2, hour, 30 * hour}[random.IntN(4)]; i%40 == 0 {
			to = max(from, moment())
		}
		b := block(i+1, services[random.IntN(len(services))], fmt.Sprint("web", random.IntN(3)), from, to)
		if b.Timed = i%20 != 0; !b.Timed {
			b.MinTime, b.MaxTime = 0, 0
		}
		put(t, conn, b, 0)
		all = append(all, b)
	}
	for range 60 {
		var f schemas.BlockFilter
		if random.IntN(4) > 0 {
			f.Since = moment()
		}
		if random.IntN(4) > 0 {
			f.Until = moment()
		}
		for range random.IntN(3) {
			f.Services = append(f.Services, services[random.IntN(len(services))])
		}
		for range random.IntN(3) {
			f.Homes = append(f.Homes, fmt.Sprint("web", random.IntN(3)))
		}
		var want []string
		for _, b := range all {
			if f.Admits(b) {
				want = append(want, b.ID.String())
			}
		}
		slices.Sort(want)
		came := conn.Received()
		if got, _ := listed(t, conn, f); !slices.Equal(got, want) {
			t.Fatalf("seed %d, filter %+v: got %d blocks, want %d", seed, f, len(got), len(want))
		}
		read := uint64(2) // what is always there, and the end
		for _, b := range all {
			if mayBeIn(b, f) {
				read++
			}
		}
		if came = conn.Received() - came; came != read {
			t.Fatalf("seed %d, filter %+v: %d messages came, want %d, for %d blocks of %d", seed, f, came, read, len(want), len(all))
		}
	}
}

// More records than fit into one answer are read whole while they are written anew, and others are added.
func TestManyBlocks(t *testing.T) {
	bustest.NoLeaks(t)
	conn := bustest.StartInProcess(t).Connect("web1")
	const many = 1050
	putMany(t, conn, many)
	_, revisions := listed(t, conn, schemas.BlockFilter{})
	changing, stop := context.WithCancel(t.Context())
	changed := make(chan error, 1)
	go func() {
		for i := 0; ; i++ {
			for _, b := range []*schemas.BlockRecord{block(i%many, "api", "web1", midday, midday), block(many+i, "db", "web1", midday, midday)} {
				revision, err := conn.PutBlock(changing, b, revisions[b.ID])
				if changing.Err() != nil {
					changed <- nil
					return
				}
				if err != nil {
					changed <- err
					return
				}
				revisions[b.ID] = revision
			}
		}
	}()
	for i, f := range []schemas.BlockFilter{{}, {Services: []string{"api", "db"}, Since: midday}, {}} {
		seen := map[schemas.BlockID]bool{}
		_, err := conn.Blocks(t.Context(), f, func(b *schemas.BlockRecord, _ uint64) {
			if seen[b.ID] {
				t.Errorf("block %s comes twice", b.ID)
			}
			seen[b.ID] = true
		})
		must(t, err)
		for n := range many {
			if id := block(n, "", "", 0, 0).ID; !seen[id] {
				t.Fatalf("reading %d: block %s is not there", i, id)
			}
		}
	}
	stop()
	must(t, <-changed)
}

// A record that cannot be read is said, not left out.
func TestDamagedBlockRecord(t *testing.T) {
	b := bustest.Start(t)
	conn := b.Connect("web1")
	put(t, conn, block(1, "api", "web1", midday, midday), 0)
	nc, _ := stranger(t, b)
	js, err := jetstream.New(nc)
	must(t, err)
	kv, err := js.KeyValue(t.Context(), bus.BlockBucket)
	must(t, err)
	_, err = kv.Put(t.Context(), "YXBp.-.-.-.-.-.-.web1.0", []byte("x"))
	must(t, err)
	if _, err := conn.Blocks(t.Context(), schemas.BlockFilter{}, func(*schemas.BlockRecord, uint64) {}); err == nil || !strings.Contains(err.Error(), "web1.0") {
		t.Errorf("a damaged record: %v", err)
	}
}

// Without JetStream there is no list, and none can be made.
func TestBlockListWantsJetStream(t *testing.T) {
	conn := bustest.StartInProcess(t, bustest.NoJetStream).Connect("web1")
	one := block(1, "api", "web1", midday, midday)
	_, read := conn.Blocks(t.Context(), schemas.BlockFilter{}, nil)
	_, wrote := conn.PutBlock(t.Context(), one, 0)
	for what, err := range map[string]error{"read": read, "written": wrote, "removed": conn.RemoveBlock(t.Context(), one, 1)} {
		if !errors.Is(err, bus.ErrNoBlockList) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// fakeList answers reads of the block list on a bus without JetStream, each with what answer sends.
func fakeList(t *testing.T, info string, answer func(n int, request string, send func(head nats.Header, b *schemas.BlockRecord))) *bus.Conn {
	t.Helper()
	b := bustest.Start(t, bustest.NoJetStream)
	nc, err := nats.Connect(b.URL())
	must(t, err)
	t.Cleanup(nc.Close)
	n := 0
	if answer != nil {
		_, err = nc.Subscribe("$JS.API.DIRECT.GET.KV_"+bus.BlockBucket, func(m *nats.Msg) {
			n++
			answer(n, string(m.Data), func(head nats.Header, r *schemas.BlockRecord) {
				var data []byte
				if r != nil {
					data = schemas.AppendBlockRecord(nil, r)
				}
				_ = nc.PublishMsg(&nats.Msg{Subject: m.Reply, Header: head, Data: data})
			})
		})
		must(t, err)
	}
	if info != "" {
		_, err = nc.Subscribe("$JS.API.STREAM.INFO.KV_"+bus.BlockBucket, func(m *nats.Msg) { _ = m.Respond([]byte(info)) })
		must(t, err)
	}
	must(t, nc.Flush())
	return b.Connect("alice")
}

// recordAt is the header of a record of service api and home web1 at noon.
func recordAt(n int, seq string) nats.Header {
	id := block(n, "", "", 0, 0).ID
	return nats.Header{"Nats-Sequence": {seq}, "Nats-Subject": {"$KV." + bus.BlockBucket + ".YXBp.2.0.0.0.0.12.web1." + id.String()}}
}

func theEnd(upTo string) nats.Header {
	return nats.Header{"Status": {"204"}, "Nats-Num-Pending": {"0"}, "Nats-UpTo-Sequence": {upTo}}
}

var brokenOff = nats.Header{"Status": {"404"}, "Description": {"Message Not Found"}}

// A server that cannot load a record says so after those before it: that is no shorter list.
func TestBlockListThatBreaksOff(t *testing.T) {
	one, two := block(1, "api", "web1", midday, midday), block(2, "api", "web1", midday, midday)
	for always, want := range map[bool]int{false: 2, true: 0} {
		conn := fakeList(t, "", func(n int, _ string, send func(nats.Header, *schemas.BlockRecord)) {
			send(recordAt(1, "1"), one)
			if n == 1 || always {
				send(brokenOff, nil)
				return
			}
			send(recordAt(2, "2"), two)
			send(theEnd("7"), nil)
		})
		got := 0
		revision, err := conn.Blocks(t.Context(), schemas.BlockFilter{}, func(*schemas.BlockRecord, uint64) { got++ })
		if got != want || always != (err != nil) || !always && revision != 7 || errors.Is(err, bus.ErrNoBlockList) {
			t.Errorf("breaks off always %v: %d blocks at %d, %v", always, got, revision, err)
		}
	}
}

// A server that lets others write while it reads leaves out what moves behind the end that it has noted.
func TestBlockListOfAServerThatDoesNotIsolate(t *testing.T) {
	for _, behind := range []bool{true, false} {
		conn := fakeList(t, "", func(n int, request string, send func(nats.Header, *schemas.BlockRecord)) {
			switch {
			case n == 1:
				send(recordAt(1, "1"), block(1, "api", "web1", midday, midday))
				send(theEnd("7"), nil)
			case !strings.Contains(request, `"seq":8`):
				t.Errorf("asks for %s", request)
			case !behind:
				send(brokenOff, nil)
			default:
				send(recordAt(1, "8"), block(1, "api", "web1", midday, midday))
				send(recordAt(2, "9"), block(2, "api", "web1", midday, midday))
				send(theEnd(""), nil)
			}
		})
		conn.Older("2.14.0")
		got, want := 0, 1
		if behind {
			want = 2
		}
		revision, err := conn.Blocks(t.Context(), schemas.BlockFilter{}, func(*schemas.BlockRecord, uint64) { got++ })
		if err != nil || got != want || revision != 7 {
			t.Errorf("%d blocks, want %d, at %d, %v", got, want, revision, err)
		}
	}
}

// Pieces may come from servers that are behind: what is said is true of the one that knows least.
func TestLowestRevisionOfPieces(t *testing.T) {
	conn := fakeList(t, `{"type":"io.nats.jetstream.api.v1.stream_info_response","config":{"name":"KV_trawl_blocks"},"state":{"last_seq":20}}`,
		func(n int, _ string, send func(nats.Header, *schemas.BlockRecord)) {
			if n == 1 {
				send(nats.Header{"Status": {"413"}}, nil)
				return
			}
			send(theEnd(map[bool]string{true: "11", false: "20"}[n == 3]), nil)
		})
	if revision, err := conn.Blocks(t.Context(), schemas.BlockFilter{Services: []string{"api", "db"}}, nil); err != nil || revision != 11 {
		t.Errorf("revision %d, %v", revision, err)
	}
}

// A server that is behind may have nothing of what is asked for, and does not say then up to where that is true: it is no
// revision by which a node could be left out, least of all the leader's.
func TestNoRecordsAreOfNoRevision(t *testing.T) {
	noResults := nats.Header{"Status": {"404"}, "Description": {"No Results"}}
	for name, answers := range map[string][]nats.Header{
		"nothing":            {noResults},
		"nothing in a piece": {{"Status": {"413"}}, theEnd("20"), theEnd("20"), noResults},
		"nothing at first":   {{"Status": {"413"}}, noResults, theEnd("20"), theEnd("20")},
	} {
		conn := fakeList(t, `{"type":"io.nats.jetstream.api.v1.stream_info_response","config":{"name":"KV_trawl_blocks"},"state":{"last_seq":20}}`,
			func(n int, request string, send func(nats.Header, *schemas.BlockRecord)) {
				if !strings.Contains(request, "._list") {
					t.Errorf("%s: it does not ask for what is always there: %s", name, request)
				}
				send(answers[min(n, len(answers))-1], nil)
			})
		if revision, err := conn.Blocks(t.Context(), schemas.BlockFilter{Services: []string{"api", "db"}}, nil); err != nil || revision != 1 {
			t.Errorf("%s: revision %d, %v", name, revision, err)
		}
	}
}

// A list that has no record says up to where that is true; one that was made without what is always there gets it with the next record.
func TestEmptyBlockListHasARevision(t *testing.T) {
	b := bustest.Start(t)
	conn := b.Connect("web1")
	at := put(t, conn, block(1, "api", "web1", midday, midday), 0)
	for range 2 {
		revision, err := conn.Blocks(t.Context(), schemas.BlockFilter{Services: []string{"none"}}, nil)
		if err != nil || revision != at {
			t.Errorf("nothing is listed at revision %d, %v, want %d", revision, err, at)
		}
		nc, _ := stranger(t, b)
		js, err := jetstream.New(nc)
		must(t, err)
		stream, err := js.Stream(t.Context(), "KV_"+bus.BlockBucket)
		must(t, err)
		must(t, stream.Purge(t.Context(), jetstream.WithPurgeSubject("$KV."+bus.BlockBucket+"._list")))
		if revision, err := conn.Blocks(t.Context(), schemas.BlockFilter{Services: []string{"none"}}, nil); err != nil || revision != 1 {
			t.Errorf("revision %d of an older list, %v", revision, err)
		}
		conn = b.Connect("web2")
		at = put(t, conn, block(int(at)+2, "api", "web1", midday, midday), 0)
	}
}

// There is no list if JetStream says so, not if nobody answers for it yet.
func TestNoBlockListIsKnown(t *testing.T) {
	for info, want := range map[string]error{
		`{"error":{"code":404,"err_code":10059,"description":"stream not found"}}`:                                             bus.ErrNoBlockList,
		`{"error":{"code":503,"err_code":10076,"description":"jetstream not enabled"}}`:                                        bus.ErrNoListKeeper,
		`{"type":"io.nats.jetstream.api.v1.stream_info_response","config":{"name":"KV_trawl_blocks"},"state":{"last_seq":20}}`: nil,
		"": bus.ErrNoListKeeper,
	} {
		conn := fakeList(t, info, nil)
		_, err := conn.Blocks(t.Context(), schemas.BlockFilter{}, nil)
		if err == nil || errors.Is(err, bus.ErrNoBlockList) != (want != nil) || errors.Is(err, bus.ErrNoListKeeper) != (want == bus.ErrNoListKeeper) {
			t.Errorf("%s: %v", info, err)
		}
		if _, err := conn.Draining(t.Context()); (err == nil) != (want != nil) {
			t.Errorf("%s: nodes that drain: %v", info, err)
		}
	}
}
