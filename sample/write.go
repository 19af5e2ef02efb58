package sample

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
)

// Truth is what truth.json says: what a search of the logs must find.
type Truth struct {
	Seed  uint64      `json:"seed"`
	Rates Rates       `json:"rates"`
	Nodes []NodeTruth `json:"nodes"`
	Total Counts      `json:"total"`
}

// NodeTruth is the truth of one node's log.
type NodeTruth struct {
	Node string `json:"node"` // "node1"
	File string `json:"file"` // "node1.log", beside truth.json
	Counts
}

// Counts hold the size of one log, or of all, and in how many lines each token stands.
type Counts struct {
	Bytes  int64            `json:"bytes"`
	Lines  int64            `json:"lines"`
	Tokens map[string]int64 `json:"tokens"`
}

// TruthFile is the name of the file that holds the Truth.
const TruthFile = "truth.json"

// ErrNotEmpty is what Write returns, wrapped, for a directory that holds anything and no force.
var ErrNotEmpty = errors.New("directory is not empty")

// Write makes dir with node1.log … nodeN.log and truth.json, which comes last: where it stands, the
// logs are whole. It calls progress, if there is one, with the bytes written so far, from several
// goroutines. With force, logs of an earlier Write in dir are replaced; other files stay.
func Write(ctx context.Context, dir string, o Options, force bool, progress func(written int64)) (*Truth, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	if err := prepare(dir, force); err != nil {
		return nil, err
	}
	truth := &Truth{Seed: o.Seed, Rates: o.Rates, Nodes: make([]NodeTruth, o.Nodes)}
	var (
		written atomic.Int64
		group   sync.WaitGroup
		slots   = make(chan struct{}, runtime.GOMAXPROCS(0))
		errs    = make([]error, o.Nodes)
	)
	report := func(n int64) {
		if sum := written.Add(n); progress != nil {
			progress(sum)
		}
	}
	for i := range o.Nodes {
		slots <- struct{}{}
		group.Go(func() {
			defer func() { <-slots }()
			truth.Nodes[i], errs[i] = writeNode(ctx, dir, o, i+1, report)
		})
	}
	group.Wait()
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	truth.Total.Tokens = map[string]int64{}
	for _, node := range truth.Nodes {
		truth.Total.Bytes += node.Bytes
		truth.Total.Lines += node.Lines
		for token, n := range node.Tokens {
			truth.Total.Tokens[token] += n
		}
	}
	return truth, writeTruth(dir, truth)
}

// Node generates node n's log (from 1) into w and returns its truth.
func Node(ctx context.Context, w io.Writer, o Options, n int) (NodeTruth, error) {
	return generate(ctx, w, o, n, func(int64) {})
}

// ReadTruth reads dir's truth.json.
func ReadTruth(dir string) (*Truth, error) {
	data, err := os.ReadFile(filepath.Join(dir, TruthFile))
	if err != nil {
		return nil, err
	}
	truth := new(Truth)
	if err := json.Unmarshal(data, truth); err != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Join(dir, TruthFile), err)
	}
	return truth, nil
}

// prepare makes dir and takes the truth of an earlier run away, before the logs it spoke of.
func prepare(dir string, force bool) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	if len(entries) > 0 && !force {
		return fmt.Errorf("%s: %w", dir, ErrNotEmpty)
	}
	if err := os.Remove(filepath.Join(dir, TruthFile)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for _, entry := range entries {
		number, isNode := strings.CutPrefix(strings.TrimSuffix(entry.Name(), ".log"), "node")
		if isNode && !entry.IsDir() && number != "" && strings.Trim(number, "0123456789") == "" {
			if err := os.Remove(filepath.Join(dir, entry.Name())); err != nil {
				return err
			}
		}
	}
	return nil
}

func writeNode(ctx context.Context, dir string, o Options, n int, report func(int64)) (NodeTruth, error) {
	var truth NodeTruth
	name := fmt.Sprintf("node%d.log", n)
	err := publish(filepath.Join(dir, name), func(w io.Writer) error {
		var err error
		truth, err = generate(ctx, w, o, n, report)
		return err
	})
	return truth, err
}

// generate writes node n's log in steps of some hundred KiB.
func generate(ctx context.Context, out io.Writer, o Options, n int, report func(int64)) (NodeTruth, error) {
	w := newWriter(o, n)
	const step = 256 << 10
	buf := make([]byte, 0, step+maxLine)
	for {
		start := len(buf)
		before := *w
		buf = w.appendLine(buf)
		if last := w.offset > o.Size; last || len(buf) >= step {
			if last {
				buf, *w = buf[:start], before
			}
			if _, err := out.Write(buf); err != nil {
				return NodeTruth{}, err
			}
			report(int64(len(buf)))
			buf = buf[:0]
			if last {
				break
			}
			if err := ctx.Err(); err != nil {
				return NodeTruth{}, context.Cause(ctx)
			}
		}
	}
	truth := NodeTruth{Node: fmt.Sprintf("node%d", n), File: fmt.Sprintf("node%d.log", n)}
	truth.Bytes, truth.Lines, truth.Tokens = w.offset, w.lines, map[string]int64{}
	for i, token := range Tokens {
		truth.Tokens[token] = w.counts[i]
	}
	return truth, nil
}

func writeTruth(dir string, truth *Truth) error {
	return publish(filepath.Join(dir, TruthFile), func(w io.Writer) error {
		encoder := json.NewEncoder(w)
		encoder.SetIndent("", "  ")
		return encoder.Encode(truth)
	})
}

// publish writes path so that it is either whole or not there: temporary file, sync, rename, sync
// of the directory.
func publish(path string, write func(io.Writer) error) (err error) {
	file, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = file.Close()
			_ = os.Remove(file.Name())
		}
	}()
	buffered := bufio.NewWriterSize(file, 64<<10)
	if err := write(buffered); err != nil {
		return err
	}
	if err := buffered.Flush(); err != nil {
		return err
	}
	if err := file.Chmod(0o644); err != nil {
		return err
	}
	if err := file.Sync(); err != nil {
		return err
	}
	if err := file.Close(); err != nil {
		return err
	}
	if err := os.Rename(file.Name(), path); err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	defer dir.Close()
	return dir.Sync()
}
