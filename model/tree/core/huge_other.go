//go:build !linux

package core

// adviseHuge does nothing where huge pages cannot be asked for.
func adviseHuge([]uint64) {}
