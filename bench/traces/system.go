package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/trawl-logs/trawl/bench/procs"
	"github.com/trawl-logs/trawl/sample"
)

// skew is how far the nodes' clocks are off, at most.
const skew = 200 * time.Millisecond

// system is a fleet that has a made-up system's logs in sealed blocks alone.
type system struct {
	fleet     *procs.Fleet
	truth     *sample.TraceTruth
	relations string // the file
	blocks    int    // sealed
	stored    int64  // bytes of one copy of each
}

// start writes the logs of a system into dir, has them sealed, and deletes them. Its fleet is to be stopped.
func start(ctx context.Context, c config, dir string, size int64) (_ *system, err error) {
	shop := filepath.Join(dir, "shop")
	c.say("%d MB: writing the logs", size*int64(c.nodes)/1e6)
	s := &system{relations: filepath.Join(shop, sample.RelationsFile)}
	o := sample.TraceOptions{Nodes: c.nodes, Services: c.services, Size: size, Seed: 8, Every: c.every, Skew: skew, Truth: c.runs}
	if s.truth, err = sample.WriteTraces(ctx, shop, o, false, nil); err != nil {
		return nil, err
	}
	var nodes []string
	for i := range c.nodes {
		nodes = append(nodes, fmt.Sprintf("node%d", i+1))
	}
	s.fleet, err = procs.StartConfigured(c.trawl, nodes, func(node string) string {
		return fmt.Sprintf("rescan: 1s\nsources: [{logs: '%s/*.log', store: sealed}]\nsealed: {window: %v, lines: %d, cpu: 100%%, replicas: 2, bandwidth: 1GiB}\n",
			filepath.Join(shop, node), c.window, c.lines)
	})
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			s.fleet.Stop()
		}
	}()
	c.say("%d lines: sealing them", s.truth.Lines)
	began := time.Now()
	if err := s.sealed(ctx, c.patience); err != nil {
		return nil, err
	}
	c.say("%d blocks, each on two nodes, after %v", s.blocks, time.Since(began).Round(time.Second))
	logs, err := filepath.Glob(filepath.Join(shop, "node*", "*.log"))
	for _, log := range logs {
		err = errors.Join(err, os.Remove(log))
	}
	return s, err
}

// look is the time between two questions whether all is sealed.
const look = 500 * time.Millisecond

// sealed waits until two nodes have every line.
func (s *system) sealed(ctx context.Context, patience time.Duration) error {
	argv := s.fleet.Command("blocks", "--list", "--each", "--output", "json")
	lines := int64(0)
	for deadline := time.Now().Add(patience); ; {
		if out, err := exec.CommandContext(ctx, argv[0], argv[1:]...).Output(); err == nil { // at first there is no list
			if lines, err = s.listed(out); err != nil {
				return err
			}
		}
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case lines == s.truth.Lines:
			return nil
		case time.Now().After(deadline):
			return fmt.Errorf("after %v two nodes have %d lines of %d", patience, lines, s.truth.Lines)
		}
		time.Sleep(look)
	}
}

// listed reads a block list, and counts the lines that two nodes have.
func (s *system) listed(list []byte) (lines int64, err error) {
	s.blocks, s.stored = 0, 0
	for row := range bytes.Lines(list) {
		var b struct {
			Lines, Stored int64
			Owners        []string
		}
		if err := json.Unmarshal(row, &b); err != nil {
			return 0, fmt.Errorf("trawl blocks: %w", err)
		}
		if len(b.Owners) >= 2 {
			lines += b.Lines
		}
		s.blocks, s.stored = s.blocks+1, s.stored+b.Stored
	}
	return lines, nil
}
