package clock

import (
	"time"

	"github.com/trawl-logs/trawl/responder/timestamp"
)

// Sealed is what is known of lines of a sealed log before they are read; the zero value: they are of none.
type Sealed struct {
	Log      [16]byte // its ID
	From, To int64    // the bytes of it that are read; To -1: up to its file's end
	Fixed    bool     // these never change
	Form     uint64   // the Sum of the form that the times of all of them had when they were sealed; 0: not known
}

const (
	// cacheForms is how many forms a Cache remembers by their sums, at some 2 kB each, and cacheStretches how many
	// stretches of sealed logs, at 250 bytes each.
	cacheForms     = 1 << 10
	cacheStretches = 16 << 10
)

// rules are what a file's times are read by beside its lines.
type rules struct {
	zone   *time.Location
	layout string
}

func (f *File) rules() rules { return rules{f.Zone, f.Form} }

// formKey is a form that was found by those rules.
type formKey struct {
	sum uint64
	rules
}

// stretch is a part of a sealed log that was read by those rules.
type stretch struct {
	log      [16]byte
	from, to int64
	rules
}

func (f *File) stretch() stretch {
	return stretch{f.Sealed.Log, f.Sealed.From, f.Sealed.To, f.rules()}
}

// sealedForm is the form that lines were sealed by, if one of that sum was found by the rules that they are read by
// now: so it reads them as they were read then. nil: it is not known, or the rules are others by now.
func (c *Cache) sealedForm(about *File) *timestamp.Form {
	if about.Sealed.Form == 0 {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.forms[formKey{about.Sealed.Form, about.rules()}]
}

// keepForm remembers a form by its sum, unless it says something else of every file; form may be nil.
func (c *Cache) keepForm(about *File, form *timestamp.Form) {
	if form == nil || form.Stateful() {
		return
	}
	k := formKey{form.Sum(), about.rules()}
	c.mu.Lock()
	defer c.mu.Unlock()
	makeRoom(c.forms, k, cacheForms)
	c.forms[k] = form
}

// recall returns what is known of a file, nil if it is nothing.
func (c *Cache) recall(about *File) *known {
	if about.Sealed == (Sealed{}) {
		return c.get(about.ID)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.stretches[about.stretch()]
}

// remember is keep for a file that may be a stretch of a sealed log: of that no order and no outline is kept.
func (c *Cache) remember(about *File, k *known) {
	if about.Sealed == (Sealed{}) {
		c.keep(about.ID, k)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	makeRoom(c.stretches, about.stretch(), cacheStretches)
	c.stretches[about.stretch()] = k
}

// makeRoom forgets any one of a map that is full, if k is to be entered.
func makeRoom[K comparable, V any](m map[K]V, k K, most int) {
	if _, has := m[k]; has || len(m) < most {
		return
	}
	for other := range m {
		delete(m, other)
		return
	}
}
