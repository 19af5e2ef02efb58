package source

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Bounds of one walk: how deep it goes, and through how many links one after the other.
const (
	maxDepth = 64
	maxLinks = 8
)

// found receives what a walk comes across.
type found struct {
	// file gets a regular file under its name, with its real path; linked says that they differ.
	file func(name, real string, info fs.FileInfo, linked bool) error
	// fail gets a directory or file that could not be read: files may have been missed there.
	fail func(name string, err error)
	// refuse gets a match that is not registered, and why.
	refuse func(name string, err error)
}

// walker expands one glob.
type walker struct {
	glob    *glob
	exclude []*glob
	roots   roots
	found   found
	dirs    map[string]time.Time // gets the directories, and when they had changed before they were listed
	budget  *int                 // directory entries that may still be looked at, over all globs
}

// place is where a walk stands.
type place struct {
	name  string   // the directory as the glob sees it
	real  string   // the same without links
	depth int      // below the glob's prefix
	via   []string // real directories in which links were followed to get here
}

// run walks the glob. A prefix that does not exist (yet) holds nothing; only an error of a found
// callback or a spent budget ends the walk.
func (w *walker) run() error {
	real, err := filepath.EvalSymlinks(w.glob.prefix)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		w.found.fail(w.glob.prefix, bare(err))
		return nil
	}
	return w.dir(place{name: w.glob.prefix, real: real})
}

func (w *walker) dir(p place) error {
	if info, err := os.Stat(p.real); err == nil {
		if _, listed := w.dirs[p.real]; !listed { // by another glob: the earlier counts
			w.dirs[p.real] = info.ModTime()
		}
	}
	entries, err := os.ReadDir(p.real)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		w.found.fail(p.name, bare(err))
	}
	if *w.budget -= len(entries); *w.budget < 0 {
		return fmt.Errorf("%w: too many directory entries", ErrTooMany)
	}
	for _, e := range entries {
		if err := w.entry(p, e); err != nil {
			return err
		}
	}
	return nil
}

func (w *walker) entry(p place, e fs.DirEntry) error {
	name := join(p.name, e.Name())
	for _, x := range w.exclude {
		if x.match(name) {
			return nil
		}
	}
	real := join(p.real, e.Name())
	switch {
	case e.Type()&fs.ModeSymlink != 0:
		return w.link(p, name, real)
	case e.IsDir():
		if w.glob.descend(e.Name(), p.depth) {
			return w.descend(name, place{name: name, real: real, depth: p.depth + 1, via: p.via})
		}
		if !strings.ContainsAny(w.glob.pattern, globMeta) && w.glob.match(name) {
			w.found.refuse(name, fmt.Errorf("it is a directory; %s/**/*.log would name the logs in it", name))
		}
	case w.glob.match(name):
		info, err := e.Info()
		if err != nil {
			return w.lost(name, err)
		}
		return w.regular(name, real, info, len(p.via) > 0)
	}
	return nil
}

func (w *walker) descend(name string, p place) error {
	if p.depth > maxDepth {
		w.found.fail(name, fmt.Errorf("more than %d directories deep", maxDepth))
		return nil
	}
	return w.dir(p)
}

// link follows a symbolic link, if it could lead to a match and stays beneath the roots.
func (w *walker) link(p place, name, link string) error {
	match, enter := w.glob.match(name), w.glob.descend(filepath.Base(name), p.depth)
	if !match && !enter {
		return nil
	}
	real, err := w.roots.follow(link)
	if err != nil {
		if match {
			w.found.refuse(name, err)
		}
		return nil
	}
	info, err := os.Lstat(real)
	if err != nil {
		return w.lost(name, err)
	}
	if !info.IsDir() {
		if !match {
			return nil
		}
		return w.regular(name, real, info, true)
	}
	if !enter || len(p.via) >= maxLinks || loops(p, real) {
		return nil
	}
	via := append(p.via[:len(p.via):len(p.via)], p.real)
	return w.descend(name, place{name: name, real: real, depth: p.depth + 1, via: via})
}

// loops tells whether a walk that stands at p and follows a link to real would come back to where
// it has been.
func loops(p place, real string) bool {
	for _, d := range append(p.via[:len(p.via):len(p.via)], p.real) {
		if _, ok := beneath(d, real); ok {
			return true
		}
	}
	return false
}

func (w *walker) regular(name, real string, info fs.FileInfo, linked bool) error {
	if !info.Mode().IsRegular() {
		w.found.refuse(name, ErrNotRegular)
		return nil
	}
	return w.found.file(name, real, info, linked)
}

// lost handles a file that was listed and is gone, or cannot be looked at.
func (w *walker) lost(name string, err error) error {
	if !errors.Is(err, fs.ErrNotExist) {
		w.found.fail(name, bare(err))
	}
	return nil
}

func join(dir, base string) string {
	if dir == "/" {
		return "/" + base
	}
	return dir + "/" + base
}
