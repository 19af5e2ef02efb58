package block

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
)

// Index holds the blocks of one file. It keeps 168 bytes a block in memory, and reads of the rest
// what a query needs. It is safe for concurrent use: one Builder may append while others read.
type Index struct {
	file File
	f    *os.File

	mu     sync.RWMutex
	blocks []Block
	end    int64 // of the last record
	known  State // what the file was when Check last held, or when the last block was built

	points  []pointAt // of an archive
	content *Content  // of an archive, if all of it is in the index
}

// suffix of the names of indexes, and of those that are being made.
const (
	suffix    = ".blocks"
	suffixTmp = ".tmp"
)

// Name is the name, in the state directory, of the index of a file.
func Name(dev, ino uint64) string { return fmt.Sprintf("%x-%x%s", dev, ino, suffix) }

// step is where the tests end the process.
var step = func(name string) {}

// Create makes an empty index of f in dir, in place of any that there was. It appears whole or not at all.
func Create(dir string, f File) (_ *Index, err error) {
	if len(f.Service) > maxService {
		f.Service = f.Service[:maxService]
	}
	name := filepath.Join(dir, Name(f.Dev, f.Ino))
	out, err := os.OpenFile(name+suffixTmp, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, fmt.Errorf("create index: %w", err)
	}
	defer func() {
		if err != nil {
			out.Close()
			os.Remove(name + suffixTmp)
		}
	}()
	step("created")
	if _, err = out.Write(encodeHeader(&f)); err != nil {
		return nil, fmt.Errorf("write index: %w", err)
	}
	step("header written")
	if err = out.Sync(); err != nil {
		return nil, fmt.Errorf("sync index: %w", err)
	}
	step("header synced")
	if err = os.Rename(name+suffixTmp, name); err != nil {
		return nil, fmt.Errorf("publish index: %w", err)
	}
	step("renamed")
	if err = syncDir(dir); err != nil {
		return nil, err
	}
	step("published")
	return &Index{file: f, f: out, end: headerBytes}, nil
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("sync state directory: %w", err)
	}
	defer d.Close()
	if err := d.Sync(); err != nil && !errors.Is(err, syscall.EINVAL) { // some file systems cannot
		return fmt.Errorf("sync state directory: %w", err)
	}
	return nil
}

// Open opens the index of a file. It fails with fs.ErrNotExist if there is none, with ErrForeign or
// ErrDamaged if it is to be dropped. Records at its end that are not whole are left out: a crash left
// them.
func Open(dir string, dev, ino uint64) (*Index, error) {
	f, err := os.OpenFile(filepath.Join(dir, Name(dev, ino)), os.O_RDWR, 0)
	if err != nil {
		return nil, fmt.Errorf("open index: %w", err)
	}
	x, err := load(f)
	if err == nil && (x.file.Dev != dev || x.file.Ino != ino) {
		err = fmt.Errorf("%w: it is of file %x-%x", ErrForeign, x.file.Dev, x.file.Ino)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return x, nil
}

// load reads the header and the entries.
func load(f *os.File) (*Index, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("open index: %w", err)
	}
	head := make([]byte, headerBytes)
	if _, err := f.ReadAt(head, 0); err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("read index: %w", err)
	}
	x := &Index{f: f, end: headerBytes}
	if x.file, err = decodeHeader(head); err != nil {
		return nil, err
	}
	if x.file.Packed {
		return x, x.loadPacked(info.Size())
	}
	var p [entryBytes]byte
	var line, off int64
	for x.end+entryBytes <= info.Size() {
		if _, err := f.ReadAt(p[:], x.end); err != nil {
			return nil, fmt.Errorf("read index: %w", err)
		}
		b, ok := decodeEntry(p[:], x.end, false)
		if !ok || b.From != off || b.FirstLine != line || x.end+int64(b.recordBytes()) > info.Size() {
			break
		}
		x.blocks = append(x.blocks, b)
		x.end += int64(b.recordBytes())
		off, line = b.To, b.FirstLine+int64(b.Lines)
		x.known = State{Size: b.size, ModTime: b.mtime, Changed: b.changed}
	}
	x.blocks = slices.Clone(x.blocks) // without what a list that grew has to spare
	return x, nil
}

// Move puts the index of a file that was made in one directory in the place of the one in another, whole or
// not at all. Who has either open keeps what he has.
func Move(from, to string, dev, ino uint64) error {
	name := Name(dev, ino)
	if err := os.Rename(filepath.Join(from, name), filepath.Join(to, name)); err != nil {
		return fmt.Errorf("publish index: %w", err)
	}
	return syncDir(to)
}

// Remove drops the index of a file. It is no error if there is none.
func Remove(dir string, dev, ino uint64) error {
	if err := os.Remove(filepath.Join(dir, Name(dev, ino))); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove index: %w", err)
	}
	return nil
}

// Close closes the index.
func (x *Index) Close() error { return x.f.Close() }

// File is what the index is of.
func (x *Index) File() File { return x.file }

// Blocks lists the blocks in the order of the file, without gaps from its start on. The caller must not
// change the list.
func (x *Index) Blocks() []Block {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return slices.Clip(x.blocks)
}

// End returns the offset behind the last block, and how many lines stand before it.
func (x *Index) End() (offset, lines int64) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	if len(x.blocks) == 0 {
		return 0, 0
	}
	b := &x.blocks[len(x.blocks)-1]
	return b.To, b.FirstLine + int64(b.Lines)
}

// NUL tells whether any block holds a NUL: then the file is binary, and lines of it that are left out
// count for what a search says of it.
func (x *Index) NUL() bool {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return slices.ContainsFunc(x.blocks, func(b Block) bool { return b.NUL })
}

// Bytes is the size of the index.
func (x *Index) Bytes() int64 { return x.size() }

func (x *Index) size() int64 {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return x.end
}

// append adds a record. What a crash leaves of it is overwritten; readers see it when it is written.
func (x *Index) append(b Block, record []byte) error {
	at := x.size()
	b.at = at
	if err := x.write(record, entryBytes, at); err != nil {
		return fmt.Errorf("write index: %w", err)
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.blocks = append(x.blocks, b)
	x.end = at + int64(len(record))
	x.known = State{Size: b.size, ModTime: b.mtime, Changed: b.changed}
	return nil
}

// write writes a record, its first head bytes last, so that there is none of a record that is not written.
func (x *Index) write(record []byte, head int, at int64) error {
	if err := x.f.Truncate(at); err != nil { // what a crash left
		return err
	}
	step("truncated")
	half := head + (len(record)-head)/2
	for _, part := range [][2]int{{head, half}, {half, len(record)}, {0, head}} {
		if _, err := x.f.WriteAt(record[part[0]:part[1]], at+int64(part[0])); err != nil {
			return err
		}
		step("part written")
	}
	return nil
}

// Sync makes the records durable. Nothing relies on it: a record that a crash damaged is noticed.
func (x *Index) Sync() error {
	if err := x.f.Sync(); err != nil {
		return fmt.Errorf("sync index: %w", err)
	}
	step("synced")
	return nil
}
