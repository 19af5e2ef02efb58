package main

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/trawl-logs/trawl/schemas"
)

// diagnosis is what doctor found, and its JSON form; fields may be added, none renamed.
type diagnosis struct {
	Healthy     bool            `json:"healthy"`
	Bus         *busDiagnosis   `json:"bus"` // null with --local
	Roster      string          `json:"roster,omitempty"`
	RosterError string          `json:"roster_error,omitempty"`
	Nodes       []nodeDiagnosis `json:"nodes"`
	Problems    []string        `json:"problems"`
	Notes       []string        `json:"notes"`
	Next        []string        `json:"next"`
}

type busDiagnosis struct {
	URL       string    `json:"url"`
	Server    string    `json:"server"`
	RoundTrip float64   `json:"round_trip_ms"`
	User      string    `json:"user"`
	Refused   []refusal `json:"refused"`
}

type refusal struct {
	What    string `json:"what"`
	Subject string `json:"subject"`
}

type nodeDiagnosis struct {
	Node    string          `json:"node"`
	State   string          `json:"state"` // up, starting, down; here with --local
	Since   *time.Time      `json:"since,omitempty"`
	Version string          `json:"version"`
	Error   string          `json:"error,omitempty"`
	Clock   *clockDiagnosis `json:"clock,omitempty"`
	User    string          `json:"user,omitempty"`
	Zone    string          `json:"zone,omitempty"`
	Sources []sourceReport  `json:"sources"`
	Places  []placeReport   `json:"unreadable_places"`

	checkup *schemas.Checkup
}

type clockDiagnosis struct {
	Ahead  float64 `json:"ahead_ms"`
	Within float64 `json:"within_ms"`

	ahead, within time.Duration
}

type placeReport struct {
	Path  string `json:"path"`
	Error string `json:"error"`
}

type sourceReport struct {
	Service    string       `json:"service"`
	Logs       string       `json:"logs"`
	Files      int64        `json:"files"`
	Bytes      int64        `json:"bytes"`
	Opened     int64        `json:"opened"`
	Unreadable int64        `json:"unreadable"`
	Timeless   int64        `json:"without_times"`
	Unsorted   int64        `json:"unsorted"`
	Details    []fileReport `json:"details"`
}

type fileReport struct {
	Path     string     `json:"path"`
	Bytes    int64      `json:"bytes"`
	Modified *time.Time `json:"modified"`
	Error    string     `json:"error,omitempty"`
	Form     string     `json:"times"`
	Sample   string     `json:"sample"`
	First    *time.Time `json:"first"`
	Last     *time.Time `json:"last"`
	Order    string     `json:"order"` // sorted, unsorted or unknown
}

func encodeLine(w io.Writer, v any) error {
	line := json.NewEncoder(w)
	line.SetEscapeHTML(false)
	return line.Encode(v)
}

// conclude turns the checkups into reports, and says what is wrong and what to do.
func (d *diagnosis) conclude() {
	d.Problems, d.Notes, d.Next = []string{}, []string{}, []string{}
	if d.Nodes == nil {
		d.Nodes = []nodeDiagnosis{}
	}
	if d.Bus != nil {
		d.concludeBus()
	}
	for i := range d.Nodes {
		d.concludeNode(&d.Nodes[i])
	}
	d.Healthy = len(d.Problems) == 0
	if d.Healthy && d.Bus != nil {
		d.advise("trawl grep --explain PATTERN   what a query would read")
	}
	if d.Healthy && d.Bus == nil {
		d.advise("trawl responder               serve these logs, with the same flags")
	}
}

func (d *diagnosis) concludeBus() {
	for _, r := range d.Bus.Refused {
		d.problem("%s may not %s (%s)", d.Bus.User, r.What, r.Subject)
	}
	if len(d.Bus.Refused) > 0 {
		d.advise("give %s the permissions of PROTOCOL.md, section 8", d.Bus.User)
	}
	switch {
	case d.RosterError != "":
		d.problem("%s", d.RosterError)
	case len(d.Nodes) == 0:
		d.problem("no node is known, or none that was named")
		d.advise("trawl responder --server %s --logs GLOB   on each machine", d.Bus.URL)
	case d.Roster == "discovered":
		d.note("the nodes were discovered: without JetStream, one that is down may not be missed")
	}
}

func (d *diagnosis) concludeNode(n *nodeDiagnosis) {
	n.Sources, n.Places = []sourceReport{}, []placeReport{}
	switch {
	case n.State == "down":
		d.problem("%s is down", n.Node)
		d.advise("systemctl status trawl   on %s; if it is gone for good, trawl nodes forget %[1]s", n.Node)
	case n.Error != "":
		d.problem("%s: %s", n.Node, n.Error)
	case n.State == "starting":
		d.note("%s has not scanned its files yet", n.Node)
	}
	if c := n.Clock; c != nil && c.ahead.Abs()-c.within > clockLimit {
		d.problem("the clock of %s is %s", n.Node, c)
		d.advise("timedatectl   on %s: times and --since are by its clock", n.Node)
	}
	if n.checkup == nil {
		return
	}
	n.User, n.Zone = n.checkup.User, n.checkup.Zone
	for _, p := range n.checkup.Problems {
		n.Places = append(n.Places, placeReport{p.File, p.Err})
	}
	if len(n.Places) > 0 {
		d.problem("%s does not search %s", n.Node, plural(int64(len(n.Places)), "place"))
		d.advise("see %s, marked !: a link may lead out of the roots, or %s may not read there", n.Node, n.User)
	}
	if why := n.checkup.Store; why != "" {
		d.problem("%s: %s", n.Node, why)
	}
	for i := range n.checkup.Sources {
		s := reportOf(&n.checkup.Sources[i])
		n.Sources = append(n.Sources, s)
		d.concludeSource(n, &s)
	}
}

func (d *diagnosis) concludeSource(n *nodeDiagnosis, s *sourceReport) {
	switch {
	case s.Files == 0:
		d.problem("%s: no file matches %s", n.Node, s.Logs)
		d.advise("ls %s   on %s", s.Logs, n.Node)
	case s.Unreadable > 0:
		d.problem("%s: %d of %s of %s cannot be read as %s", n.Node, s.Unreadable, plural(s.Files, "file"), s.Logs, n.User)
		d.advise("usermod -aG adm,systemd-journal USER   on %s, or a file's own group; then restart it", n.Node)
	}
	if s.Timeless > 0 {
		d.note("%s: %s of %s without times: --since makes the node partial; see time_format", n.Node, plural(s.Timeless, "file"), s.Logs)
	}
	if s.Unsorted > 0 {
		d.note("%s: %s of %s not in time order: read in full with --since", n.Node, plural(s.Unsorted, "file"), s.Logs)
	}
	if left := s.Files - s.Opened; left > 0 && s.Opened > 0 {
		d.note("%s: %s of %s not looked into", n.Node, plural(left, "older file"), s.Logs)
	}
}

func (d *diagnosis) problem(format string, args ...any) {
	d.Problems = append(d.Problems, fmt.Sprintf(format, args...))
}

func (d *diagnosis) note(format string, args ...any) {
	d.Notes = append(d.Notes, fmt.Sprintf(format, args...))
}

func (d *diagnosis) advise(format string, args ...any) {
	if next := fmt.Sprintf(format, args...); !slices.Contains(d.Next, next) {
		d.Next = append(d.Next, next)
	}
}

func reportOf(s *schemas.SourceCheckup) sourceReport {
	r := sourceReport{
		Service: s.Service, Logs: s.Logs, Files: s.Files, Bytes: s.Bytes, Opened: s.Opened,
		Unreadable: s.Unreadable, Timeless: s.Timeless, Unsorted: s.Unsorted, Details: []fileReport{},
	}
	for _, f := range s.Details {
		order := "unknown"
		switch f.Order {
		case schemas.OrderSorted:
			order = "sorted"
		case schemas.OrderUnsorted:
			order = "unsorted"
		}
		r.Details = append(r.Details, fileReport{
			Path: f.Path, Bytes: f.Size, Modified: instant(f.ModTime, 0), Error: f.Err, Form: f.Form, Sample: f.Sample,
			First: instant(f.First, schemas.NoTime), Last: instant(f.Last, schemas.NoTime), Order: order,
		})
	}
	return r
}

// instant is a time in UTC; nil if it is not known.
func instant(ns, unknown int64) *time.Time {
	if ns == unknown {
		return nil
	}
	t := time.Unix(0, ns).UTC()
	return &t
}
