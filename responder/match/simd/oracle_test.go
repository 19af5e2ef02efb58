package simd

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

// The oracles: what each search means, one byte at a time.

func same(text, needle byte, fold bool) bool {
	if fold && 'A' <= text && text <= 'Z' {
		text += 'a' - 'A'
	}
	if fold && 'A' <= needle && needle <= 'Z' {
		needle += 'a' - 'A'
	}
	return text == needle
}

func standsAt(buf []byte, i int, needle []byte, fold bool) bool {
	if len(buf)-i < len(needle) {
		return false
	}
	for j, b := range needle {
		if !same(buf[i+j], b, fold) {
			return false
		}
	}
	return true
}

func naiveIndex(buf, needle []byte, fold bool) int {
	for i := 0; i+len(needle) <= len(buf); i++ {
		if standsAt(buf, i, needle, fold) {
			return i
		}
	}
	return -1
}

// naiveBefore is naiveIndex of a needle behind which stands a byte from lo to hi.
func naiveBefore(buf, needle []byte, fold bool, lo, hi byte) int {
	for i := 0; i+len(needle) < len(buf); i++ {
		if next := buf[i+len(needle)]; lo <= next && next <= hi && standsAt(buf, i, needle, fold) {
			return i
		}
	}
	return -1
}

func naiveSet(buf []byte, from int, needles [][]byte, fold bool) (pos, which int) {
	for i := from; i < len(buf); i++ {
		for w, needle := range needles {
			if standsAt(buf, i, needle, fold) {
				return i, w
			}
		}
	}
	return -1, -1
}

func naiveWindow(buf []byte, from int, classes []Class) int {
next:
	for i := from; i+len(classes) <= len(buf); i++ {
		for j := range classes {
			if !classes[j].Has(buf[i+j]) {
				continue next
			}
		}
		return i
	}
	return -1
}

// bothKernels runs f with the kernels in assembly and with those in Go. Without AVX2 there is
// only the latter, which the log says.
func bothKernels(t *testing.T, f func(t *testing.T)) {
	t.Helper()
	for _, pure := range []bool{false, true} {
		if !pure && !available {
			t.Log("this processor has no AVX2: the kernels in Go are all there is to test")
			continue
		}
		t.Run(map[bool]string{false: "avx2", true: "pure"}[pure], func(t *testing.T) {
			defer SetPure(SetPure(pure))
			f(t)
		})
	}
}

func randomText(r *rand.Rand, alphabet string, n int) []byte {
	text := make([]byte, n)
	for i := range text {
		text[i] = alphabet[r.IntN(len(alphabet))]
	}
	return text
}

// logLines makes n bytes of lines as a service writes them.
func logLines(n int) []byte {
	r := rand.New(rand.NewPCG(1, 2))
	words := strings.Fields(`connection accepted from client request served handler returned status cache
		miss user session token expired worker started stopped queue length retry after upstream timeout read
		block replica finished packet receiver terminating exception while fetching container allocated`)
	levels := []string{"INFO", "INFO", "INFO", "INFO", "DEBUG", "WARN"}
	var b bytes.Buffer
	for i := 0; b.Len() < n; i++ {
		fmt.Fprintf(&b, "2026-11-22 %02d:%02d:%02d,%03d %s [worker-%d] com.example.Service: ",
			i/3600000%24, i/60000%60, i/1000%60, i%1000, levels[r.IntN(len(levels))], r.IntN(64))
		for range 4 + r.IntN(8) {
			b.WriteString(words[r.IntN(len(words))])
			b.WriteByte(' ')
		}
		fmt.Fprintf(&b, "id=%08x took=%dms\n", r.Uint32(), r.IntN(1000))
	}
	return b.Bytes()[:n]
}
