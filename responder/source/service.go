package source

import (
	"path"
	"regexp"
	"strings"
	"sync"
)

// rotated matches one rotation mark at the end of a name: a generation (.1), a date (-20260131,
// .2026-01-31), both with an optional time of day, or a word (.old). It is compiled when first needed, as every command
// waits for what packages do at the start.
var rotated = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`(?:\.[0-9]{1,4}|[-._][0-9]{4}-?[0-9]{2}-?[0-9]{2}(?:[-T_.]?[0-9]{2,6})?|\.(?:old|bak|prev))$`)
})

// Suffixes of a name that are no part of a service's name, in the order in which they are cut off.
var (
	packed = []string{".gz", ".zst", ".xz", ".bz2"}
	kinds  = []string{".log", ".txt", ".out", ".err", ".json", ".jsonl"}
)

// streams are names that say which stream a file is, not whose.
var streams = map[string]bool{
	"": true, "log": true, "logs": true, "current": true, "console": true, "output": true,
	"out": true, "err": true, "stdout": true, "stderr": true, "access": true, "error": true,
}

// ServiceOf derives the service of a file for which none is configured: the base name without
// compression (.gz), rotation (.1, -20260131, .old) and kind (.log). A name that only says which
// stream the file is (access, error, stdout, current, digits …) takes its directory's name instead,
// unless that directory is the glob's prefix, root, itself.
//
//	/var/log/payments.log.2.gz            payments
//	/var/log/nginx/access.log             nginx    (glob /var/log/**/*.log)
//	/var/log/pods/web_7f/app/0.log        app
func ServiceOf(name, root string) string {
	base := Family(name)
	stream := streams[base] || strings.Trim(base, "0123456789") == ""
	if dir := path.Dir(name); stream && dir != root && dir != "/" {
		return path.Base(dir)
	}
	if base == "" {
		return path.Base(name)
	}
	return base
}

// Family returns a file's base name without compression, rotation and kind: what the files that
// rotation makes of a log have in common. It may be empty.
func Family(name string) string {
	base := path.Base(name)
	for _, s := range packed {
		base = strings.TrimSuffix(base, s)
	}
	for range 2 { // app.log-20260131.1, app-20260131.log
		base = rotated().ReplaceAllString(base, "")
		for _, s := range kinds {
			base = strings.TrimSuffix(base, s)
		}
	}
	return base
}

// RotatedOf returns the names that a file may have had before it was rotated, and compressed, by its own
// name, what was added last taken off first: of app.log-20260131.1.gz these are app.log-20260131 and
// app.log, of app-20260131.log it is app.log. There are none if the name says nothing of a rotation.
func RotatedOf(name string) (names []string) {
	name, _ = PackedFrom(name)
	dir, base := path.Split(name)
	ends := []string{""} // what stands behind the marks
	for _, s := range kinds {
		if strings.HasSuffix(base, s) {
			ends = append(ends, s)
		}
	}
	for _, end := range ends {
		stem := strings.TrimSuffix(base, end)
		for range 2 {
			mark := rotated().FindStringIndex(stem)
			if mark == nil || mark[0] == 0 {
				break
			}
			stem = stem[:mark[0]]
			names = append(names, dir+stem+end)
		}
	}
	return names
}

// PackedFrom returns the name that a file had before it was compressed, by its own name; ok is false
// if that says nothing of a compression.
func PackedFrom(name string) (plain string, ok bool) {
	for _, s := range packed {
		if plain, ok = strings.CutSuffix(name, s); ok {
			return plain, true
		}
	}
	return name, false
}
