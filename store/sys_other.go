//go:build !windows && (!unix || solaris || illumos || aix)

package store

import (
	"errors"
	"os"
	"syscall"
)

const removeHeldLocks = false

// flock refuses: without a lock that dies with its holder, two processes in one
// folder could not be kept apart.
func flock(f *os.File, _ lockMode) error {
	return &os.PathError{Op: "lock", Path: f.Name(), Err: errors.New("this system has no lock that is released by the death of its holder")}
}

// noSpace tells whether a write failed for want of space.
func noSpace(err error) bool { return errors.Is(err, syscall.ENOSPC) }
