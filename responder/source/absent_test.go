package source

import (
	"testing"
	"time"
)

func TestAbsent(t *testing.T) {
	c, err := NewCatalog(Options{Sources: []Source{
		{Globs: []string{"/srv/a/*.log"}, Exclude: []string{"/srv/a/debug*"}, Labels: map[string]string{"of": "first"}},
		{Globs: []string{"/srv/**/*.log"}, Exclude: []string{"/srv/b"}, Labels: map[string]string{"of": "second"}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"/srv/a/x.log": "first", "/srv/a/debug.log": "second", "/srv/c/d/x.log": "second", "/srv/b/x.log": "", "/srv/a/x.log.1": "", "/etc/passwd": "",
	} {
		e := c.Absent(name, "shop", 12, time.Unix(5, 0))
		switch {
		case e == nil && want != "", e != nil && e.Labels["of"] != want:
			t.Errorf("%s: %+v, want it of the %q source", name, e, want)
		case e != nil && (e.Path != name || e.Service != "shop" || e.Size != 12 || e.ID != ID{}):
			t.Errorf("%s: %+v", name, e)
		}
	}
}
