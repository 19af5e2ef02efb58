package clock

import (
	"io"
	"strings"
	"testing"
	"time"

	"github.com/trawl-logs/trawl/responder/timestamp"
)

// What is known of sealed lines is not found again: by the form that they were sealed in, or by which lines they are.
func TestSealedFormsAreRemembered(t *testing.T) {
	const full, noYear, other = "2026-03-01 10:00:00 a line\n", "Mar  1 10:00:00 a line\n", "01/02/2026 10:00:00 a line\n"
	c := NewCache()
	form := func(about File, text string, terminator byte) (f *timestamp.Form, read int64) {
		t.Helper()
		if about.ModTime.IsZero() {
			about.ModTime = written
		}
		at := &counter{at: strings.NewReader(text)}
		f, err := c.find(at, int64(len(text)), &about, terminator)
		if err != nil {
			t.Fatal(err)
		}
		return f, at.read
	}
	logA, logB := [16]byte{1}, [16]byte{2}
	first, read := form(File{Zone: time.UTC, Sealed: Sealed{Log: logA, To: 100, Fixed: true}}, full, '\n')
	if first == nil || read == 0 {
		t.Fatalf("a form that nobody knows: %v, %d bytes read", first, read)
	}
	sum := first.Sum()
	if f, _ := form(File{Zone: time.UTC, Sealed: Sealed{Log: logB, To: 100, Fixed: true}}, noYear, '\n'); f == nil || !f.Stateful() {
		t.Fatal("no form of times without a year")
	}
	if f, _ := form(File{Zone: time.UTC, Sealed: Sealed{Log: logB, From: 500, To: -1}}, full, '\n'); f == nil {
		t.Fatal("no form of a log that goes on")
	}
	for _, test := range []struct {
		name string
		File
		text       string
		terminator byte
		read       bool
		form       bool // it has one, or is remembered to have none
	}{
		{"the same lines", File{Zone: time.UTC, Sealed: Sealed{Log: logA, To: 100, Fixed: true}}, full, '\n', false, true},
		{"others of the same form", File{Zone: time.UTC, Sealed: Sealed{Log: logB, From: 7, To: 900, Fixed: true, Form: sum}}, other, '\n', false, true},
		{"the same in another zone", File{Zone: time.FixedZone("x", 3600), Sealed: Sealed{Log: logB, From: 7, To: 900, Fixed: true, Form: sum}}, full, '\n', true, true},
		{"the same by another layout", File{Zone: time.UTC, Form: "02/01/2006 15:04:05", Sealed: Sealed{Log: logB, From: 7, To: 900, Fixed: true, Form: sum}}, other, '\n', true, true},
		{"of a form that nobody found", File{Zone: time.UTC, Sealed: Sealed{Log: logB, From: 8, To: 900, Fixed: true, Form: sum + 1}}, other, '\n', true, true},
		{"and again", File{Zone: time.UTC, Sealed: Sealed{Log: logB, From: 8, To: 900, Fixed: true, Form: sum + 1}}, other, '\n', false, true},
		{"lines that end in NUL", File{Zone: time.UTC, Sealed: Sealed{Log: logA, To: 100, Fixed: true, Form: sum}}, full, 0, true, true},
		{"times without a year", File{Zone: time.UTC, Sealed: Sealed{Log: logB, To: 100, Fixed: true}}, noYear, '\n', false, true},
		{"written since", File{Zone: time.UTC, ModTime: written.Add(1), Sealed: Sealed{Log: logB, To: 100, Fixed: true}}, noYear, '\n', true, true},
		{"a log that goes on", File{Zone: time.UTC, Sealed: Sealed{Log: logB, From: 500, To: -1}}, full + "more\n", '\n', true, true}, // its head, to know it by
		{"no times", File{Zone: time.UTC, Sealed: Sealed{Log: logB, From: 9, To: 10, Fixed: true}}, "a line\n", '\n', true, false},
		{"no times again", File{Zone: time.UTC, Sealed: Sealed{Log: logB, From: 9, To: 10, Fixed: true}}, "a line\n", '\n', false, false},
	} {
		f, read := form(test.File, test.text, test.terminator)
		if (read > 0) != test.read || (f != nil) != test.form {
			t.Errorf("%s: %v, %d bytes read", test.name, f, read)
		}
	}
	if len(c.known) != 0 {
		t.Errorf("%d files are remembered by IDs that they have not", len(c.known))
	}
}

// A log that goes on keeps its form without its tail being read, as a file does.
func TestASealedLogThatGrows(t *testing.T) {
	c := NewCache()
	about := File{ModTime: written, Zone: time.UTC, Sealed: Sealed{Log: [16]byte{1}, To: -1}}
	text := strings.Repeat("2026-03-01 10:00:00 a line\n", 100)
	first, err := c.find(strings.NewReader(text), int64(len(text)), &about, '\n')
	if err != nil || first == nil {
		t.Fatal(first, err)
	}
	grown := text + strings.Repeat("x\n", 100)
	head := io.NewSectionReader(strings.NewReader(grown), 0, printBytes)
	if again, err := c.find(head, int64(len(grown)), &about, '\n'); err != nil || again != first {
		t.Errorf("%v, want %v; %v", again, first, err)
	}
}

func TestSealedFormsAreBounded(t *testing.T) {
	c := NewCache()
	for i := range int64(cacheStretches + 100) {
		c.remember(&File{Sealed: Sealed{Log: [16]byte{1}, To: i}}, &known{})
	}
	if len(c.stretches) != cacheStretches {
		t.Errorf("%d stretches are remembered", len(c.stretches))
	}
	form, ok := timestamp.Detect([]byte("2026-03-01 10:00:00 x\n"), timestamp.Options{Zone: time.UTC})
	if !ok {
		t.Fatal("no form")
	}
	for i := range cacheForms + 10 {
		c.keepForm(&File{Zone: time.FixedZone("", i)}, form)
	}
	if len(c.forms) != cacheForms {
		t.Errorf("%d forms are remembered", len(c.forms))
	}
}
