package responder

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/trawl-logs/trawl/responder/block"
)

// IndexConfig says what the index of a node may cost: see docs/index.md. There is one only where the
// node has a state directory. A level alone may stand for all of it: index: small.
type IndexConfig struct {
	Level string  `yaml:"level"` // small, normal or large, or off
	CPU   Percent `yaml:"cpu"`   // of one core, to build it
	Size  Size    `yaml:"size"`  // of all indexes together; the oldest logs go without
}

// indexOff is the level of a node without an index.
const indexOff = "off"

// UnmarshalYAML reads a level, or a mapping.
func (c *IndexConfig) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind == yaml.ScalarNode {
		return n.Decode(&c.Level)
	}
	type plain IndexConfig
	for i := 0; i+1 < len(n.Content); i += 2 { // a decoder within UnmarshalYAML does not see KnownFields
		if key := n.Content[i]; key.Value != "level" && key.Value != "cpu" && key.Value != "size" {
			return fmt.Errorf("line %d: unknown key %q", key.Line, key.Value)
		}
	}
	return n.Decode((*plain)(c))
}

func (c *IndexConfig) check() error {
	if c.Level != indexOff {
		if _, err := block.ParseLevel(c.Level); err != nil {
			return fmt.Errorf("%w, off", err)
		}
	}
	switch {
	case c.CPU < 1 || c.CPU > 100:
		return fmt.Errorf("index.cpu: %v%% is not within 1%% and 100%%", float64(c.CPU))
	case c.Size < 0:
		return errors.New("index.size is negative")
	}
	return nil
}

// Percent is a share in a config: 10%, or 10.
type Percent float64

// UnmarshalYAML reads a share.
func (p *Percent) UnmarshalYAML(n *yaml.Node) error {
	return scalar(n, func(s string) error {
		v, err := strconv.ParseFloat(strings.TrimSpace(strings.TrimSuffix(s, "%")), 64)
		if err != nil {
			return fmt.Errorf("share %q is none like 10%%", s)
		}
		*p = Percent(v)
		return nil
	})
}
