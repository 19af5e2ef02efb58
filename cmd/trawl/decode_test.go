package main

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"os"
	"strings"
	"testing"
)

// The golden messages that travel on result subjects, and one of a standing query, come out as JSON; an
// object a line, as testdata/decode.golden has them.
func TestDecode(t *testing.T) {
	golden := func(name string) []byte {
		text, err := os.ReadFile("../../schemas/testdata/v1-" + name + ".hex")
		if err != nil {
			t.Fatal(err)
		}
		msg, err := hex.DecodeString(strings.Join(strings.Fields(string(text)), ""))
		if err != nil {
			t.Fatal(err)
		}
		return msg
	}
	decoded := func(subject string, stream []byte) string {
		var out, errout strings.Builder
		if code := run(context.Background(), []string{"decode", subject}, bytes.NewReader(stream), &out, &errout); code != 0 {
			t.Fatalf("status %d: %s", code, errout.String())
		}
		return out.String()
	}
	var stream []byte
	for _, name := range []string{"hello", "data", "progress", "end", "hello-end", "node"} {
		stream = append(stream, golden(name)...)
	}
	got := decoded("trawl.v1.res.ann.c1.q1.web1", stream) + decoded("trawl.v1.live.errors.web1", golden("live"))
	const file = "testdata/decode.golden"
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("go test ./cmd/trawl -update writes\n%s\nwant\n%s", got, want)
	}
	for line := range strings.Lines(got) {
		if !json.Valid([]byte(line)) {
			t.Errorf("not JSON: %s", line)
		}
	}
	// A checkup is shown as its Go fields, which come and go.
	if checkup := decoded("trawl.v1.res.ann.c1.doctor.web1", golden("checkup")); !strings.HasPrefix(checkup, `{"type":"checkup","Name":"web1",`) || !json.Valid([]byte(checkup)) {
		t.Errorf("a checkup is %s", checkup)
	}
	var out, errout strings.Builder
	for _, broken := range []string{"x", "\x91", string(stream[:len(stream)-1]), "\x97\x01\x05\x05\xc0\xc0\xc0\xc0"} {
		errout.Reset()
		if code := run(context.Background(), []string{"decode"}, strings.NewReader(broken), &out, &errout); code != exitUsage || !strings.HasPrefix(errout.String(), "trawl: decode: ") {
			t.Errorf("%.20q: status %d, %s", broken, code, errout.String())
		}
	}
}
