package hist

import "github.com/mlfactory/mlfactory/internal/simd"

//go:noescape
func buildAsm(words, gh *uint64, n int, h *uint64, idx *uint32, ahead int, base *uint64, stride int)

func build(words, gh []uint64, h *Block, next Ahead) {
	if simd.Current() == simd.Generic {
		buildGeneric(words, gh, h)
		return
	}
	k := min(len(next.Idx), len(words)/4)
	if k == 0 {
		buildAsm(&words[0], &gh[0], len(words), &h[0], nil, 0, nil, 0)
		return
	}
	buildAsm(&words[0], &gh[0], len(words), &h[0], &next.Idx[0], k, &next.Rows[next.First], next.Stride*8)
}
