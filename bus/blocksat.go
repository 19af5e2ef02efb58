package bus

import (
	"context"
	"fmt"
	"time"
)

// BlocksAt returns the revision of the block list, without reading it, and what time it is by the clock of the server that keeps it.
// ErrNoBlockList: there is no list.
func (c *Conn) BlocksAt(ctx context.Context) (revision uint64, now time.Time, err error) {
	ctx, stop := c.untilRefusedAbout(ctx, BlockBucket)
	defer stop(nil)
	silence := time.AfterFunc(listSilence, func() { stop(fmt.Errorf("JetStream does not answer within %v", listSilence)) })
	defer silence.Stop()
	if revision, now, err = c.blocksAt(ctx); err != nil {
		return 0, time.Time{}, fmt.Errorf("block list: %w", err)
	}
	return revision, now, nil
}

func (c *Conn) blocksAt(ctx context.Context) (revision uint64, now time.Time, err error) {
	js, err := c.jetStream()
	if err != nil {
		return 0, time.Time{}, err
	}
	s, err := js.Stream(ctx, blockStream)
	if err != nil {
		return 0, time.Time{}, noBlockList(causeOf(ctx, err))
	}
	info := s.CachedInfo()
	return info.State.LastSeq, info.TimeStamp, nil
}
