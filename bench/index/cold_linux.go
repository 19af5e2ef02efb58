package main

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// drop has the kernel forget what it holds of files, and returns how much of them it holds all the same,
// in per cent.
func drop(paths []string) (float64, error) {
	held, all := 0, 0
	for _, path := range paths {
		h, a, err := dropFile(path)
		if err != nil {
			return 0, fmt.Errorf("drop %s from memory: %w", path, err)
		}
		held, all = held+h, all+a
	}
	return 100 * float64(held) / float64(max(all, 1)), nil
}

// dropFile counts pages.
func dropFile(path string) (held, all int, err error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, 0, err
	}
	defer f.Close()
	if err := unix.Fdatasync(int(f.Fd())); err != nil { // what is not written yet stays
		return 0, 0, err
	}
	if err := unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED); err != nil {
		return 0, 0, err
	}
	info, err := f.Stat()
	if err != nil || info.Size() == 0 {
		return 0, 0, err
	}
	var of unix.Cachestat_t
	err = unix.Cachestat(uint(f.Fd()), &unix.CachestatRange{Len: uint64(info.Size())}, &of, 0)
	page := int64(os.Getpagesize())
	return int(of.Cache), int((info.Size() + page - 1) / page), err
}
