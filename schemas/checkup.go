package schemas

// Limits of a Checkup; beyond them a node tells the number of what it leaves out.
const (
	MaxSources      = 64   // sources, and places that could not be read
	MaxSourceFiles  = 8    // files of one source
	maxCheckupName  = 1024 // bytes of a path, a glob or a list of globs
	maxCheckupText  = 192  // of an error, a form, a sample: so that all of it stays below MaxFrame
	maxCheckupSmall = 255
)

// FileOrder says whether the times in a file are in order, as far as samples show.
type FileOrder uint8

const (
	OrderUnknown FileOrder = iota // too little was read to tell
	OrderSorted
	OrderUnsorted
)

// CheckupRequest asks a node how it does: for the time alone, or with Sources for what it can read, or
// with Blocks for its index.
type CheckupRequest struct {
	Sources bool
	Blocks  BlocksRequest
}

// Checkup is what a node says of itself: its clock, as whom it reads, and what it found of its sources.
type Checkup struct {
	Name     string
	Received int64  // Unix nanoseconds by the node's clock, when the request came
	Sent     int64  // and when this went
	User     string // of the operating system
	Zone     string // of times that name none: a name, and its offset now
	Sources  []SourceCheckup
	Problems []FileError // places that could not be read, or must not be
	Index    *IndexCheckup
	Sealed   *SealedCheckup
	Store    string // why lines are not sealed, or blocks not moved, at the moment; empty: they are
}

// SourceCheckup is one source of a node.
type SourceCheckup struct {
	Service    string // empty: derived from each file
	Logs       string // the globs, or the journal's part
	Files      int64  // registered
	Bytes      int64
	Unreadable int64 // files that could not be opened, of those that were tried
	Timeless   int64 // and that were read, and in which no times were found
	Unsorted   int64
	Opened     int64         // that were tried
	Details    []FileCheckup // what is wrong first, then the newest
}

// FileCheckup is one file of a source.
type FileCheckup struct {
	Path    string
	Size    int64
	ModTime int64  // Unix nanoseconds; 0: not known
	Err     string // why it cannot be read
	Form    string // of its times; empty: none was found
	Sample  string // of a time, as the file has it
	First   int64  // time, Unix nanoseconds; NoTime: not known
	Last    int64
	Order   FileOrder
}

// A checkup request on the wire:
//
//	[ version, sources, blocks ]
//
// and a checkup:
//
//	[ version, name, received, sent, user, zone, [source…], [[path, error]…], index, sealed, store ]
//
// of which blocks, index (indexcheckup.go), sealed and store may be missing; with source
//
//	[ service, logs, files, bytes, unreadable, timeless, unsorted, opened, [file…] ]
//
// and file
//
//	[ path, size, mod_time, error, form, sample, first, last, order ]
const (
	checkupFields       = 7
	sourceCheckupFields = 9
	fileCheckupFields   = 9
)

// AppendCheckupRequest appends the encoded request to dst.
func AppendCheckupRequest(dst []byte, q *CheckupRequest) []byte {
	w := appending(dst)
	w.open(2)
	w.bool(q.Sources)
	w.uint(uint64(q.Blocks))
	return w.done()
}

// DecodeCheckupRequest decodes a request.
func DecodeCheckupRequest(msg []byte) (*CheckupRequest, error) {
	if len(msg) > MaxSmall {
		return nil, fieldErrorf("checkup_request", "has %d bytes, more than %d", len(msg), MaxSmall)
	}
	r := &reader{msg: msg}
	extra := r.open("checkup_request", 1)
	q := &CheckupRequest{Sources: r.bool("checkup_request.sources")}
	if extra > 0 {
		q.Blocks = BlocksRequest(r.enum("checkup_request.blocks"))
		extra--
	}
	if err := r.close("checkup_request", extra); err != nil {
		return nil, err
	}
	return q, nil
}

// AppendCheckup appends the encoded checkup to dst. What is beyond the limits is cut.
func AppendCheckup(dst []byte, c *Checkup) []byte {
	w := appending(dst)
	w.open(checkupFields + 3)
	w.string(c.Name)
	w.int(c.Received)
	w.int(c.Sent)
	w.string(cut(c.User, maxCheckupSmall))
	w.string(cut(c.Zone, maxCheckupSmall))
	sources := c.Sources[:min(len(c.Sources), MaxSources)]
	w.array(len(sources))
	for i := range sources {
		w.sourceCheckup(&sources[i])
	}
	problems := c.Problems[:min(len(c.Problems), MaxSources)]
	w.array(len(problems))
	for _, p := range problems {
		w.array(2)
		w.string(cut(p.File, maxCheckupName))
		w.string(cut(p.Err, maxCheckupText))
	}
	w.indexCheckup(c.Index)
	w.sealedCheckup(c.Sealed)
	w.string(cut(c.Store, maxCheckupText))
	return w.done()
}

func (w *writer) sourceCheckup(s *SourceCheckup) {
	w.array(sourceCheckupFields)
	w.string(cut(s.Service, maxCheckupSmall))
	w.string(cut(s.Logs, maxCheckupName))
	for _, n := range []int64{s.Files, s.Bytes, s.Unreadable, s.Timeless, s.Unsorted, s.Opened} {
		w.int(n)
	}
	details := s.Details[:min(len(s.Details), MaxSourceFiles)]
	w.array(len(details))
	for _, f := range details {
		w.array(fileCheckupFields)
		w.string(cutFront(f.Path, maxCheckupName))
		w.int(f.Size)
		w.int(f.ModTime)
		for _, text := range []string{f.Err, f.Form, f.Sample} {
			w.string(cut(text, maxCheckupText))
		}
		w.int(f.First)
		w.int(f.Last)
		w.uint(uint64(f.Order))
	}
}

// DecodeCheckup decodes a checkup. It keeps nothing of msg.
func DecodeCheckup(msg []byte) (*Checkup, error) {
	if len(msg) > MaxFrame {
		return nil, fieldErrorf("checkup", "has %d bytes, more than %d", len(msg), MaxFrame)
	}
	r := &reader{msg: msg}
	extra := r.open("checkup", checkupFields)
	c := &Checkup{
		Name: r.string("checkup.name", MaxToken), Received: r.int("checkup.received"), Sent: r.int("checkup.sent"),
		User: r.string("checkup.user", maxCheckupSmall), Zone: r.string("checkup.zone", maxCheckupSmall),
	}
	for range r.array("checkup.sources", MaxSources) {
		c.Sources = append(c.Sources, r.sourceCheckup())
	}
	for range r.array("checkup.problems", MaxSources) {
		more := r.record("checkup.problems", 2)
		c.Problems = append(c.Problems, FileError{r.string("checkup.problems", maxCheckupName), r.string("checkup.problems", maxCheckupText)})
		r.skip("checkup.problems", more)
	}
	if extra > 0 {
		c.Index = r.indexCheckup()
		extra--
	}
	if extra > 0 {
		c.Sealed = r.sealedCheckup()
		extra--
	}
	if extra > 0 {
		c.Store = r.string("checkup.store", maxCheckupText)
		extra--
	}
	if err := r.close("checkup", extra); err != nil {
		return nil, err
	}
	return c, CheckToken("checkup.name", c.Name)
}

func (r *reader) sourceCheckup() (s SourceCheckup) {
	const field = "checkup.sources"
	extra := r.record(field, sourceCheckupFields)
	s.Service, s.Logs = r.string(field, maxCheckupSmall), r.string(field, maxCheckupName)
	for _, n := range []*int64{&s.Files, &s.Bytes, &s.Unreadable, &s.Timeless, &s.Unsorted, &s.Opened} {
		*n = r.count(field)
	}
	for range r.array(field, MaxSourceFiles) {
		more := r.record(field, fileCheckupFields)
		f := FileCheckup{Path: r.string(field, maxCheckupName), Size: r.count(field), ModTime: r.int(field)}
		for _, text := range []*string{&f.Err, &f.Form, &f.Sample} {
			*text = r.string(field, maxCheckupText)
		}
		f.First, f.Last, f.Order = r.int(field), r.int(field), FileOrder(r.enum(field))
		r.skip(field, more)
		s.Details = append(s.Details, f)
	}
	r.skip(field, extra)
	return s
}
