//go:build unix && !solaris && !illumos && !aix

package store

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// Map returns the object's bytes mapped read-only, shared with every process
// that maps it, and a function that unmaps them. Writing to them is a fault.
// Where the system has no mapping they are read into memory.
func (b *Object) Map() (data []byte, unmap func() error, err error) {
	none := func() error { return nil }
	if b.Size == 0 {
		return nil, none, nil
	}
	f, err := b.Open()
	if err != nil {
		return nil, nil, err
	}
	defer f.Close() // only read; the mapping outlives the descriptor
	data, err = unix.Mmap(int(f.Fd()), 0, int(b.Size), unix.PROT_READ, unix.MAP_SHARED)
	if err != nil {
		return nil, nil, fmt.Errorf("store: map object %s (%q): %w", b.Digest, b.Name, err)
	}
	return data, func() error { return unix.Munmap(data) }, nil
}

// syncDir makes a rename in dir durable.
func syncDir(dir string) error {
	fd, err := unix.Open(dir, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("sync %s: %w", dir, err)
	}
	err = unix.Fsync(fd)
	if cerr := unix.Close(fd); err == nil {
		err = cerr
	}
	if err != nil && err != unix.EINVAL && err != unix.ENOTSUP { // some network file systems cannot
		return fmt.Errorf("sync %s: %w", dir, err)
	}
	return nil
}
