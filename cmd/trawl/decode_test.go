package main

import (
	"context"
	"encoding/hex"
	"os"
	"strings"
	"testing"
)

// The golden messages that travel on result subjects, one after the other, come out as JSON.
func TestDecode(t *testing.T) {
	var stream []byte
	for _, name := range []string{"hello", "data", "progress", "end", "hello-end", "node", "checkup"} {
		text, err := os.ReadFile("../../schemas/testdata/v1-" + name + ".hex")
		if err != nil {
			t.Fatal(err)
		}
		msg, err := hex.DecodeString(strings.Join(strings.Fields(string(text)), ""))
		if err != nil {
			t.Fatal(err)
		}
		stream = append(stream, msg...)
	}
	var out, errout strings.Builder
	if code := run(context.Background(), []string{"decode", "trawl.v1.res.ann.c1.q1.web1"}, strings.NewReader(string(stream)), &out, &errout); code != 0 {
		t.Fatalf("status %d: %s", code, errout.String())
	}
	for _, want := range []string{
		`{"type":"hello","user":"ann","query":"q1","node":"web1","run":"1152921504606846976","seq":1,"instance":"i1"`,
		`"seq":2,"service":"api","file":"/var/log/a.log","line":7,"offset":90,"text":"a"}`,
		`"text":"c","more":true}`, `{"type":"rest"`, `"text":"cc","continues":true}`, `"type":"context"`,
		`{"type":"count","user":"ann"`, `"count":12345`, `"type":"progress"`, `"status":"partial","reason":"1 file failed"`,
		`{"type":"node","Name":"web1"`, `{"type":"checkup","Name":"web1"`,
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %s in\n%s", want, out.String())
		}
	}
	for _, broken := range []string{"x", "\x91", string(stream[:len(stream)-1]), "\x97\x01\x05\x05\xc0\xc0\xc0\xc0"} {
		errout.Reset()
		if code := run(context.Background(), []string{"decode"}, strings.NewReader(broken), &out, &errout); code != exitUsage || !strings.HasPrefix(errout.String(), "trawl: decode: ") {
			t.Errorf("%.20q: status %d, %s", broken, code, errout.String())
		}
	}
}
