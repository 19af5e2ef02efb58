package outbox

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/trawl-logs/trawl/schemas"
)

var t0 = time.Unix(1_700_000_000, 0)

func at(ms int) time.Time { return t0.Add(time.Duration(ms) * time.Millisecond) }

func lines(n int) []schemas.Chunk {
	return []schemas.Chunk{{File: "f", Text: bytes.Repeat([]byte("x\n"), n/2)}}
}

// taken renders what an outbox wants published: "hello1 data2@0 progress2 end3".
func taken(t *testing.T, b *Outbox) string {
	t.Helper()
	var names []string
	for _, msg := range b.Take() {
		f, err := schemas.DecodeFrame(msg)
		if err != nil {
			t.Fatalf("%x: %v", msg, err)
		}
		var name string
		switch {
		case f.Hello != nil && f.End != nil:
			name = "hello+end"
		case f.Hello != nil:
			name = "hello"
		case f.Data != nil:
			name = "data"
		case f.Progress != nil:
			name = "progress"
			if f.Progress.Waiting {
				name = "waiting"
			}
		case f.End != nil:
			name = "end:" + f.End.Status.String()
		}
		names = append(names, fmt.Sprintf("%s%d", name, f.Seq))
	}
	return strings.Join(names, " ")
}

func want(t *testing.T, b *Outbox, what string) {
	t.Helper()
	if got := taken(t, b); got != what {
		t.Errorf("published %q, want %q", got, what)
	}
}

func start(credit int64) *Outbox {
	b := New(Options{Run: 7, Terminator: '\n', Credit: credit, Timeout: time.Minute}, t0)
	b.Hello(&schemas.Hello{Instance: "i"}, t0)
	return b
}

func TestEmptyAnswerIsOneMessage(t *testing.T) {
	b := start(0)
	want(t, b, "")
	b.End(&schemas.End{}, at(5))
	want(t, b, "hello+end1")
	b.Control(&schemas.Control{Run: 7, Ack: 1}, at(6))
	if b.State() != Done || b.EndFrame() == nil {
		t.Errorf("state %d after the acknowledgement", b.State())
	}
}

func TestACancelAcknowledgesTheEndThatWasSent(t *testing.T) {
	b := start(0)
	b.End(&schemas.End{}, at(5))
	want(t, b, "hello+end1")
	b.Cancelled("enough", at(6))
	want(t, b, "")
	if b.State() != Done || b.EndFrame() == nil {
		t.Errorf("state %d after the cancel", b.State())
	}

	b = start(100) // an End behind Data that there is no credit for
	b.Data(lines(400), t0)
	b.End(&schemas.End{Lines: 200}, t0)
	want(t, b, "hello1")
	b.Cancelled("enough", at(1))
	want(t, b, "end:stopped2")
	if b.State() != Ending {
		t.Errorf("state %d while nobody has heard the End", b.State())
	}

	b = start(0)
	b.Cancelled("enough", at(1))
	if _, reason, over := b.Over(); !over || reason != "enough" {
		t.Errorf("over %t for reason %q", over, reason)
	}
}

// The larger the fleet, the later an acknowledgement comes.
func TestRepetitionWaitsForALargeFleet(t *testing.T) {
	b := New(Options{Run: 7, Terminator: '\n', Timeout: time.Minute, Jitter: 100 * time.Millisecond}, t0)
	b.Hello(&schemas.Hello{Instance: "i"}, t0)
	b.End(&schemas.End{}, t0)
	want(t, b, "hello+end1")
	if next := b.Tick(at(449)); next != at(450) {
		t.Errorf("next tick at %v", next.Sub(t0))
	}
	want(t, b, "")
	b.Tick(at(450))
	want(t, b, "hello+end1")
}

func TestHelloGoesByItself(t *testing.T) {
	b := start(0)
	if next := b.Tick(t0); next != at(10) {
		t.Errorf("next tick at %v", next.Sub(t0))
	}
	b.Tick(at(10))
	want(t, b, "hello1")
	b.Tick(at(510))
	want(t, b, "waiting1")
}

func TestDataWaitsForCreditAndWindow(t *testing.T) {
	b := start(100 << 10)
	b.Data(lines(90<<10), t0)
	want(t, b, "hello1 data2")
	b.Data(lines(90<<10), t0)
	want(t, b, "")
	if b.Room() != 0 {
		t.Errorf("room %d while something is held back", b.Room())
	}
	b.Control(&schemas.Control{Run: 8, Limit: 1 << 30}, t0) // another run's
	want(t, b, "")
	b.Control(&schemas.Control{Run: 7, Limit: 1 << 30}, t0)
	want(t, b, "data3")
	for range 12 { // no acknowledgement: the window fills
		b.Data(lines(90<<10), t0)
	}
	want(t, b, "data4 data5 data6 data7 data8 data9 data10 data11 data12")
	b.Control(&schemas.Control{Run: 7, Ack: 4}, t0)
	want(t, b, "data13 data14 data15")
	b.Control(&schemas.Control{Run: 7, Ack: 3, Limit: 5}, t0) // an old one, come late
	b.Data(lines(90<<10), t0)
	want(t, b, "")
	b.Control(&schemas.Control{Run: 7, Ack: 5}, t0)
	want(t, b, "data16")
}

func TestResend(t *testing.T) {
	b := start(1 << 30)
	for range 3 {
		b.Data(lines(100), t0)
	}
	b.End(&schemas.End{}, t0)
	want(t, b, "hello1 data2 data3 data4 end:complete5")
	b.Control(&schemas.Control{Run: 7, Ack: 2, Resend: 3}, at(1))
	want(t, b, "data3 data4 end:complete5")
	b.Control(&schemas.Control{Run: 7, Ack: 2, Resend: 3}, at(2)) // a flood of them
	want(t, b, "")
	b.Control(&schemas.Control{Run: 7, Ack: 99, Resend: 100}, at(100)) // forged
	b.Asked(at(100))
	want(t, b, "end:complete5")
}

func TestOnlyTheNewestIsRepeatedWithBackoff(t *testing.T) {
	b := start(1 << 30)
	b.Data(lines(100), t0)
	want(t, b, "hello1 data2")
	var times []string
	for ms := 0; ms < 20_000; ms += 50 {
		b.Tick(at(ms))
		for _, name := range strings.Fields(taken(t, b)) {
			if !strings.HasPrefix(name, "progress") {
				times = append(times, fmt.Sprintf("%s@%d", name, ms))
			}
		}
	}
	if got := strings.Join(times, " "); got != "data2@1000 data2@3000 data2@7000 data2@15000" {
		t.Errorf("repeated %s", got)
	}
}

func TestLeaseEndsTheAnswer(t *testing.T) {
	b := start(1 << 30)
	b.Tick(at(20))
	b.Control(&schemas.Control{Run: 7, Ack: 1}, at(10_000))
	b.Tick(at(39_999))
	if _, _, over := b.Over(); over {
		t.Error("over within the lease")
	}
	b.Tick(at(40_000))
	if _, reason, over := b.Over(); !over || !strings.Contains(reason, "gone") {
		t.Errorf("over %t: %s", over, reason)
	}
	b.Take()
	b.End(&schemas.End{}, at(40_001))
	want(t, b, "end:partial2")
	if b.State() != Done {
		t.Error("waits for an acknowledgement that nobody sends")
	}
}

func TestStopDropsWhatIsHeldBack(t *testing.T) {
	for _, endFirst := range []bool{false, true} {
		b := start(100)
		b.Data(lines(90), t0) // does not fit: the chunk has a head
		b.Take()
		if endFirst {
			b.End(&schemas.End{Lines: 45}, t0)
			want(t, b, "")
		}
		b.Control(&schemas.Control{Run: 7, Stop: true}, at(1))
		b.Data(lines(90), at(1)) // after the stop: nothing
		if !endFirst {
			b.End(&schemas.End{}, at(1))
		}
		msgs := b.Take()
		f, err := schemas.DecodeFrame(msgs[len(msgs)-1])
		if err != nil || f.End == nil || f.End.Status != schemas.StatusStopped || f.Seq != 2 || f.End.RawBytes != 0 || f.End.Chunks != 0 {
			t.Errorf("end first %t: %v: %+v", endFirst, err, f)
		}
	}
}

func TestDeadline(t *testing.T) {
	b := start(0)
	b.Tick(at(60_000)) // also the lease's: that came first
	s, reason, over := b.Over()
	if !over || s != schemas.StatusPartial {
		t.Errorf("%v %s %t", s, reason, over)
	}
	b = start(0)
	b.Control(&schemas.Control{}, at(50_000))
	b.Tick(at(60_000))
	if _, reason, over := b.Over(); !over || reason != "time limit reached" {
		t.Errorf("%s %t", reason, over)
	}
}

// TestPack sends chunks of every size, a line of a megabyte among them: each frame must decode, and
// the text be the same.
func TestPack(t *testing.T) {
	long := append(bytes.Repeat([]byte("y"), 1<<20), '\n')
	short := bytes.Repeat([]byte("z\n"), 100_000)
	var numbers []int64
	for i := range 100_000 {
		numbers = append(numbers, int64(i)<<33)
	}
	chunks := []schemas.Chunk{
		{File: "a", Text: long, Numbers: []int64{5}},
		{File: "b", Text: short, Numbers: numbers},
		{File: "c", Text: []byte("one\n"), Numbers: []int64{1}},
	}
	for i := range 5000 {
		chunks = append(chunks, schemas.Chunk{Kind: schemas.ChunkFile, File: fmt.Sprint(i)})
	}
	b := start(1 << 40)
	b.Data(chunks, t0)
	texts := map[string][]byte{}
	files := 0
	for frames := b.Take(); len(frames) > 0; frames = b.Take() {
		var ack uint64
		for _, msg := range frames {
			f, err := schemas.DecodeFrame(msg)
			if err != nil {
				t.Fatal(err)
			}
			ack = f.Seq
			if f.Data == nil {
				continue
			}
			for _, c := range f.Data.Chunks {
				if c.Kind == schemas.ChunkFile {
					files++
					continue
				}
				if _, err := c.Check(schemas.ColumnNumber, '\n'); err != nil {
					t.Fatal(err)
				}
				texts[c.File] = append(texts[c.File], c.Text...)
			}
		}
		b.Control(&schemas.Control{Run: 7, Ack: ack}, t0)
	}
	if !bytes.Equal(texts["a"], long) || !bytes.Equal(texts["b"], short) || string(texts["c"]) != "one\n" || files != 5000 {
		t.Errorf("%d, %d and %d bytes, %d files", len(texts["a"]), len(texts["b"]), len(texts["c"]), files)
	}
}

func TestLedger(t *testing.T) {
	l := NewLedger()
	k := Key{"ann", "c", "q"}
	if known, _ := l.Start(k, t0); known != Fresh {
		t.Errorf("known %d at first", known)
	}
	if known, _ := l.Start(k, t0); known != Running {
		t.Errorf("known %d when asked again", known)
	}
	l.Finish(k, []byte("end"), at(1000))
	if known, end := l.Start(k, at(60_999)); known != Finished || string(end) != "end" {
		t.Errorf("known %d, end %q within the minute", known, end)
	}
	if known, _ := l.Start(k, at(61_000)); known != Fresh {
		t.Errorf("known %d after the minute", known)
	}
	overtaken := Key{"ann", "c", "q2"}
	if l.Cancel(overtaken, at(61_000)) != Fresh {
		t.Error("a cancel that comes first finds something")
	}
	if known, end := l.Start(overtaken, at(61_500)); known != Finished || end != nil {
		t.Errorf("a query behind its cancel: %d, %q", known, end)
	}
	for i := range 3 * maxOver {
		l.Cancel(Key{"eve", "c", fmt.Sprint(i)}, at(62_000))
	}
	if l.Len() > maxOver+1 {
		t.Errorf("%d keys after a flood", l.Len())
	}
	if known, _ := l.Start(k, at(62_000)); known != Running {
		t.Error("a flood of cancels made it forget a query that runs")
	}
}

// Reused memory is that of acknowledged Data alone: what may have to be repeated stays as it was.
func TestReuse(t *testing.T) {
	b := New(Options{Run: 7, Terminator: '\n', Credit: 1 << 30, Reuse: true}, t0)
	send := func(text string) []byte {
		t.Helper()
		b.Data([]schemas.Chunk{{File: "f", Text: []byte(text)}}, at(1))
		out := b.Take()
		if len(out) == 0 {
			t.Fatal("nothing is published")
		}
		return out[len(out)-1]
	}
	first := send("first\n") // seq 2, behind the Hello
	second := send("second\n")
	kept := bytes.Clone(second)
	b.Control(&schemas.Control{Run: 7, Ack: 2, Limit: 1 << 30}, at(2))
	third := send("third\n")
	if &third[0] != &first[0] {
		t.Error("the memory of an acknowledged frame is not used again")
	}
	if !bytes.Equal(second, kept) {
		t.Error("a frame that is not acknowledged was overwritten")
	}
	b.Control(&schemas.Control{Run: 7, Ack: 2, Limit: 1 << 30, Resend: 3}, at(100))
	b.Control(&schemas.Control{Run: 7, Ack: 4, Limit: 1 << 30}, at(101)) // before the repetition is out
	b.Data([]schemas.Chunk{{File: "f", Text: []byte("fourth\n")}}, at(102))
	if out := b.Take(); len(out) != 3 || !bytes.Equal(out[0], kept) {
		t.Errorf("%d frames, the first %q", len(out), out[0])
	}
}
