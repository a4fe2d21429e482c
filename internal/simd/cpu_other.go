//go:build !amd64

package simd

// needs is empty: only the generic path exists here.
func needs(Path) []ability { return nil }
