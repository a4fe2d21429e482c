//go:build !amd64

package main

import "github.com/mlfactory/mlfactory/internal/simd"

func peak(simd.Path) (flops float64, call func()) { return 0, nil }
