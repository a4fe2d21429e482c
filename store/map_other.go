//go:build !unix || solaris || illumos || aix

package store

import "os"

// Map returns the object's bytes, read into memory because this system's
// mapping is not used, and a function that does nothing.
func (b *Object) Map() (data []byte, unmap func() error, err error) {
	data, err = os.ReadFile(b.path)
	return data, func() error { return nil }, err
}

// syncDir does nothing where folders cannot be synced.
func syncDir(string) error { return nil }
