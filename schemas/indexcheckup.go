package schemas

// Limits of an IndexCheckup; beyond them a node tells the number of what it leaves out.
const (
	MaxIndexed       = 1000 // files
	MaxIndexedBlocks = 8000 // of all files together
	maxIndexedName   = 255  // bytes of a path
)

// BlocksRequest says what a checkup tells of the index.
type BlocksRequest uint8

// What a checkup tells of the index.
const (
	BlocksNone   BlocksRequest = iota
	BlocksList                 // what it has
	BlocksVerify               // and whether that is what the files hold, which are read for it
)

// IndexCheckup is the index of a node.
type IndexCheckup struct {
	Off      string  // why there is none; empty: there is one
	Sizing   string  // the formula of the blocks' size, with its figures
	ReadRate float64 // bytes a second that the disk was seen to deliver; 0: not known yet
	Settled  bool    // nothing was left to be indexed when the node last looked
	Further  int64   // files beyond those listed
	Files    []IndexedFile
}

// IndexedFile is the index of a file.
type IndexedFile struct {
	Service    string
	Path       string
	Size       int64 // of the file; of what it holds, if that is compressed
	IndexBytes int64
	Blocks     int64 // of which Listed are the first
	Err        string
	Listed     []ListedBlock
}

// ListedBlock is one block.
type ListedBlock struct {
	From, Bytes, Lines int64
	First, Last        int64 // times, Unix nanoseconds; NoTime: not known
}

// The index of a checkup on the wire, nil if it was not asked for:
//
//	[ off, sizing, read_rate, settled, further, [file…] ]
//
// with file
//
//	[ service, path, size, index_bytes, blocks, error, [[from, bytes, lines, first, last]…] ]
const (
	indexCheckupFields = 6
	indexedFileFields  = 7
	listedBlockFields  = 5
)

func (w *writer) indexCheckup(x *IndexCheckup) {
	if x == nil {
		w.null()
		return
	}
	w.array(indexCheckupFields)
	w.string(cut(x.Off, maxCheckupText))
	w.string(cut(x.Sizing, maxCheckupSmall))
	w.int(int64(x.ReadRate))
	w.bool(x.Settled)
	files := x.Files[:min(len(x.Files), MaxIndexed)]
	w.int(x.Further + int64(len(x.Files)-len(files)))
	w.array(len(files))
	left := MaxIndexedBlocks
	for i := range files {
		f := &files[i]
		w.array(indexedFileFields)
		w.string(cut(f.Service, maxCheckupSmall))
		w.string(cutFront(f.Path, maxIndexedName))
		for _, n := range []int64{f.Size, f.IndexBytes, f.Blocks} {
			w.int(n)
		}
		w.string(cut(f.Err, maxCheckupText))
		listed := f.Listed[:min(len(f.Listed), left)]
		left -= len(listed)
		w.array(len(listed))
		for _, b := range listed {
			w.array(listedBlockFields)
			for _, n := range []int64{b.From, b.Bytes, b.Lines, b.First, b.Last} {
				w.int(n)
			}
		}
	}
}

func (r *reader) indexCheckup() *IndexCheckup {
	const field = "checkup.index"
	if r.null() || r.err != nil {
		return nil
	}
	extra := r.record(field, indexCheckupFields)
	x := &IndexCheckup{Off: r.string(field, maxCheckupText), Sizing: r.string(field, maxCheckupSmall), ReadRate: float64(r.count(field))}
	x.Settled, x.Further = r.bool(field), r.count(field)
	for range r.array(field, MaxIndexed) {
		more := r.record(field, indexedFileFields)
		f := IndexedFile{Service: r.string(field, maxCheckupSmall), Path: r.string(field, maxIndexedName)}
		f.Size, f.IndexBytes, f.Blocks, f.Err = r.count(field), r.count(field), r.count(field), r.string(field, maxCheckupText)
		for range r.array(field, MaxIndexedBlocks) {
			rest := r.record(field, listedBlockFields)
			f.Listed = append(f.Listed, ListedBlock{r.count(field), r.count(field), r.count(field), r.int(field), r.int(field)})
			r.skip(field, rest)
		}
		r.skip(field, more)
		x.Files = append(x.Files, f)
	}
	r.skip(field, extra)
	return x
}
