//go:build !unix

package frame

import "os"

// mapFile always fails: the caller reads the file instead.
func mapFile(*os.File, int64) ([]byte, error) { return nil, errNoMap }

func unmap([]byte) error { return nil }
