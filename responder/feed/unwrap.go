package feed

import (
	"bytes"
	"errors"
	"fmt"
	"io"
)

// Format is how a container's runtime wraps the lines of its log.
type Format uint8

const (
	// Docker's json-file driver: {"log":"text\n","stream":"stdout","time":"2006-01-02T15:04:05.9Z"}. A
	// text without \n at its end goes on in the next object of the same stream.
	Docker Format = iota + 1
	// CRI is the Kubernetes container runtimes' (containerd, CRI-O):
	// 2006-01-02T15:04:05.999999999Z stdout F text. P in place of F: the text goes on in the next line of
	// the same stream.
	CRI
)

// ErrFormat says that no line of a file is wrapped as it should be.
var ErrFormat = errors.New("no line is in the format that is configured")

// ParseFormat reads the name of a format: docker or cri.
func ParseFormat(name string) (Format, error) {
	switch name {
	case "docker":
		return Docker, nil
	case "cri":
		return CRI, nil
	}
	return 0, fmt.Errorf("format %q is neither docker nor cri", name)
}

func (f Format) String() string {
	if f == Docker {
		return "docker"
	}
	return "cri"
}

// unwrapper takes the wrappers off.
type unwrapper struct {
	*Lines
	splitter
	format  Format
	stamp   stamp
	record  record
	last    int64 // the newest time that was read
	wrapped bool  // a line was in the format
	begun   [2]partial
}

// record is what one wrapped line says.
type record struct {
	ns     int64
	stderr bool
	text   []byte // without the \n
	whole  bool
}

// partial is a line of which parts have come. Those of stdout and stderr come in between each other.
type partial struct {
	open   bool
	text   []byte
	origin origin
}

// Unwrap gives the lines of a container's log without their wrappers. Parts of a line are joined; it
// has the time, number and offset of its first part, and comes when its last one does. A line that is
// not in the format is given as it is, with the time of the one before it. If none is, that is an error
// at the end, ErrFormat. A joined line of more than 4 MiB is broken there.
func Unwrap(r io.Reader, f Format) *Lines {
	u := &unwrapper{Lines: &Lines{}, splitter: splitter{r: r}, format: f, last: NoTime}
	u.Lines.fill = u.fillFrom
	return u.Lines
}

func (u *unwrapper) fillFrom() error {
	err := u.more(u.take)
	if err == nil {
		return nil
	}
	first, second := &u.begun[0], &u.begun[1]
	if second.open && second.origin.offset < first.origin.offset {
		first, second = second, first
	}
	u.finish(first)
	u.finish(second)
	if errors.Is(err, io.EOF) && !u.wrapped && u.number > 0 {
		return fmt.Errorf("%w: %v", ErrFormat, u.format)
	}
	return err
}

// take takes one line, or a piece of one that is too long to be a wrapped one.
func (u *unwrapper) take(line []byte, begins, ends bool) {
	at := len(u.out)
	if begins && ends && u.parse(line) {
		u.wrapped, u.last = true, u.record.ns
		u.add(at)
		return
	}
	u.out = append(u.out[:at], line...)
	if begins {
		u.came(at, u.last, u.number+1, u.splitter.offset)
	}
	if ends {
		u.out = append(u.out, '\n')
	}
}

// add adds what the record says, or keeps it until the rest of its line comes. The text may have been
// put into out, from at on.
func (u *unwrapper) add(at int) {
	p, r := &u.begun[0], &u.record
	if r.stderr {
		p = &u.begun[1]
	}
	if !p.open && r.whole {
		u.out = append(append(u.out[:at], r.text...), '\n')
		u.came(at, r.ns, u.number+1, u.splitter.offset)
		return
	}
	if !p.open {
		p.open, p.origin = true, origin{ns: r.ns, number: u.number + 1, offset: u.splitter.offset}
	}
	p.text = append(p.text, r.text...)
	u.out = u.out[:at]
	if r.whole || len(p.text) > maxLine {
		u.finish(p)
	}
}

// finish gives a line whose parts are all there.
func (u *unwrapper) finish(p *partial) {
	if !p.open {
		return
	}
	u.came(len(u.out), p.origin.ns, p.origin.number, p.origin.offset)
	u.out = append(append(u.out, p.text...), '\n')
	p.open, p.text = false, p.text[:0]
}

// parse reads a wrapped line into u.record, and says whether it is one.
func (u *unwrapper) parse(line []byte) bool {
	if u.format == Docker {
		return u.parseDocker(line)
	}
	return u.parseCRI(line)
}

var (
	keyLog    = []byte("log")
	keyStream = []byte("stream")
	keyTime   = []byte("time")
	stderr    = []byte(`"stderr"`)
)

// parseDocker puts the text behind what out holds.
func (u *unwrapper) parseDocker(line []byte) bool {
	var log, stream, time []byte
	ok := members(line, func(m member) {
		switch {
		case !m.isString():
		case bytes.Equal(m.key, keyLog):
			log = m.value
		case bytes.Equal(m.key, keyStream):
			stream = m.value
		case bytes.Equal(m.key, keyTime):
			time = m.value
		}
	})
	if !ok || log == nil || time == nil {
		return false
	}
	r := &u.record
	if r.ns, ok = u.stamp.parse(time[1 : len(time)-1]); !ok {
		return false
	}
	at := len(u.out)
	if u.out, ok = appendText(u.out, log); !ok {
		return false
	}
	r.text, r.whole = bytes.CutSuffix(u.out[at:], []byte{'\n'})
	r.stderr = bytes.Equal(stream, stderr)
	return true
}

func (u *unwrapper) parseCRI(line []byte) bool {
	r := &u.record
	time, rest, ok := bytes.Cut(line, []byte{' '})
	if !ok {
		return false
	}
	if r.ns, ok = u.stamp.parse(time); !ok {
		return false
	}
	stream, rest, ok := bytes.Cut(rest, []byte{' '})
	if !ok || string(stream) != "stdout" && string(stream) != "stderr" {
		return false
	}
	r.stderr = stream[3] == 'e'
	tags, text, _ := bytes.Cut(rest, []byte{' '}) // an empty text may lack the blank
	tag, _, _ := bytes.Cut(tags, []byte{':'})
	if len(tag) != 1 || tag[0] != 'F' && tag[0] != 'P' {
		return false
	}
	r.text, r.whole = text, tag[0] == 'F'
	return true
}
