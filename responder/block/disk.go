package block

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Device is a block device by its numbers.
type Device struct{ Major, Minor uint32 }

// DeviceOf is the device that holds a file. Some file systems, tmpfs or overlayfs for one, have a device
// of their own which no disk is.
func DeviceOf(path string) (Device, error) {
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil {
		return Device{}, fmt.Errorf("device of %s: %w", path, err)
	}
	return Device{unix.Major(uint64(st.Dev)), unix.Minor(uint64(st.Dev))}, nil
}

// DiskSample is what the kernel has counted for a device since it started.
type DiskSample struct {
	Reads  uint64 // requests
	Bytes  uint64 // read
	BusyMs uint64 // time with requests under way, whatever they were
}

// sectorBytes is the unit of /proc/diskstats, whatever the device's own.
const sectorBytes = 512

// ReadDisk samples a device from /proc/diskstats; false if it is not there.
func ReadDisk(d Device) (DiskSample, bool, error) {
	f, err := os.Open("/proc/diskstats")
	if err != nil {
		return DiskSample{}, false, fmt.Errorf("disk statistics: %w", err)
	}
	defer f.Close()
	return parseDisk(f, d)
}

// parseDisk finds the line of a device: major minor name reads merged sectors ms writes merged sectors ms
// running busy …
func parseDisk(r io.Reader, d Device) (DiskSample, bool, error) {
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		f := strings.Fields(lines.Text())
		if len(f) < 13 || f[0] != strconv.Itoa(int(d.Major)) || f[1] != strconv.Itoa(int(d.Minor)) {
			continue
		}
		var v [3]uint64
		for i, field := range []int{3, 5, 12} {
			n, err := strconv.ParseUint(f[field], 10, 64)
			if err != nil {
				return DiskSample{}, false, fmt.Errorf("disk statistics of %s: %w", f[2], err)
			}
			v[i] = n
		}
		return DiskSample{Reads: v[0], Bytes: v[1] * sectorBytes, BusyMs: v[2]}, true, nil
	}
	return DiskSample{}, false, lines.Err()
}

const (
	// An interval says something of sequential reading if so much was read in it, in requests of such a size.
	meterBytes   = 8 << 20
	meterRequest = 64 << 10
	meterKept    = 64 // intervals
)

// Meter finds out how fast a disk reads in sequence from the reads that happen anyway, as iostat would:
// bytes read ÷ time busy (rkB/s ÷ %util). It is for one goroutine.
type Meter struct {
	last  DiskSample
	begun bool
	rates []float64
}

// Add takes the next sample.
func (m *Meter) Add(s DiskSample) {
	last, begun := m.last, m.begun
	m.last, m.begun = s, true
	if !begun || s.Bytes < last.Bytes || s.Reads <= last.Reads || s.BusyMs <= last.BusyMs {
		return
	}
	read := s.Bytes - last.Bytes
	if read < meterBytes || read/(s.Reads-last.Reads) < meterRequest {
		return
	}
	if len(m.rates) == meterKept {
		m.rates = m.rates[:copy(m.rates, m.rates[1:])]
	}
	m.rates = append(m.rates, float64(read)/float64(s.BusyMs-last.BusyMs)*1000)
}

// Rate is the median over the last intervals that said anything, at most 64, in bytes a second, and how
// many these were.
func (m *Meter) Rate() (rate float64, intervals int) {
	if len(m.rates) == 0 {
		return 0, 0
	}
	sorted := slices.Clone(m.rates)
	slices.Sort(sorted)
	return sorted[len(sorted)/2], len(sorted)
}
