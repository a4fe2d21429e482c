package hist

import "github.com/mlfactory/mlfactory/internal/simd"

//go:noescape
func buildAsm(words, gh *uint64, n int, h *uint64)

func build(words, gh []uint64, h *Block) {
	if simd.Current() == simd.Generic {
		buildGeneric(words, gh, h)
		return
	}
	buildAsm(&words[0], &gh[0], len(words), &h[0])
}
