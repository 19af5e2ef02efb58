package clock

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"time"

	"github.com/trawl-logs/trawl/responder/scan"
	"github.com/trawl-logs/trawl/responder/timestamp"
)

// What is promised of a file that is not read in full: it is taken for sorted if each of its samples,
// and each next to the one before it, is in order but for maxDisorder at most. Then no line is missed
// that lies before an earlier one by no more than twice what the samples show, or minSlack.
const (
	// minSearched is the least size of a file whose order is looked into: what is smaller is as soon read.
	minSearched = 2 * sampleBytes
	// A file has as many samples as it has strides, within these bounds.
	strideBytes = 1 << 20
	minSamples  = 16
	maxSamples  = 256
	// windowBytes is how much of the file one sample is, and maxWindow what it may grow to where
	// there is no line with a time.
	windowBytes = 4 << 10
	maxWindow   = 256 << 10
	// nearEnough is how closely the ends of a range are found.
	nearEnough = 64 << 10

	minSlack    = int64(time.Minute)
	maxDisorder = int64(15 * time.Minute)
)

// probe is a line that has a time.
type probe struct {
	at   int64 // where it begins
	time int64
}

// order is what samples tell of how a file's times follow each other.
type order struct {
	probes []probe // the first line with a time of each sample
	newest int64   // latest time of a sample
	worst  int64   // by how much a time lay before an earlier one, at most
	stride int64
	next   int64 // where the next sample is taken
}

// sampler reads samples of one file.
type sampler struct {
	at     io.ReaderAt
	size   int64
	term   byte
	clock  *timestamp.Reader
	buffer []byte
}

// strideOf is how far the samples of a file of that size are apart.
func strideOf(size int64) int64 {
	return size / min(max(size/strideBytes, minSamples), maxSamples)
}

// extend takes the samples of what was not sampled yet. A file that has grown twofold since is begun
// anew, by the caller.
func (o *order) extend(s *sampler) error {
	for ; o.next < s.size && o.worst <= maxDisorder+int64(time.Hour); o.next += o.stride {
		p, ok, err := s.sample(o.next, s.size, o)
		if err != nil {
			return err
		}
		if ok && (len(o.probes) == 0 || p.at > o.probes[len(o.probes)-1].at) {
			o.probes = append(o.probes, p)
		}
	}
	return nil
}

// see notes a time that comes behind those seen before.
func (o *order) see(ns int64) {
	if o.newest == 0 && o.worst == 0 {
		o.newest = ns
	}
	o.worst = max(o.worst, o.newest-ns)
	o.newest = max(o.newest, ns)
}

// slack is how far an entry may lie before an earlier one without being missed, but for what a clock
// that goes back does to it.
func (o *order) slack() int64 { return max(minSlack, 2*min(o.worst, maxDisorder)) }

// sample returns the first line that begins in [from, to) and has a time, if there is one near. All of
// the window's lines are seen by o.
func (s *sampler) sample(from, to int64, o *order) (first probe, ok bool, err error) {
	start := max(from-1, 0) // a terminator there makes from the start of a line
	for size := int64(windowBytes); ; size *= 8 {
		size = min(size, s.size-start)
		if int64(len(s.buffer)) < size {
			s.buffer = make([]byte, size)
		}
		b := s.buffer[:size]
		if err := readAt(s.at, b, start); err != nil {
			return first, false, err
		}
		whole := start+size == s.size
		pos := 0
		if from > 0 {
			if pos = bytes.IndexByte(b, s.term) + 1; pos == 0 {
				pos = len(b)
			}
		}
		for pos < len(b) && start+int64(pos) < to {
			n := bytes.IndexByte(b[pos:], s.term)
			if n < 0 && !whole && len(b)-pos < scan.HeadBytes {
				break
			}
			end := pos + n
			if n < 0 {
				end = len(b)
			}
			if ns, has := s.clock.Time(b[pos:min(end, pos+scan.HeadBytes)]); has {
				if o.see(ns); !ok {
					first, ok = probe{start + int64(pos), ns}, true
				}
			}
			pos = end + 1
		}
		if ok || whole || size >= maxWindow || start+int64(pos) >= to {
			return first, ok, nil
		}
	}
}

// errUnsorted is why a file is read in full.
var errUnsorted = errors.New("not sorted")

// between returns where the lines of [since, until) begin and end at the earliest and at the latest, 0
// leaving a side open. It fails with errUnsorted if the samples are not in order.
func (o *order) between(s *sampler, form *timestamp.Form, since, until int64) (lo, hi int64, err error) {
	if len(o.probes) == 0 {
		return 0, s.size, nil
	}
	fold := int64(form.Slack(time.Unix(0, o.probes[0].time), time.Unix(0, o.newest)))
	lo, hi = 0, s.size
	if since != 0 {
		if lo, _, err = o.bisect(s, func(t int64) bool { return t < since-o.slack()-fold }); err != nil {
			return 0, 0, err
		}
	}
	if until != 0 {
		if _, hi, err = o.bisect(s, func(t int64) bool { return t < until+o.slack()+fold }); err != nil {
			return 0, 0, err
		}
	}
	if o.worst > maxDisorder+fold {
		return 0, 0, errUnsorted
	}
	return lo, max(lo, hi), nil
}

// bisect returns two offsets near each other: where the last line that is known to be before begins, 0
// if none is, and behind it where one begins that is not; the file's end if none does.
func (o *order) bisect(s *sampler, before func(ns int64) bool) (lo, hi int64, err error) {
	i := len(o.probes)
	for i > 0 && !before(o.probes[i-1].time) {
		i--
	}
	hi = s.size
	var last, above probe
	if i > 0 {
		last = o.probes[i-1]
		lo = last.at
	}
	if i < len(o.probes) {
		above = o.probes[i]
		hi = above.at
	}
	for left, right := lo, hi; right-left > nearEnough; {
		middle := left + (right-left)/2
		seen := order{newest: last.time}
		p, ok, err := s.sample(middle, right, &seen)
		if err != nil {
			return 0, 0, err
		}
		o.worst = max(o.worst, seen.worst)
		if ok && above.time != 0 {
			o.worst = max(o.worst, seen.newest-above.time)
		}
		switch {
		case !ok:
			right = middle
		case before(p.time):
			lo, left, last = p.at, p.at+1, p
		default:
			hi, right, above = p.at, middle, p
		}
	}
	return lo, hi, nil
}

// linesBehind returns the offset after n more lines than end at the offset at, or the file's end if
// they are long.
func (s *sampler) linesBehind(at, n int64) (int64, error) {
	for step := int64(0); step < maxWindow && at < s.size && n > 0; step += windowBytes {
		b := make([]byte, min(windowBytes, s.size-at))
		if err := readAt(s.at, b, at); err != nil {
			return 0, err
		}
		for len(b) > 0 && n > 0 {
			i := bytes.IndexByte(b, s.term)
			if i < 0 {
				at += int64(len(b))
				break
			}
			at, b, n = at+int64(i)+1, b[i+1:], n-1
		}
	}
	if n > 0 {
		return s.size, nil
	}
	return at, nil
}

// sampled cuts a file to the part in which lines of the range can be, if samples are in order.
func (s *Search) sampled(f *scan.File, at io.ReaderAt, form *timestamp.Form, about *File) error {
	sampler := &sampler{at: at, size: f.Size, term: s.terminator, clock: form.NewReader()}
	o := order{stride: strideOf(f.Size)}
	if known := s.cache.orderOf(about.ID, form); known != nil && known.next < f.Size+known.stride {
		o = *known
		o.probes = slices.Clip(o.probes)
	}
	if err := o.extend(sampler); err != nil {
		return err
	}
	lo, hi, err := o.between(sampler, form, s.o.Since, s.o.Until)
	s.cache.keepOrder(about.ID, form, &o)
	if errors.Is(err, errUnsorted) {
		return nil
	}
	if err == nil && s.o.Mode == scan.Lines {
		if s.o.After > 0 {
			hi, err = sampler.linesBehind(hi, s.o.After)
		}
		if s.o.Numbers {
			lo = 0 // they count from the start
		}
	}
	if err != nil {
		return err
	}
	if lo > f.From || hi < f.Size {
		s.assumed.Add(1)
	}
	f.From, f.Size = lo, hi
	return nil
}

// isLater says whether the lines of a compressed file's head are in order and behind the range: then so
// is the rest, of which no samples can be taken.
func (s *Search) isLater(head []byte, form *timestamp.Form) bool {
	if s.o.Until == 0 {
		return false
	}
	var o order
	clock, first, timed := form.NewReader(), int64(0), false
	for line := range bytes.SplitSeq(head, []byte{s.terminator}) {
		if ns, ok := clock.Time(line[:min(len(line), scan.HeadBytes)]); ok {
			if o.see(ns); !timed {
				first, timed = ns, true
			}
		}
	}
	return timed && o.worst <= maxDisorder && first >= s.o.Until+o.slack()
}
