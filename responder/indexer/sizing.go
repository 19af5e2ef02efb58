package indexer

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"github.com/trawl-logs/trawl/responder/block"
)

// sizingFile keeps the figures that the size of a node's blocks follows from, so that it is the same
// after a restart: as JSON, {"device":"8:1","read_rate":…,"mean_line":…,"level":"normal"}.
const sizingFile = "sizing.json"

const (
	// apart is by what factor a measured rate must differ from the one that blocks are made for, that they
	// are made anew: a disk that others use too, or the page cache of a virtual machine's host, is off by 2
	// from one hour to the next, and blocks of half or twice the size serve as well.
	apart = 4
	// sure is how many intervals must have been measured before.
	sure = 16
)

// figures are what is kept.
type figures struct {
	Device   string  `json:"device"`    // major:minor of the disk that ReadRate is of; empty: none
	ReadRate float64 `json:"read_rate"` // bytes a second; 0: none was measured that is far from the default
	MeanLine float64 `json:"mean_line"` // bytes
	Level    string  `json:"level"`
}

// renew returns the figures to go by from now on: those that are kept, unless they are of another level, or
// the disk has turned out to be another: at the rate of so many intervals. Logs that lie on several disks,
// or are moved, change nothing by themselves. mean is asked only if it is needed.
func (f figures) renew(device, level string, rate float64, intervals int, mean func() float64) figures {
	taken := block.Sizing{ReadRate: f.ReadRate}.Resolve().ReadRate
	measured := intervals >= sure && (rate >= taken*apart || rate <= taken/apart)
	if f.Level == level && f.MeanLine > 0 && !measured {
		return f
	}
	next := figures{Device: f.Device, ReadRate: f.ReadRate, MeanLine: f.MeanLine, Level: level}
	if measured {
		next.Device, next.ReadRate = device, rate
	}
	if !(next.MeanLine > 0) {
		next.MeanLine = mean()
	}
	return next
}

func (f figures) sizing(level block.Level) block.Sizing {
	return block.Sizing{ReadRate: f.ReadRate, MeanLine: f.MeanLine, Level: level}
}

// load reads the figures; what is not there or not right is as none.
func load(dir string) (f figures) {
	text, err := os.ReadFile(filepath.Join(dir, sizingFile))
	if err == nil && json.Unmarshal(text, &f) != nil {
		return figures{}
	}
	return f
}

// save publishes the figures.
func (f figures) save(dir string) error {
	text, err := json.Marshal(f)
	if err != nil {
		return fmt.Errorf("sizing: %w", err)
	}
	name := filepath.Join(dir, sizingFile)
	out, err := os.OpenFile(name+".tmp", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("sizing: %w", err)
	}
	_, err = out.Write(append(text, '\n'))
	if err = errors.Join(err, out.Sync(), out.Close()); err != nil {
		return fmt.Errorf("sizing: %w", err)
	}
	if err := os.Rename(name+".tmp", name); err != nil {
		return fmt.Errorf("sizing: %w", err)
	}
	return nil
}

// disk measures the disk that the logs lie on.
type disk struct {
	mu     sync.Mutex
	path   string // of the log that was the largest when last looked
	device block.Device
	meter  block.Meter
}

// sample takes what the kernel has counted for the disk of path.
func (d *disk) sample(path string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	device, err := block.DeviceOf(path)
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			d.path = ""
		}
		return
	}
	if device != d.device {
		d.device, d.meter = device, block.Meter{}
	}
	d.path = path
	if s, ok, err := block.ReadDisk(device); err == nil && ok {
		d.meter.Add(s)
	}
}

func (d *disk) rate() (device string, rate float64, intervals int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	rate, intervals = d.meter.Rate()
	return fmt.Sprintf("%d:%d", d.device.Major, d.device.Minor), rate, intervals
}
