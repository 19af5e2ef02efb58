package source

import (
	"maps"
	"os"
	"strings"
	"testing"
)

// Labels and services that are read from a file's name select it; places that could not be read may
// hold any.
func TestLabelsOfNames(t *testing.T) {
	dir := tree(t, map[string]string{"a/web.log": "x\n", "a/db.log": "x\n"})
	c, err := NewCatalog(Options{
		Labels: map[string]string{"env": "prod"},
		Sources: []Source{{
			Globs: []string{dir + "/**/*.log"}, Labels: map[string]string{"tier": "front", "pod": "fixed"},
			LabelsOf: func(name string) map[string]string {
				if !strings.HasSuffix(name, "web.log") {
					return nil
				}
				return map[string]string{"container": "cart", "pod": "read"}
			},
			ServiceLabel: "container",
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
	snap, err := c.Refresh(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(snap.Files) != 2 {
		t.Fatalf("%+v", snap)
	}
	db, web := snap.Files[0], snap.Files[1]
	if db.Service != "db" || web.Service != "cart" {
		t.Errorf("services %q and %q", db.Service, web.Service)
	}
	if want := map[string]string{"env": "prod", "tier": "front", "pod": "fixed", "container": "cart"}; !maps.Equal(web.Labels, want) {
		t.Errorf("labels %v", web.Labels)
	}
	if want := map[string]string{"env": "prod", "tier": "front", "pod": "fixed"}; !maps.Equal(db.Labels, want) {
		t.Errorf("labels %v", db.Labels)
	}
	filter, err := Selection{Labels: []Label{{"container", "ca*"}}}.Compile()
	if err != nil {
		t.Fatal(err)
	}
	failed := Problem{Path: dir + "/b", Err: os.ErrPermission}
	files, problems := c.Select(&Snapshot{Files: snap.Files, Failed: []Problem{failed}}, filter)
	if len(files) != 1 || files[0] != web || len(problems) != 1 {
		t.Errorf("%v, %v", files, problems)
	}
}

// What is no file is selected by its name as well.
func TestEntriesThatAreNoFiles(t *testing.T) {
	e := NewEntry("journald:nginx.service", "nginx", map[string]string{"env": "prod"})
	for _, c := range []struct {
		s    Selection
		want bool
	}{
		{Selection{}, true}, {Selection{Services: []string{"ng*"}}, true}, {Selection{Services: []string{"x"}}, false},
		{Selection{Paths: []string{"journald:*"}}, true}, {Selection{Paths: []string{"/var/log/**"}}, false},
		{Selection{Paths: []string{"journald:nginx.service"}}, true}, {Selection{Labels: []Label{{"env", "prod"}}}, true},
		{Selection{Labels: []Label{{"env", "test"}}}, false}, {Selection{Names: NameRules{{Glob: "*.log", Include: true}}}, false},
	} {
		f, err := c.s.Compile()
		if err != nil {
			t.Fatal(err)
		}
		if f.Admits(e) != c.want {
			t.Errorf("%+v admits it: %v", c.s, !c.want)
		}
	}
}
