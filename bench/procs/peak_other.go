//go:build !unix

package procs

import "os"

// PeakOf is the most memory that a process which has ended had resident; it is not known here.
func PeakOf(*os.ProcessState) int64 { return 0 }
