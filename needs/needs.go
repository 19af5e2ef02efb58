// Package needs says what becomes of a test whose tool is not installed: Tool skips it and names the Debian
// package, so that Go alone is enough to try trawl; where CI is set, as .ci/run does, it fails.
package needs

import (
	"os"
	"os/exec"
	"testing"
)

// Tool wants a command, by name or path, which the Debian package has.
func Tool(t testing.TB, command, debian string) {
	t.Helper()
	if _, err := exec.LookPath(command); err != nil {
		missing(t, command, "apt-get install "+debian)
	}
}

// File wants a file or folder that command makes.
func File(t testing.TB, path, command string) {
	t.Helper()
	if _, err := os.Stat(path); err != nil {
		missing(t, path, command)
	}
}

func missing(t testing.TB, what, remedy string) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatalf("this test needs %s: %s", what, remedy)
	}
	t.Skipf("NOT TESTED: this test needs %s: %s", what, remedy)
}
