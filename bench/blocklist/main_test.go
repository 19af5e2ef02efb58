package main

import (
	"os"
	"strings"
	"testing"
)

// TestMain is the bus where the simulation starts this program as one.
func TestMain(m *testing.M) {
	if len(os.Args) == 3 && os.Args[1] == "-serve" {
		if err := serveBus(os.Args[2]); err != nil {
			panic(err)
		}
		return
	}
	os.Exit(m.Run())
}

// In small, each reading has all that it should: measure looks, from a bus that was started anew, in answers of one piece and of several.
func TestMeasureSmall(t *testing.T) {
	var out strings.Builder
	if err := measure(t.Context(), &out, 3000, 1); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"| 3000 | one service, an hour | 5 |", "| 3000 | all services, a day | 2401 |", "| 3000 | all | 3000 |"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("there is no %q in\n%s", want, &out)
		}
	}
}
