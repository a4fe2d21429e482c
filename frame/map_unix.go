//go:build unix

package frame

import (
	"os"

	"golang.org/x/sys/unix"
)

// mapFile maps size bytes of r read-only and shared.
func mapFile(r *os.File, size int64) ([]byte, error) {
	if int64(int(size)) != size || size <= 0 {
		return nil, errNoMap
	}
	return unix.Mmap(int(r.Fd()), 0, int(size), unix.PROT_READ, unix.MAP_SHARED) // #nosec G115 -- a file descriptor is small
}

func unmap(data []byte) error { return unix.Munmap(data) }
