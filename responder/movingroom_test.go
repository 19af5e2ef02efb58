package responder

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/trawl-logs/trawl/responder/mover"
	"github.com/trawl-logs/trawl/responder/seal"
	"github.com/trawl-logs/trawl/schemas"
)

// fullFleet is a Fleet of blocks for which there is no room before all of one has come.
type fullFleet struct {
	Fleet
	err error
}

func (f *fullFleet) Copy(_ context.Context, _, _ string, _ schemas.BlockID, _ int64, w io.Writer) error {
	if _, err := w.Write([]byte("its first bytes")); err != nil {
		return err
	}
	return &os.PathError{Op: "write", Path: "it", Err: f.err}
}

// diskOf is a node's disk for blocks of other nodes, below a directory of that name.
func diskOf(t *testing.T, name string, f Fleet) *movingDisk {
	t.Helper()
	state := filepath.Join(t.TempDir(), name)
	node, _ := newFleet(t, func(c *Config) { c.State, c.Index.Level = state, indexOff }, nil)
	t.Cleanup(func() { node.stop(); node.r.foreign.close() })
	if _, _, err := node.r.Scan(t.Context()); err != nil {
		t.Fatal(err)
	}
	return newMovingDisk(node.r, f)
}

// Of a copy that there is no room for, nothing is left that takes any: whatever says that there is none.
func TestNoRoomLeavesNothing(t *testing.T) {
	for _, full := range []error{syscall.ENOSPC, syscall.EDQUOT} {
		d := diskOf(t, "state", &fullFleet{err: full})
		b := &schemas.BlockRecord{ID: schemas.BlockID{1}, Home: "web9", Stored: 1 << 10}
		if err := d.Fetch(t.Context(), b, "web8"); !errors.Is(err, mover.ErrNoRoom) {
			t.Fatal(err)
		}
		if parts, err := d.r.foreign.of("web9").Partials(); len(parts) > 0 || err != nil {
			t.Errorf("%v: %d copies are left; %v", full, len(parts), err)
		}
	}
}

// What was listed of blocks that are not here goes, wherever the state directory is.
func TestRecordsOfBlocksThatAreGone(t *testing.T) {
	for _, name := range []string{"state", "state[1]", "state["} {
		d := diskOf(t, name, nil)
		s, err := d.r.foreign.make("web9")
		if err != nil {
			t.Fatal(err)
		}
		record := sidecar(s, schemas.BlockID(seal.ID{1}))
		write(t, record, "a record")
		d.abandon()
		if _, err := os.Stat(record); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s: the record is there: %v", name, err)
		}
	}
}
