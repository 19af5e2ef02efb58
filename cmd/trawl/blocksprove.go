package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"

	"github.com/spf13/cobra"

	"github.com/trawl-logs/trawl/requester"
)

// proveTries is how often a pattern is asked in both ways before a difference counts.
const proveTries = 5

// proof is what a query printed: a digest of all but its receipt.
type proof struct {
	sum     hash.Hash
	last    []byte // the line that is not in sum yet
	receipt requester.Receipt
}

// Write takes output of a query, one JSON object a line.
func (p *proof) Write(b []byte) (int, error) {
	n := len(b)
	for {
		i := bytes.IndexByte(b, '\n')
		if i < 0 {
			p.last = append(p.last, b...)
			return n, nil
		}
		if len(p.last) > 0 && p.last[len(p.last)-1] == '\n' { // it was not the last
			p.sum.Write(p.last)
			p.last = p.last[:0]
		}
		p.last = append(p.last, b[:i+1]...)
		b = b[i+1:]
	}
}

// proved is how a pattern came out.
type proved struct {
	Pattern    string `json:"pattern"`
	Equal      bool   `json:"equal"`
	Lines      int64  `json:"lines"`
	Read       int64  `json:"bytes_read"`
	Considered int64  `json:"bytes_considered"`
	Skipped    int64  `json:"blocks_skipped"`
	Tries      int    `json:"tries"`
}

// proveAll asks every pattern with the index and without.
func (f *blocksFlags) proveAll(cmd *cobra.Command, patterns []string) error {
	differ, partial := 0, false
	for _, pattern := range patterns {
		r, complete, err := f.provePattern(cmd, pattern)
		if err != nil {
			return err
		}
		partial = partial || !complete
		if !r.Equal {
			differ++
		}
		if err := f.printProved(cmd.OutOrStdout(), r); err != nil {
			return err
		}
	}
	switch {
	case differ > 0:
		return &exitError{code: exitWrongBlock, err: fmt.Errorf("%s with the index other than without", plural(int64(differ), "answer"))}
	case partial:
		return &exitError{code: exitSilentNode, err: errors.New("not every node answered in full")}
	}
	return nil
}

func (f *blocksFlags) printProved(w io.Writer, r proved) error {
	if f.output == "json" {
		return encodeLine(w, r)
	}
	word := "equal"
	if !r.Equal {
		word = "DIFFERS"
	}
	_, err := fmt.Fprintf(w, "%-7s  %s  read %s of %s  %s\n", word, plural(r.Lines, "line"), formatBytes(r.Read), formatBytes(r.Considered), shown(r.Pattern))
	return err
}

func (f *blocksFlags) provePattern(cmd *cobra.Command, pattern string) (r proved, complete bool, err error) {
	for r.Tries = 1; ; r.Tries++ {
		pruned, err := f.answer(cmd, pattern, false)
		if err != nil {
			return r, false, err
		}
		whole, err := f.answer(cmd, pattern, true)
		if err != nil {
			return r, false, err
		}
		a, b := &pruned.receipt, &whole.receipt
		r.Pattern, r.Lines, r.Read, r.Considered, r.Skipped = pattern, a.Lines, a.BytesRead, a.BytesConsidered, a.Blocks.Skipped
		r.Equal = bytes.Equal(pruned.sum.Sum(nil), whole.sum.Sum(nil)) && a.Lines == b.Lines
		if r.Equal || r.Tries == proveTries {
			return r, a.Complete && b.Complete, nil
		}
	}
}

// answer asks once, as trawl grep does.
func (f *blocksFlags) answer(cmd *cobra.Command, pattern string, exhaustive bool) (*proof, error) {
	args := []string{"-H", "-n", "-b", "--output", "json", "--timeout", f.timeout.String(), "-e", pattern}
	for _, flag := range []struct {
		set  bool
		text string
	}{{f.fixed, "-F"}, {f.anyCase, "-i"}, {exhaustive, "--exhaustive"}} {
		if flag.set {
			args = append(args, flag.text)
		}
	}
	for _, n := range f.nodes {
		args = append(args, "--node", n)
	}
	o, err := parseGrep(args, cmd.Flags())
	if err != nil {
		return nil, err
	}
	p := &proof{sum: sha256.New()}
	grep := &cobra.Command{}
	grep.SetContext(cmd.Context())
	grep.SetOut(p)
	grep.SetErr(cmd.ErrOrStderr())
	grep.SetIn(cmd.InOrStdin())
	var ended *exitError
	if err := grepFleet(grep, &f.connect, o); err != nil && (!errors.As(err, &ended) || ended.err != nil) {
		return nil, err
	}
	if err := json.Unmarshal(p.last, &p.receipt); err != nil {
		return nil, fmt.Errorf("receipt: %w", err)
	}
	return p, nil
}
