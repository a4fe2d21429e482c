//go:build !linux

package tree

// adviseHuge does nothing where huge pages cannot be asked for.
func adviseHuge([]uint64) {}
