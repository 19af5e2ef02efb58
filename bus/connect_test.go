package bus

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func env(vars map[string]string) func(string) string {
	return func(name string) string { return vars[name] }
}

// contexts makes a configuration directory of the nats command, with the named contexts.
func contexts(t *testing.T, selected string, files map[string]string) {
	t.Helper()
	dir := t.TempDir()
	t.Setenv("XDG_CONFIG_HOME", dir)
	if err := os.MkdirAll(filepath.Join(dir, "nats", "context"), 0o700); err != nil {
		t.Fatal(err)
	}
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, "nats", name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if selected != "" {
		write("context.txt", selected+"\n")
	}
	for name, text := range files {
		write(filepath.Join("context", name+".json"), text)
	}
}

func TestWhereToConnect(t *testing.T) {
	two := map[string]string{"work": `{"url":"nats://work:4222"}`, "home": `{"url":"nats://home:4222"}`}
	for _, c := range []struct {
		name, selected string
		o              Options
		env            map[string]string
		want           string
	}{
		{"nothing", "", Options{}, nil, DefaultURL},
		{"selected context", "work", Options{}, nil, `context "work"`},
		{"NATS_URL before the selected context", "work", Options{}, map[string]string{"NATS_URL": "nats://env:1"}, "nats://env:1"},
		{"TRAWL_SERVER before NATS_URL", "", Options{}, map[string]string{"NATS_URL": "nats://env:1", "TRAWL_SERVER": "nats://trawl:1"}, "nats://trawl:1"},
		{"TRAWL_NATS_CONTEXT before NATS_URL", "", Options{}, map[string]string{"NATS_URL": "nats://env:1", "TRAWL_NATS_CONTEXT": "home"}, `context "home"`},
		{"flag before the environment", "work", Options{Server: "nats://flag:1"}, map[string]string{"NATS_URL": "nats://env:1", "TRAWL_NATS_CONTEXT": "home"}, "nats://flag:1"},
		{"context flag before the environment", "work", Options{Context: "home"}, map[string]string{"TRAWL_SERVER": "nats://env:1"}, `context "home"`},
		{"both flags", "work", Options{Server: "nats://flag:1", Context: "home"}, nil, `nats://flag:1 (context "home")`},
		{"several, without passwords", "", Options{Server: "nats://me:secret@a:1, b:2"}, nil, "nats://xxxxx@a:1,nats://b:2"},
	} {
		t.Run(c.name, func(t *testing.T) {
			contexts(t, c.selected, two)
			got, err := c.o.FromEnvironment(env(c.env)).target()
			if err != nil || got.String() != c.want {
				t.Errorf("target is %q, %v; want %q", got, err, c.want)
			}
		})
	}
}

func TestContextFromHome(t *testing.T) {
	contexts(t, "work", map[string]string{"work": `{"url":"nats://work:4222"}`})
	home := t.TempDir()
	if err := os.Rename(os.Getenv("XDG_CONFIG_HOME"), filepath.Join(home, ".config")); err != nil {
		t.Fatal(err)
	}
	t.Setenv("XDG_CONFIG_HOME", "")
	t.Setenv("HOME", home)
	if got, err := (Options{}).target(); err != nil || got.String() != `context "work"` {
		t.Errorf("target is %q, %v", got, err)
	}
}

func TestRefusedOptions(t *testing.T) {
	for _, c := range []struct {
		name, context string
		o             Options
		want          string
	}{
		{"unknown context", "", Options{Context: "nowhere"}, `nats context "nowhere": no file`},
		{"context that is a path", "", Options{Context: "../x"}, "not a name"},
		{"context with a field of its own", `{"url":"nats://x","user_jwt":"eyJ","nsc":"a/b"}`, Options{Context: "c"}, "it sets nsc, user_jwt, which trawl does not support"},
		{"context with an unknown field", `{"brand_new":true}`, Options{Context: "c"}, "it sets brand_new"},
		{"context with a certificate store", `{"windows_cert_store":"user"}`, Options{Context: "c"}, "it sets windows_cert_store"},
		{"context with a secret's address", `{"creds":"op://vault/x"}`, Options{Context: "c"}, "creds is not a file name"},
		{"context with a lone certificate", `{"cert":"x.pem"}`, Options{Context: "c"}, "cert and key go together"},
		{"context with two logins", `{"user":"u","creds":"c"}`, Options{Context: "c"}, "more than one of user, creds and nkey"},
		{"broken context", `{`, Options{Context: "c"}, `nats context "c"`},
		{"scheme", "", Options{Server: "http://x:1"}, `scheme "http"`},
		{"missing credentials", "", Options{Server: "127.0.0.1:1", Creds: "/nowhere/x.creds"}, "credentials file: open /nowhere/x.creds"},
		{"missing nkey", "", Options{Server: "127.0.0.1:1", NKey: "/nowhere/x.nk"}, "nkey seed /nowhere/x.nk"},
		{"two logins", "", Options{Server: "127.0.0.1:1", Creds: "a", NKey: "b"}, "exclude each other"},
		{"lone certificate", "", Options{Server: "127.0.0.1:1", TLSCert: "a"}, "--tlscert and --tlskey go together"},
		{"missing authorities", "", Options{Server: "127.0.0.1:1", TLSCA: "/nowhere/ca"}, "TLS authorities file"},
		{"user with blanks", "", Options{User: "john doe"}, `user: "john doe" holds " "`},
		{"empty token in prefix", "", Options{Prefix: "a..b"}, `subject prefix "a..b"`},
		{"wildcard prefix", "", Options{Prefix: "a.*"}, `subject prefix "a.*"`},
		{"nobody there", "", Options{Server: "nats://me:secret@127.0.0.1:1"}, "no connection to the bus at nats://xxxxx@127.0.0.1:1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			contexts(t, "", map[string]string{"c": c.context})
			start := time.Now()
			conn, err := Connect(c.o)
			if err == nil {
				conn.Close()
				t.Fatal("connected")
			}
			if !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "secret") {
				t.Errorf("error is %q, want %q in it", err, c.want)
			}
			if d := time.Since(start); d > 5*time.Second {
				t.Errorf("it took %v", d)
			}
		})
	}
}

func TestUserToken(t *testing.T) {
	if got, err := (Options{User: "ann.example.org"}).UserToken(); err != nil || got != "ann-example-org" {
		t.Errorf("token is %q, %v", got, err)
	}
	if got, err := sanitize(`DOMAIN\jürgen`); err != nil || got != "DOMAIN-j-rgen" {
		t.Errorf("token is %q, %v", got, err)
	}
	if _, err := sanitize("№"); err == nil {
		t.Error("a name without a letter is a token")
	}
}
