package raw

import (
	"testing"

	"github.com/trawl-logs/trawl/bus/bustest"
)

func TestGatherAndStream(t *testing.T) {
	server := bustest.Start(t, bustest.NoJetStream)
	stop, err := Serve(server.URL(), 5, 2)
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	a, err := NewAsker(server.URL())
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	for range 3 {
		if err := a.Gather(5, 2, 100); err != nil {
			t.Fatal(err)
		}
		// 7 messages of 1,000 bytes from each, in batches of 2: the last one is smaller.
		if err := a.Stream(5, 7, 1000, 20_000); err != nil {
			t.Fatal(err)
		}
		if len(a.got) > 0 {
			t.Fatalf("%d messages more than were asked for", len(a.got))
		}
	}
}

func TestAnswerCodec(t *testing.T) {
	want := answer{3, 1 << 20}
	if got, ok := decodeAnswer(want.encode()); !ok || got != want {
		t.Errorf("%v, %v, want %v", got, ok, want)
	}
	if _, ok := decodeAnswer([]byte("short")); ok {
		t.Error("what is too short decodes")
	}
}
