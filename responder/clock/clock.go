// Package clock gives a search its clocks: it finds out, file by file, in which form the lines have
// their times, and remembers it, so that the next search need not.
//
// A Cache belongs to a node. Its Attach prepares one search: it wraps the inputs, so that a file's form
// is found when it is opened, and sets the search's NewClock. A file that cannot hold a line of the
// time range is not opened; one whose times cannot be read is an error of that file, since neither all
// of its lines nor none would be right.
package clock

import (
	"bytes"
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/trawl-logs/trawl/responder/scan"
	"github.com/trawl-logs/trawl/responder/timestamp"
)

// ErrNoTimes is the error of a file that is searched by time and has none that can be read.
var ErrNoTimes = errors.New("no timestamps found: not searched by time")

const (
	// sampleBytes is how much of a file's head, and of its tail, its form is found from.
	sampleBytes = 64 << 10
	// printBytes is how much of a file's head tells whether it is still the same file.
	printBytes = 4 << 10
	// margin is how far the times in a file may be ahead of its modification time: zones are mistaken
	// by up to 14 hours, clocks differ.
	margin = 24 * time.Hour
	// cacheFiles is how many files a Cache remembers, at 400 bytes each.
	cacheFiles = 16 << 10
)

// oldest is the first modification time that is believed: what is packed reproducibly has one of the
// first days of 1970 or 1980.
var oldest = time.Date(1980, 1, 3, 0, 0, 0, 0, time.UTC)

// ID is what a file is known by whatever its name: device and inode.
type ID struct{ Dev, Ino uint64 }

// File is what is known of an input beside its content.
type File struct {
	ID      ID // zero: nothing is remembered of it
	ModTime time.Time
	Zone    *time.Location // of times that name none; nil: the node's
	Form    string         // as timestamp.Options has it; empty: to be found out
}

// Cache remembers the forms of files. It is safe for concurrent use.
type Cache struct {
	seed  maphash.Seed
	mu    sync.Mutex
	known map[ID]*known
}

// known is what was found of a file in one state of it.
type known struct {
	form    *timestamp.Form // nil: none
	size    int64           // 0: of a compressed file
	modTime time.Time
	printed int    // bytes of the head that print is of
	print   uint64 // of the first bytes
}

// NewCache returns an empty Cache.
func NewCache() *Cache { return &Cache{seed: maphash.MakeSeed(), known: map[ID]*known{}} }

// search is one search with clocks.
type search struct {
	cache      *Cache
	of         func(i int) File
	since      time.Time // zero: open
	timed      bool      // a time decides whether a line is selected
	terminator byte
	forms      []atomic.Pointer[timestamp.Form]
}

// Attach prepares a search whose options ask for times or a range of them; of others nothing is
// changed. of is called once for each input, when it is opened, from any goroutine.
func (c *Cache) Attach(inputs []scan.Input, of func(i int) File, o *scan.Options) {
	s := &search{cache: c, of: of, timed: o.Since != 0 || o.Until != 0, terminator: o.Terminator}
	if !s.timed && !(o.Times && o.Mode == scan.Lines) {
		return
	}
	if o.Since != 0 {
		s.since = time.Unix(0, o.Since)
	}
	s.forms = make([]atomic.Pointer[timestamp.Form], len(inputs))
	for i := range inputs {
		open := inputs[i].Open
		inputs[i].Open = func() (scan.File, error) { return s.open(i, open) }
	}
	o.NewClock = func(i int) scan.Clock {
		if form := s.forms[i].Load(); form != nil {
			return form.NewReader()
		}
		return nil
	}
}

// open opens an input and finds its form. A panic is that input's error.
func (s *search) open(i int, open func() (scan.File, error)) (f scan.File, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = &scan.PanicError{Value: p, Stack: debug.Stack()}
		}
		if err != nil && f.Closer != nil {
			_ = f.Closer.Close() // opened for reading: nothing is lost
			f = scan.File{}
		}
	}()
	about := s.of(i)
	if s.isOver(about.ModTime) {
		return scan.File{At: bytes.NewReader(nil)}, nil
	}
	if f, err = open(); err != nil {
		return f, err
	}
	form, empty, err := s.form(&f, &about)
	if err == nil && form == nil && s.timed && !empty {
		err = ErrNoTimes
	}
	if err == nil {
		s.forms[i].Store(form)
	}
	return f, err
}

// isOver says whether a file was written last so long before the range that no line can be in it.
func (s *search) isOver(modTime time.Time) bool {
	return !s.since.IsZero() && modTime.After(oldest) && modTime.Add(margin).Before(s.since)
}

// form finds the form of an open input, nil if it has none. What is read of a stream is put back.
func (s *search) form(f *scan.File, about *File) (form *timestamp.Form, empty bool, err error) {
	if f.At != nil {
		if f.Size == 0 {
			return nil, true, nil
		}
		form, err = s.cache.find(f.At, f.Size, about, s.terminator)
		return form, false, err
	}
	form, n := s.peek(f, about)
	return form, n == 0, nil
}

// peek finds the form of a stream from what comes first, and puts that back. It waits for more only of
// a file, which is compressed, or where without a time nothing can be given: of a live stream, lines
// are wanted as they come.
func (s *search) peek(f *scan.File, about *File) (form *timestamp.Form, n int) {
	head := make([]byte, sampleBytes)
	isFile := about.ID != ID{}
	var err error
	for tried := 0; form == nil && n < len(head) && err == nil; {
		var k int
		k, err = f.Stream.Read(head[n:])
		n += k
		if more := err == nil && n < len(head); more && (isFile || n < 2*tried) {
			continue
		}
		tried = n
		if form = s.formOf(head[:n], errors.Is(err, io.EOF), about); !s.timed {
			break
		}
	}
	rest := f.Stream
	if err != nil { // it is met again where it belongs, after the lines before it
		rest = failing{err}
	}
	f.Stream = io.MultiReader(bytes.NewReader(head[:n]), rest)
	return form, n
}

// formOf finds the form of a stream from its head, or remembers it: that of a compressed file with the
// same head that was not written since.
func (s *search) formOf(head []byte, whole bool, about *File) *timestamp.Form {
	printed := head[:min(len(head), printBytes)]
	k := s.cache.get(about.ID)
	if k != nil && k.size == 0 && k.modTime.Equal(about.ModTime) && k.printed == len(printed) && s.cache.print(printed) == k.print {
		return k.form
	}
	p := sample{text: lines(head, s.terminator)}
	if whole {
		p.tail = p.text
	} else {
		p.text = cutEnd(p.text)
	}
	form := p.detect(about)
	s.cache.keep(about.ID, &known{form, 0, about.ModTime, len(printed), s.cache.print(printed)})
	return form
}

// failing is the rest of a stream that ended or failed.
type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

// find finds the form of a file, or remembers it: the same head, not shorter, and less than twice as
// long. Times without a year are bound anew to a file that was written since.
func (c *Cache) find(at io.ReaderAt, size int64, about *File, terminator byte) (*timestamp.Form, error) {
	head := make([]byte, min(size, printBytes))
	if err := readAt(at, head, 0); err != nil {
		return nil, err
	}
	k := c.get(about.ID)
	same := k != nil && size >= k.size && size < 2*k.size && c.print(head[:k.printed]) == k.print
	unchanged := same && k.size == size && k.modTime.Equal(about.ModTime)
	if unchanged || same && k.form != nil && !k.form.Stateful() {
		return k.form, nil
	}
	p, err := read(at, size, terminator)
	if err != nil {
		return nil, err
	}
	if same && k.form != nil {
		return k.form.Bind(p.text, p.tail, about.ModTime), nil
	}
	form := p.detect(about)
	c.keep(about.ID, &known{form, size, about.ModTime, len(head), c.print(head)})
	return form, nil
}

func (c *Cache) print(head []byte) uint64 { return maphash.Bytes(c.seed, head) }

// get returns what is known of a file, nil if it is nothing.
func (c *Cache) get(id ID) *known {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.known[id]
}

// keep remembers a file, if it has an ID, and forgets any other if there are too many.
func (c *Cache) keep(id ID, k *known) {
	if id == (ID{}) {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, has := c.known[id]; !has && len(c.known) >= cacheFiles {
		for other := range c.known {
			delete(c.known, other)
			break
		}
	}
	c.known[id] = k
}

// sample is the first and the last lines of a file.
type sample struct{ text, tail []byte }

func read(at io.ReaderAt, size int64, terminator byte) (p sample, err error) {
	p.text = make([]byte, min(size, sampleBytes))
	if err := readAt(at, p.text, 0); err != nil {
		return p, err
	}
	p.text = lines(p.text, terminator)
	if size <= sampleBytes {
		p.tail = p.text
		return p, nil
	}
	p.text = cutEnd(p.text)
	p.tail = make([]byte, min(size-sampleBytes, sampleBytes))
	if err := readAt(at, p.tail, size-int64(len(p.tail))); err != nil {
		return p, err
	}
	p.tail = lines(p.tail, terminator)
	if i := bytes.IndexByte(p.tail, '\n'); i >= 0 {
		p.tail = p.tail[i+1:]
	}
	return p, nil
}

// detect finds the form: that of the head, or if its lines have no times, of the tail.
func (p *sample) detect(about *File) *timestamp.Form {
	o := timestamp.Options{Zone: about.Zone, ModTime: about.ModTime, Tail: p.tail, Form: about.Form}
	form, ok := timestamp.Detect(p.text, o)
	if !ok && len(p.tail) > 0 {
		form, ok = timestamp.Detect(p.tail, o)
	}
	if !ok {
		return nil
	}
	return form
}

func readAt(at io.ReaderAt, p []byte, off int64) error {
	n, err := at.ReadAt(p, off)
	switch {
	case n == len(p):
		return nil
	case err == nil || errors.Is(err, io.EOF):
		return fmt.Errorf("%w: it ends at %d", scan.ErrShrank, off+int64(n))
	}
	return err
}

// lines has each line of a sample end as the detector knows it.
func lines(text []byte, terminator byte) []byte {
	if terminator == 0 {
		return bytes.ReplaceAll(text, []byte{0}, []byte{'\n'})
	}
	return text
}

// cutEnd cuts a line off that is not there in full, if it is not the only one.
func cutEnd(text []byte) []byte {
	if i := bytes.LastIndexByte(text, '\n'); i >= 0 {
		return text[:i+1]
	}
	return text
}
