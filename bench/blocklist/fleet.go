package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/trawl-logs/trawl/bus"
	"github.com/trawl-logs/trawl/schemas"
)

const (
	nodes    = 50
	services = 20
	hourly   = 5 // blocks of a service
	hour     = int64(3600e9)
	start    = 20000 * 24 * hour // a day begins
	writers  = 32                // at once, as the nodes of a fleet
)

// blockOf is the i-th block that the fleet sealed, as it is listed with so many owners. One of a hundred goes over the end of its
// hour, one of ten thousand has no times.
func blockOf(i, owners int) *schemas.BlockRecord {
	from := start + int64(i/(services*hourly))*hour
	home := i / services % nodes
	b := &schemas.BlockRecord{
		Home: nodeName(home), Service: serviceName(i % services), Labels: []schemas.Label{{K: "env", V: "prod"}}, Window: from, Span: hour, Number: int64(i / services % hourly),
		Timed: i%10_000 != 9_999, MinTime: from + int64(i%7)*hour/14, MaxTime: from + hour - 1 - int64(i%5)*hour/20,
		Lines: 32768, Bytes: 4<<20 + int64(i), Stored: 800<<10 + int64(i), Checksum: uint64(i) * 0x9e3779b97f4a7c15, Since: from + hour,
	}
	if i%100 == 50 {
		b.MaxTime += hour
	}
	if !b.Timed {
		b.MinTime, b.MaxTime = 0, 0
	}
	binary.BigEndian.PutUint64(b.ID[:], uint64(i+1)*0xbf58476d1ce4e5b9) // random enough, and each another
	binary.BigEndian.PutUint64(b.ID[8:], uint64(i))
	for o := range owners {
		b.Owners = append(b.Owners, nodeName((home+7*o)%nodes))
	}
	return b
}

func nodeName(i int) string    { return fmt.Sprintf("web%02d", i) }
func serviceName(i int) string { return fmt.Sprintf("service-%02d", i) }

// written is what writing took.
type written struct {
	took, slowest time.Duration // of all, and of one record
	again         int           // records that had to be written again: the bus did not answer in time
}

// write lists the blocks from one to another, each with one owner and then with two.
func write(ctx context.Context, conn *bus.Conn, from, to int) (w written, err error) {
	begin := time.Now()
	next := atomic.Int64{}
	next.Store(int64(from))
	var mu sync.Mutex
	var running sync.WaitGroup
	for range writers {
		running.Go(func() {
			for i := int(next.Add(1) - 1); i < to && ctx.Err() == nil; i = int(next.Add(1) - 1) {
				start := time.Now()
				again, failed := writeOne(ctx, conn, i)
				mu.Lock()
				w.slowest, w.again, err = max(w.slowest, time.Since(start)), w.again+again, errors.Join(err, failed)
				mu.Unlock()
				if failed != nil {
					return
				}
			}
		})
	}
	running.Wait()
	w.took = time.Since(begin)
	return w, errors.Join(err, ctx.Err())
}

// writeOne lists a block, as a node does: what fails is read again, and decided again.
func writeOne(ctx context.Context, conn *bus.Conn, i int) (again int, err error) {
	one, two := blockOf(i, 1), blockOf(i, 2)
	var revision uint64
	if revision, err = conn.PutBlock(ctx, one, 0); err == nil {
		_, err = conn.PutBlock(ctx, two, revision)
	}
	for ; err != nil && again < 30; again++ {
		f := schemas.BlockFilter{Services: []string{one.Service}, Homes: []string{one.Home}, Since: one.MinTime, Until: one.MaxTime + 1}
		revision, owners := uint64(0), 0
		if _, err = conn.Blocks(ctx, f, func(b *schemas.BlockRecord, at uint64) {
			if b.ID == one.ID {
				revision, owners = at, len(b.Owners)
			}
		}); err != nil || owners == 2 {
			continue
		}
		_, err = conn.PutBlock(ctx, two, revision)
	}
	return again, err
}

// query is what somebody wants of the list.
type query struct {
	name   string
	filter schemas.BlockFilter
}

// queriesOf are the same for each size, but for the last ones: about the newest hours that are listed.
func queriesOf(listed int) []query {
	last := start + int64((listed-1)/(services*hourly))*hour
	end := last + hour
	one := []string{serviceName(3)}
	return []query{
		{"one service, an hour", schemas.BlockFilter{Services: one, Since: last, Until: end}},
		{"one service, the last hour (open)", schemas.BlockFilter{Services: one, Since: last}},
		{"one service, a day", schemas.BlockFilter{Services: one, Since: end - 24*hour, Until: end}},
		{"one service, 30 days", schemas.BlockFilter{Services: one, Since: end - 30*24*hour, Until: end}},
		{"one service, all", schemas.BlockFilter{Services: one}},
		{"all services, an hour", schemas.BlockFilter{Since: last, Until: end}},
		{"all services, a day", schemas.BlockFilter{Since: end - 24*hour, Until: end}},
		{"one home, all", schemas.BlockFilter{Homes: []string{nodeName(4)}}},
		{"all", schemas.BlockFilter{}},
	}
}
