//go:build !unix

package bus

import "io"

// lockStore makes the store's directory; there is no lock to take here.
func lockStore(dir string) (io.Closer, error) { return nil, ensureDir(dir) }
