package source

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
)

// ErrOutside says that a file lies outside the roots, or that a link on its way leads there.
var ErrOutside = errors.New("it lies outside the allowed roots")

// roots are the directories beneath which files may be opened: real paths, without links.
type roots []string

// resolveRoots resolves the administrator's directories. Those that do not exist (yet) are left
// out; the path of a root itself may hold links, it is the administrator's own.
func resolveRoots(dirs []string) roots {
	var r roots
	for _, d := range dirs {
		if real, err := filepath.EvalSymlinks(d); err == nil && !slices.Contains(r, real) {
			r = append(r, real)
		}
	}
	return r
}

// locate splits a real path into the root that it lies beneath and the path from there.
func (r roots) locate(real string) (root, rel string, err error) {
	for _, d := range r {
		if rest, ok := beneath(real, d); ok && rest != "" {
			return d, rest, nil
		}
	}
	return "", "", ErrOutside
}

// follow resolves the link at a path and returns the real path if a root holds it.
func (r roots) follow(link string) (real string, err error) {
	real, err = filepath.EvalSymlinks(link)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return "", fmt.Errorf("broken link: %w", fs.ErrNotExist)
		}
		return "", err
	}
	for _, d := range r {
		if _, ok := beneath(real, d); ok {
			return real, nil
		}
	}
	return "", ErrOutside
}

// beneath returns what is left of p below dir, empty if it is dir itself.
func beneath(p, dir string) (rest string, ok bool) {
	if p == dir {
		return "", true
	}
	if dir != "/" {
		dir += "/"
	}
	return strings.CutPrefix(p, dir)
}
