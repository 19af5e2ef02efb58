package procs

import (
	"context"
	"errors"
	"math"
	"runtime"
	"strings"
	"testing"
)

func TestSettled(t *testing.T) {
	const done, busy = `{"node":"a","index":{"settled":true,"files":[]}}` + "\n", `{"node":"b","index":{"settled":false}}` + "\n"
	for _, test := range []struct {
		out  string
		want bool
	}{
		{done + done, true},
		{done + busy, false},
		{done, false}, // the other one is not in the roster yet
		{done + `{"node":"b","error":"silent","index":null}` + "\n", false},
		{done + `{"node":"b","index":{"off":"could not be opened","settled":true}}` + "\n", false},
	} {
		if got, err := settled([]byte(test.out), 2); err != nil || got != test.want {
			t.Errorf("%s: %v, %v", test.out, got, err)
		}
	}
	if _, err := settled([]byte("no\n"), 1); err == nil || !strings.Contains(err.Error(), "trawl blocks") {
		t.Error(err)
	}
}

func TestIndexedEnds(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	cause := errors.New("enough")
	cancel(cause)
	if _, err := (&Fleet{trawl: "true"}).Indexed(ctx, 0); !errors.Is(err, cause) {
		t.Error(err)
	}
}

func TestSpace(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux is asked how much room there is")
	}
	dir := t.TempDir()
	if err := Space(dir, 1); err != nil {
		t.Error(err)
	}
	e, ok := errors.AsType[*SpaceError](Space(dir, math.MaxInt64))
	if !ok || e.Dir != dir || e.Free <= 0 || !strings.Contains(e.Error(), "GB are needed") {
		t.Errorf("%v", e)
	}
	if err := Space(dir+"/nowhere", 1); err == nil || !strings.Contains(err.Error(), "nowhere") {
		t.Error(err)
	}
}
