// Package paired times commands beside one another: whole processes, with output into a pipe that is
// read to its end, and the figures of their paired runs.
package paired

import (
	"bytes"
	"fmt"
	"hash/maphash"
	"io"
	"math"
	"os"
	"os/exec"
	"slices"
	"time"
)

// Cost is what one run of a command took: wall time from before the fork to after its end, and the
// processor time of the process.
type Cost struct{ Wall, CPU time.Duration }

// Once runs a command to its end.
func Once(argv []string) (Cost, error) {
	buf := make([]byte, 1<<20)
	t := time.Now()
	cmd, out, err := start(argv)
	if err != nil {
		return Cost{}, err
	}
	for err == nil {
		_, err = out.Read(buf)
	}
	err = finish(cmd)
	wall := time.Since(t)
	return Cost{wall, cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()}, err
}

func start(argv []string) (*exec.Cmd, io.Reader, error) {
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Env = append(os.Environ(), "LC_ALL=C.UTF-8")
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, nil, err
	}
	return cmd, out, cmd.Start()
}

// finish waits; a grep's exit status 1 says that nothing matched.
func finish(cmd *exec.Cmd) error {
	err := cmd.Wait()
	if e, ok := err.(*exec.ExitError); ok && e.ExitCode() == 1 {
		return nil
	}
	return err
}

var seed = maphash.MakeSeed()

// LineSum adds up the hashes of a command's output lines, each without what trim takes off: equal
// sums, equal lines in some order. A nil trim takes nothing off.
func LineSum(argv []string, trim func(line []byte) []byte) (uint64, error) {
	cmd, out, err := start(argv)
	if err != nil {
		return 0, err
	}
	var sum uint64
	var rest []byte
	buf := make([]byte, 1<<20)
	for err == nil {
		var n int
		n, err = out.Read(buf)
		rest = append(rest, buf[:n]...)
		for {
			i := bytes.IndexByte(rest, '\n')
			if i < 0 {
				break
			}
			line := rest[:i]
			if trim != nil {
				line = trim(line)
			}
			sum += maphash.Bytes(seed, line)
			rest = rest[i+1:]
		}
		rest = bytes.Clone(rest)
	}
	return sum, finish(cmd)
}

// Quantile is the q-quantile of v, between the two nearest values.
func Quantile(v []float64, q float64) float64 {
	s := slices.Sorted(slices.Values(v))
	x := q * float64(len(s)-1)
	i := int(x)
	if i+1 == len(s) {
		return s[i]
	}
	return s[i] + (x-float64(i))*(s[i+1]-s[i])
}

// Ratios divides pair by pair.
func Ratios(over, under []float64) []float64 {
	var out []float64
	for i := range over {
		out = append(out, over[i]/under[i])
	}
	return out
}

// Spread is the median of v and its quartiles, as text; a dash for none.
func Spread(v []float64) string {
	if len(v) == 0 {
		return "–"
	}
	return fmt.Sprintf("%.2f (%.2f–%.2f)", Quantile(v, 0.5), Quantile(v, 0.25), Quantile(v, 0.75))
}

// Likely is the median of v, as text, with the two values between which that of ever more runs would lie, by
// 95 %, whatever their distribution; a dash for none.
func Likely(v []float64) string {
	if len(v) == 0 {
		return "–"
	}
	s, n := slices.Sorted(slices.Values(v)), float64(len(v))
	low := max(int(n/2-0.98*math.Sqrt(n)), 0)
	return fmt.Sprintf("%.3f (%.3f–%.3f)", Quantile(v, 0.5), s[low], s[len(s)-1-low])
}

// Milliseconds is the median of seconds, as text; a dash for none.
func Milliseconds(seconds []float64) string {
	if len(seconds) == 0 {
		return "–"
	}
	return fmt.Sprintf("%.0f", 1000*Quantile(seconds, 0.5))
}
