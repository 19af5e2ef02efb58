package seal

import (
	"bufio"
	"context"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"testing"
	"time"
)

// sealerDir, in the environment, makes the test binary a process that seals in a directory until it is
// killed.
const sealerDir = "TRAWL_SEAL_DIR"

// TestSealUntilKilled is that process.
func TestSealUntilKilled(t *testing.T) {
	dir := os.Getenv(sealerDir)
	if dir == "" {
		return // it is TestKilled that starts it
	}
	w := &world{t: t, logs: dir + "/logs", store: dir + "/store", now: time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)}
	w.o = Options{Window: time.Hour, Lines: 70, Now: func() time.Time { return w.now }, Files: w.candidates, Open: w.open, Family: family,
		Worked: func(ctx context.Context) error { return ctx.Err() }}
	w.reopen()
	if _, err := os.Stdout.WriteString("ready\n"); err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := w.z.Turn(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
}

// A process that is killed while it seals what another one writes neither loses nor doubles a line.
func TestKilled(t *testing.T) {
	runtime.LockOSThread() // the processes live no longer than the thread that started them
	defer runtime.UnlockOSThread()
	kills := 12
	if testing.Short() {
		kills = 3
	}
	quickly(t) // here: the process that is killed does not
	w := newWorld(t, 70)
	w.s.Close()
	dir := w.logs[:len(w.logs)-len("/logs")]
	rng := rand.New(rand.NewPCG(9, 9))
	written, midway := "", 0
	for i := range kills {
		p := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestSealUntilKilled$")
		tie(p)
		p.Env = append(os.Environ(), sealerDir+"="+dir)
		out, err := p.StdoutPipe()
		w.must(err)
		w.must(p.Start())
		lines := bufio.NewReader(out)
		if line, err := lines.ReadString('\n'); line != "ready\n" {
			rest, _ := io.ReadAll(lines)
			t.Fatalf("it does not start: %q, %v\n%s", line, err, rest)
		}
		for k := range 3 + rng.IntN(12) {
			text := w.dated(1000*i+50*k, 50)
			w.append("app."+strconv.Itoa(k%2)+".log", text)
			written += text
		}
		time.Sleep(time.Duration(rng.IntN(20)) * time.Millisecond) // anywhere: the moment is what is drawn
		w.must(p.Process.Kill())
		_ = p.Wait() // it was killed
		entries, err := os.ReadDir(w.store)
		w.must(err)
		for _, e := range entries {
			if len(e.Name()) > 4 && e.Name()[len(e.Name())-4:] == suffixTmp {
				midway++
				break
			}
		}
		w.reopen()
		w.holds(written)
		w.s.Close()
	}
	w.reopen()
	w.turn()
	w.holds(written)
	if n := len(w.s.Blocks()); n == 0 {
		t.Error("nothing was sealed")
	}
	t.Logf("%d of %d kills found a block half made; %d blocks", midway, kills, len(w.s.Blocks()))
}
