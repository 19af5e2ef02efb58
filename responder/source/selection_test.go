package source

import (
	"errors"
	"strings"
	"testing"
	"time"
)

func TestSelection(t *testing.T) {
	e := &Entry{Path: "/var/log/nginx/access.log.1", Service: "nginx", Labels: map[string]string{"env": "prod", "tier": ""}}
	for _, tt := range []struct {
		sel  Selection
		want bool
	}{
		{Selection{}, true},
		{Selection{Services: []string{"ngin*"}}, true},
		{Selection{Services: []string{"a", "nginx"}}, true},
		{Selection{Services: []string{"apache"}}, false},
		{Selection{Labels: []Label{{"env", "p*"}}}, true},
		{Selection{Labels: []Label{{"env", "dev"}, {"env", "prod"}}}, true},
		{Selection{Labels: []Label{{"env", "prod"}, {"zone", "*"}}}, false},
		{Selection{Labels: []Label{{"tier", ""}}}, true},
		{Selection{Paths: []string{"/var/log/nginx/access.log.1"}}, true},
		{Selection{Paths: []string{"/var/log/**"}}, true},
		{Selection{Paths: []string{"/var/log/*"}}, true}, // the directory nginx
		{Selection{Paths: []string{"/var/log/nginx"}}, true},
		{Selection{Paths: []string{"/var/log/nginx/"}}, true},
		{Selection{Paths: []string{"/log/nginx/*"}}, false},
		{Selection{Paths: []string{"access.*"}}, true},
		{Selection{Paths: []string{"nginx/*"}}, true},
		{Selection{Paths: []string{"./nginx/access.log.1"}}, true},
		{Selection{Paths: []string{"**/access.log.?"}}, true},
		{Selection{Paths: []string{"inx/*"}}, false},
		{Selection{Paths: []string{"*.log"}}, false},
		{Selection{Names: NameRules{{"*.log*", true}}}, true},
		{Selection{Names: NameRules{{"{access,error}.log.1", true}}}, false}, // braces are letters
		{Selection{Names: NameRules{{"*.log", true}}}, false},
		{Selection{Names: NameRules{{"nginx", true}}}, false},
		{Selection{Names: NameRules{{"*.1", false}}}, false},
		{Selection{Names: NameRules{{"nginx", false}}}, true},
		{Selection{Names: NameRules{{"[!b]*", true}, {"*.gz", false}}}, true},
	} {
		f, err := tt.sel.Compile()
		if err != nil {
			t.Errorf("%+v: %v", tt.sel, err)
			continue
		}
		if got := f.Admits(e); got != tt.want {
			t.Errorf("%+v admits %s: %v", tt.sel, e.Path, got)
		}
	}
	braces := &Entry{Path: "/x/{a,b}.log"}
	if f, err := (Selection{Names: NameRules{{`{a,b}.log`, true}}}).Compile(); err != nil || !f.Admits(braces) {
		t.Errorf("braces of --include are no letters: %v", err)
	}
}

func TestSelectionErrors(t *testing.T) {
	bomb := strings.Repeat("{a,b}", 40)
	for _, tt := range []struct {
		sel  Selection
		want error
	}{
		{Selection{Paths: []string{"../etc/passwd"}}, ErrParent},
		{Selection{Paths: []string{"/var/log/../../etc/*"}}, ErrParent},
		{Selection{Paths: []string{"["}}, ErrBadGlob},
		{Selection{Paths: []string{""}}, ErrBadGlob},
		{Selection{Paths: []string{bomb}}, ErrBadGlob},
		{Selection{Services: []string{bomb}}, ErrBadGlob},
		{Selection{Labels: []Label{{"k", bomb}}}, ErrBadGlob},
	} {
		if _, err := tt.sel.Compile(); !errors.Is(err, tt.want) {
			t.Errorf("%.60v: %v, want %v", tt.sel, err, tt.want)
		}
	}
	if _, err := (Selection{Labels: []Label{{"", "x"}}}).Compile(); err == nil {
		t.Error("an empty label key is taken")
	}
}

func TestRotatedOf(t *testing.T) {
	for name, want := range map[string]string{
		"/v/app.log": "", "/v/app.log.gz": "", "/v/app.log.1": "/v/app.log", "/v/app.log.2.gz": "/v/app.log",
		"/v/app.log-20260131.1": "/v/app.log-20260131 /v/app.log", "/v/app-20260131.log": "/v/app.log", "/v/app.1.log.xz": "/v/app.log",
		"/v/app.log.old": "/v/app.log", "/v/app.err": "", "/v/.1": "", "/v/0.log.20260131-120000": "/v/0.log",
	} {
		if got := strings.Join(RotatedOf(name), " "); got != want {
			t.Errorf("RotatedOf(%q) is %q, want %q", name, got, want)
		}
	}
}

func TestServiceOf(t *testing.T) {
	for name, want := range map[string]string{
		"/var/log/payments.log":              "payments",
		"/var/log/payments.log.2.gz":         "payments",
		"/var/log/payments.log-20260131":     "payments",
		"/var/log/payments-2026-01-31.log":   "payments",
		"/var/log/payments.log-20260131.zst": "payments",
		"/var/log/app-20260131-1200.log.1":   "app",
		"/var/log/syslog":                    "syslog",
		"/var/log/syslog.1":                  "syslog",
		"/var/log/syslog.old":                "syslog",
		"/var/log/nginx/access.log":          "nginx",
		"/var/log/nginx/error.log.3.gz":      "nginx",
		"/var/log/access.log":                "access",
		"/var/log/pods/web_7f/app/0.log":     "app",
		"/var/log/node1.log":                 "node1",
		"/var/log/kern-5.10.log":             "kern-5",
		"/var/log/.log":                      ".log",
		"/0.log":                             "0",
	} {
		if got := ServiceOf(name, "/var/log"); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}

func TestCompareNatural(t *testing.T) {
	inOrder := []string{"", "01", "1", "2", "10", "a", "a.log", "a.log.2", "a.log.10", "a1b", "a1b2", "a01b3", "a10", "node9", "node10"}
	for i, a := range inOrder {
		for j, b := range inOrder {
			if got, want := CompareNatural(a, b), min(1, max(-1, i-j)); got != want {
				t.Errorf("%q, %q: %d, want %d", a, b, got, want)
			}
		}
	}
	if CompareNatural("01", "1") == 0 || CompareNatural("01", "1") != -CompareNatural("1", "01") {
		t.Error("names of equal value are not told apart")
	}
}

func FuzzSelection(f *testing.F) {
	f.Add("*.log", "/var/log/a.log")
	f.Add("{a,b}/**/[!c]\\*", "/a/b/c*")
	f.Add("{{a,b},{c,d}}{e,f}", "/ce")
	f.Fuzz(func(t *testing.T, g, name string) {
		start := time.Now()
		filter, err := (Selection{Services: []string{g}, Paths: []string{g}, Names: NameRules{{g, true}, {"x" + g, false}}, Labels: []Label{{"k", g}}}).Compile()
		if err != nil {
			return
		}
		if len(name) > 4096 {
			name = name[:4096]
		}
		e := &Entry{Path: cleanSlashes(name), Service: name, Labels: map[string]string{"k": name}}
		filter.Admits(e)
		filter.concerns(Problem{Path: name}, &Source{})
		if d := time.Since(start); d > 2*time.Second {
			t.Fatalf("took %v", d)
		}
	})
}

func FuzzCompareNatural(f *testing.F) {
	f.Add("a1", "a01", "a2")
	f.Fuzz(func(t *testing.T, a, b, c string) {
		ab, bc, ac := CompareNatural(a, b), CompareNatural(b, c), CompareNatural(a, c)
		if ab != -CompareNatural(b, a) || (ab == 0) != (a == b) {
			t.Fatalf("%q %q: not antisymmetric", a, b)
		}
		if ab < 0 && bc < 0 && ac >= 0 {
			t.Fatalf("%q < %q < %q, but not the outer ones", a, b, c)
		}
	})
}
