package e2e

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/trawl-logs/trawl/sample"
)

// authority is a certificate authority of a test.
type authority struct {
	t    *testing.T
	dir  string
	name string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t *testing.T, dir, name string) *authority {
	t.Helper()
	a := &authority{t: t, dir: dir, name: name}
	a.cert, a.key = a.issue("ca", &x509.Certificate{IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign})
	return a
}

// file names what issue has written: the certificate or the key of a holder, in PEM.
func (a *authority) file(holder, kind string) string {
	return filepath.Join(a.dir, a.name+"-"+holder+"-"+kind+".pem")
}

// issue makes a key and a certificate of it, signed by the authority, or by itself if it is the first.
func (a *authority) issue(holder string, c *x509.Certificate) (*x509.Certificate, *ecdsa.PrivateKey) {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	c.SerialNumber, c.Subject = big.NewInt(time.Now().UnixNano()), pkix.Name{CommonName: a.name + " " + holder}
	c.NotBefore, c.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(24*time.Hour)
	parent, signer := a.cert, a.key
	if parent == nil {
		parent, signer = c, key
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, &key.PublicKey, signer)
	if err != nil {
		a.t.Fatal(err)
	}
	raw, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		a.t.Fatal(err)
	}
	for kind, block := range map[string]*pem.Block{"cert": {Type: "CERTIFICATE", Bytes: der}, "key": {Type: "PRIVATE KEY", Bytes: raw}} {
		if err := os.WriteFile(a.file(holder, kind), pem.EncodeToMemory(block), 0o600); err != nil {
			a.t.Fatal(err)
		}
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		a.t.Fatal(err)
	}
	return cert, key
}

func (a *authority) client(holder string) {
	a.issue(holder, &x509.Certificate{ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
}

// tlsFleet is a bus that shows a certificate of the authority and wants one of its clients.
func tlsFleet(t *testing.T) (*fleet, *authority) {
	t.Helper()
	if err := lookAtSources(); err != nil {
		t.Fatal(err)
	}
	f := &fleet{t: t, home: t.TempDir(), nodes: map[string]*process{}}
	ca := newAuthority(t, f.home, "ours")
	ca.issue("bus", &x509.Certificate{IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}})
	ca.client("node")
	ca.client("ann")
	config := filepath.Join(f.home, "bus.conf")
	text := fmt.Sprintf("listen: \"127.0.0.1:-1\"\njetstream { store_dir: %q }\ntls { cert_file: %q, key_file: %q, ca_file: %q, verify: true }\n",
		filepath.Join(f.home, "bus"), ca.file("bus", "cert"), ca.file("bus", "key"), ca.file("ca", "cert"))
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	out := &syncBuffer{}
	f.bus = start(t, f.home, "bus", out, "bus", "-c", config)
	f.await("the bus prints its URL", 20*time.Second, func() bool {
		if !f.bus.running() {
			t.Fatalf("the bus ended:\n%s", f.bus.log)
		}
		f.url = strings.TrimSpace(out.String())
		return strings.HasSuffix(out.String(), "\n")
	})
	if !strings.HasPrefix(f.url, "tls://127.0.0.1:") {
		t.Fatalf("the bus prints %q", f.url)
	}
	return f, ca
}

// A bus with TLS that wants certificates of its clients: a query through it end to end, with what it
// takes named by flags, by the environment, and by a context of the nats command; and what is wrong
// is refused with its name.
func TestTLS(t *testing.T) {
	f, ca := tlsFleet(t)
	dir := filepath.Join(f.home, "logs")
	truth, err := sample.Write(t.Context(), dir, sample.Options{Nodes: 1, Size: 100_000, Seed: 1, Rates: sample.DefaultRates}, false, nil)
	if err != nil {
		t.Fatal(err)
	}
	of := func(a *authority, holder string) []string {
		return []string{"--tlscert", a.file(holder, "cert"), "--tlskey", a.file(holder, "key"), "--tlsca", a.file("ca", "cert")}
	}
	f.node("node1", append(of(ca, "node"), "--logs", filepath.Join(dir, "node1.log"))...)
	var last result
	f.await("the node is up", 30*time.Second, func() bool {
		last = f.run(append([]string{"nodes", "--server", f.url}, of(ca, "ann")...)...)
		return strings.Contains(rowOf(last.stdout, "node1"), " up ")
	})

	want := truth.Nodes[0].Tokens["EVERYWHERE"]
	answered := func(how string, r result) {
		t.Helper()
		if r.code != 0 || strings.TrimSpace(r.stdout) != fmt.Sprintf("node1:%s:%d", filepath.Join(dir, "node1.log"), want) {
			t.Errorf("%s: exit %d: %s%s", how, r.code, r.stdout, r.stderr)
		}
	}
	answered("by flags", f.grep(append(of(ca, "ann"), "-c", "EVERYWHERE")...))
	env := []string{"TRAWL_SERVER=" + f.url, "TRAWL_TLSCERT=" + ca.file("ann", "cert"), "TRAWL_TLSKEY=" + ca.file("ann", "key"), "TRAWL_TLSCA=" + ca.file("ca", "cert")}
	answered("by the environment", f.runIn(env, "grep", "-c", "EVERYWHERE"))
	f.context("secure", fmt.Sprintf(`{"url":%q,"cert":%q,"key":%q,"ca":%q}`, f.url, ca.file("ann", "cert"), ca.file("ann", "key"), ca.file("ca", "cert")))
	answered("by a context", f.run("grep", "--nats-context", "secure", "-c", "EVERYWHERE"))

	wrong := newAuthority(t, f.home, "theirs")
	wrong.client("ann")
	for name, c := range map[string]struct {
		args []string
		says []string
	}{
		"no authority":          {[]string{"--tlscert", ca.file("ann", "cert"), "--tlskey", ca.file("ann", "key")}, []string{"unknown authority", "--tlsca"}},
		"another authority":     {append(of(ca, "ann")[:4:4], "--tlsca", wrong.file("ca", "cert")), []string{"unknown authority", "--tlsca"}},
		"no certificate":        {[]string{"--tlsca", ca.file("ca", "cert")}, []string{"certificate", "--tlscert"}},
		"another's certificate": {append(of(wrong, "ann")[:4:4], "--tlsca", ca.file("ca", "cert")), []string{"certificate", "--tlscert"}},
		"a key of another":      {[]string{"--tlscert", ca.file("ann", "cert"), "--tlskey", ca.file("node", "key"), "--tlsca", ca.file("ca", "cert")}, []string{"private key", "--tlskey"}},
	} {
		r := f.grep(append(c.args, "-c", "EVERYWHERE")...)
		for _, says := range c.says {
			if r.code != 2 || !strings.Contains(r.stderr, says) || r.stdout != "" {
				t.Errorf("%s: exit %d, want 2 and %q: %s%s", name, r.code, says, r.stdout, r.stderr)
			}
		}
	}

	// A node that trusts another authority says so, and waits.
	stranger := f.node("node2", append(append(of(ca, "node")[:4:4], "--tlsca", wrong.file("ca", "cert")), "--logs", filepath.Join(dir, "*.log"))...)
	f.await("the node says why", 20*time.Second, func() bool { return strings.Contains(stranger.log.String(), "unknown authority") })
	if !stranger.running() {
		t.Error("a node that is refused ends")
	}
	stranger.end(syscall.SIGTERM)
}
