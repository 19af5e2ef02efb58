package source

import (
	"path"
	"slices"
	"time"
)

// Absent returns the entry that a file of that name would have, by the first source that names it; nil if
// none does. It has no ID, and Catalog.Open does not open it.
func (c *Catalog) Absent(name, service string, size int64, modTime time.Time) *Entry {
	for i := range c.sources {
		s := &c.sources[i]
		if !slices.ContainsFunc(s.globs, func(g *glob) bool { return g.match(name) }) || s.excludes(name) {
			continue
		}
		labels := s.Labels
		if s.LabelsOf != nil {
			labels = joined(s.LabelsOf(name), s.Labels)
		}
		return &Entry{Path: name, Service: service, Labels: labels, Size: size, ModTime: modTime, source: i}
	}
	return nil
}

// excludes says whether a file, or a directory that it lies in, is left out.
func (s *compiled) excludes(name string) bool {
	for ; name != "/" && name != "."; name = path.Dir(name) {
		if slices.ContainsFunc(s.exclude, func(g *glob) bool { return g.match(name) }) {
			return true
		}
	}
	return false
}
