package responder

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/trawl-logs/trawl/responder/seal"
	"github.com/trawl-logs/trawl/schemas"
)

// A node that has lost its sealed blocks, and not its logs, would seal their lines once more, beside the copies that
// other nodes have. So one whose store is empty, or lacks a block, seals nothing until it has asked the block
// list which blocks are its own, and has those again: where they end, its logs go on.

// unsure says whether the node may have sealed more than it knows of.
func (x *sealing) unsure() bool {
	damaged := slices.ContainsFunc(x.store.Damaged(), func(d seal.Damage) bool { return errors.Is(d.Err, seal.ErrDamaged) })
	return damaged || len(x.store.Blocks()) == 0
}

// await waits until the node is sure of its blocks.
func (x *sealing) await(ctx context.Context) {
	select {
	case <-x.sure:
	case <-ctx.Done():
	}
}

// restored says that the node is sure of its blocks.
func (x *sealing) restored() {
	x.mu.Lock()
	defer x.mu.Unlock()
	select {
	case <-x.sure:
	default:
		close(x.sure)
	}
}

// lacking is why the node seals nothing yet; nil: it does.
func (x *sealing) lacking() error {
	select {
	case <-x.sure:
		return nil
	default:
		return errUnsure
	}
}

var errUnsure = errors.New("this node may have lost sealed blocks, and has not found out yet from the block list")

// restore has the node hold, at least as stubs, all blocks that the list says it sealed. Where other nodes have none of
// them, there is nothing to be had; where these are down, it fails.
func (m *moving) restore(ctx context.Context) error {
	store := m.disk.own()
	if store == nil {
		return nil
	}
	self := m.r.config.Node
	var lost []*schemas.BlockRecord
	_, err := m.fleet.Blocks(ctx, schemas.BlockFilter{Homes: []string{self}}, func(b *schemas.BlockRecord, _ uint64) {
		if _, err := store.Block(seal.ID(b.ID)); err != nil && b.Home == self && b.State == schemas.BlockKept {
			lost = append(lost, b)
		}
	})
	if errors.Is(err, ErrNoList) && !errors.Is(err, ErrNoListNow) || err == nil && len(lost) == 0 {
		return nil
	}
	if err != nil {
		return fmt.Errorf("this node's sealed blocks: %w", err)
	}
	roster, err := m.fleet.Nodes(ctx)
	if err != nil {
		return fmt.Errorf("this node's sealed blocks: %w", err)
	}
	waits := 0
	for _, b := range lost {
		b.Owners = slices.DeleteFunc(b.Owners, func(o string) bool {
			return o == self || !slices.ContainsFunc(roster, func(n schemas.Node) bool { return n.Name == o })
		})
		if len(b.Owners) > 0 && !m.takeBack(ctx, b) {
			waits++
		}
	}
	if waits > 0 {
		return fmt.Errorf("%d sealed blocks, which this node has lost, cannot be had from the nodes that have them", waits)
	}
	return ctx.Err()
}

// tryRestore is restore, after which lines may be sealed. What is in the way is logged when it is something else than
// before.
func (m *moving) tryRestore(ctx context.Context, before *string) bool {
	err := guarded(m.r.log, "what restores sealed blocks", func() error { return m.restore(ctx) })
	if err != nil {
		if why := err.Error(); why != *before && ctx.Err() == nil {
			*before = why
			m.r.log.Warn("sealed blocks of this node are not known", "err", why)
		}
		return false
	}
	if m.r.sealing != nil {
		m.r.sealing.restored()
	}
	return true
}

// takeBack copies a block from any node that has it.
func (m *moving) takeBack(ctx context.Context, b *schemas.BlockRecord) bool {
	up, err := m.fleet.Up(ctx, b.Owners)
	for _, o := range b.Owners {
		if err != nil || !up[o] {
			continue
		}
		if e := m.disk.Fetch(ctx, b, o); e != nil {
			m.r.log.Warn("a lost sealed block is not had again", "block", b.ID, "from", o, "err", e)
			continue
		}
		if e := m.disk.Drop(b.Home, b.ID); e != nil { // but a stub: where it belongs, the mover knows
			m.r.log.Warn("a sealed block is kept beside its owners", "block", b.ID, "err", e)
		}
		return true
	}
	return false
}
