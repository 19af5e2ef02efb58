//go:build !linux

package source

import "os"

// openBeneath opens the path rel beneath the real directory root.
func openBeneath(root, rel string) (*os.File, error) { return walkBeneath(root, rel) }
