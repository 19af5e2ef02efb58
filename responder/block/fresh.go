package block

import (
	"errors"
	"fmt"
	"io"

	"github.com/cespare/xxhash/v2"
)

// headBytes is how much of a file's start tells which file it is.
const headBytes = 4 << 10

// samples is how many blocks' ends are looked at where a file has changed.
const samples = 6

// File is what an index is of: a file, whatever its name.
type File struct {
	Dev, Ino  uint64
	HeadBytes int    // of the start, which Head is of
	Head      uint64 // xxHash64
	Service   string // that its lines are of; at most 192 bytes are kept
	Form      uint64 // of the times, as the caller numbers it: with another one, those of the blocks mean nothing
	Packed    bool   // it is an archive, and the blocks are of its content
}

// Fingerprint sets HeadBytes and Head from the first bytes of r, a file of that size.
func (f *File) Fingerprint(r io.ReaderAt, size int64) error {
	f.HeadBytes = int(min(size, headBytes))
	var err error
	f.Head, err = sumAt(r, 0, f.HeadBytes)
	return err
}

// sumAt is the xxHash64 of n bytes at off.
func sumAt(r io.ReaderAt, off int64, n int) (uint64, error) {
	p := make([]byte, n)
	if got, err := r.ReadAt(p, off); got < n {
		return 0, fmt.Errorf("read indexed file: %w", err)
	}
	return xxhash.Sum64(p), nil
}

// State is what stat says of a file: its size, and when it was modified and changed, in nanoseconds.
type State struct {
	Size             int64
	ModTime, Changed int64
}

// Verdict says whether an index still speaks of its file.
type Verdict uint8

const (
	// Fresh: what the blocks say holds.
	Fresh Verdict = iota
	// Unsure: the file was modified and did not grow. It may have been rewritten in place, or a line is
	// just being appended. This answer must not rely on the index; Verify, and then Trust, tell.
	Unsure
	// Stale: the file was truncated or rewritten, or is another one. The index is to be dropped.
	Stale
)

func (v Verdict) String() string { return [...]string{"fresh", "unsure", "stale"}[v] }

// Check holds the index against its file, r, whose state s must have been taken after it was opened. If
// nothing changed since it last did, it reads nothing. If the file grew, or was only renamed, it compares
// the start of the file and the ends of some blocks, the last among them: a file that was truncated and
// has grown again has others. What was rewritten in place between these, and then appended to before
// Check looked, is not noticed here; Verify does.
//
// An archive is another one if its size or its time of modification changed; what is only renamed is
// compared in some places.
func (x *Index) Check(r io.ReaderAt, s State) (Verdict, error) {
	if x.file.Packed {
		return x.checkPacked(r, s)
	}
	x.mu.RLock()
	known, blocks := x.known, x.blocks
	x.mu.RUnlock()
	if len(blocks) == 0 {
		return Fresh, nil
	}
	last := &blocks[len(blocks)-1]
	switch {
	case s.Size < last.To || s.Size < known.Size:
		return Stale, nil
	case s == known:
		return Fresh, nil
	case s.Size == known.Size && s.ModTime != known.ModTime:
		return Unsure, nil
	}
	same, err := x.sample(r, blocks)
	switch {
	case errors.Is(err, io.EOF):
		return Stale, nil
	case err != nil:
		return Unsure, err
	case !same:
		return Stale, nil
	}
	x.Trust(s)
	return Fresh, nil
}

// sample compares the start of the file and the ends of some blocks.
func (x *Index) sample(r io.ReaderAt, blocks []Block) (bool, error) {
	head, err := sumAt(r, 0, x.file.HeadBytes)
	if err != nil || head != x.file.Head {
		return false, err
	}
	looks := min(samples, len(blocks))
	for i := range looks {
		b := &blocks[len(blocks)-1-i*len(blocks)/looks]
		n := min(b.To-b.From, tailBytes)
		sum, err := sumAt(r, b.To-n, int(n))
		if err != nil || sum != b.tail {
			return false, err
		}
	}
	return true, nil
}

// Trust says that what the blocks hold was verified when the file was in the state s.
func (x *Index) Trust(s State) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.known = s
}
