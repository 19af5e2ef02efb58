// Compare prints the table of docs/placement.md: the rule of package placement beside others, on a made-up
// system of services whose blocks, nodes and traces come from a seed.
//
//	go run ./placement/compare
package main

import (
	"fmt"
	"os"
)

func main() {
	if _, err := os.Stdout.WriteString(table()); err != nil {
		fmt.Fprintln(os.Stderr, "compare: write error:", err)
		os.Exit(1)
	}
}
