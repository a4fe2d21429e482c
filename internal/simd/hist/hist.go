// Package hist holds the inner loops of histogram-based tree learning: it
// adds the gradients of rows to the bins of their features.
//
// # Layout
//
// A feature value is a bin of one byte, 0 meaning "missing". Eight features
// make a word of 64 bits, feature j in bits 8j to 8j+7; a row is a run of
// words. The histogram of the eight features of a word is a [Block], one cache
// line of eight entries for each bin, so a whole block (16 KiB) stays in the
// first-level cache.
//
// An entry packs two sums: the quantised gradient, signed, in the high 32 bits
// and the quantised hessian, unsigned, in the low 32 bits ([Pack], [Unpack]).
// One 64-bit addition updates both. The caller scales gradients so that no sum
// over any set of rows leaves those ranges; then sums are exact, differences
// of sums are exact, and neither the order of the rows nor the number of
// workers can change a result.
//
// The results are the same on every processor and kernel path, bit for bit;
// assembly (the prefetching gather of amd64) is only faster, and the generic
// path does without. The routines panic on slices that are too short, like an index expression.
package hist

import "fmt"

// Bins is the number of bins of a feature, the bin for missing values included.
const Bins = 256

// Lanes is the number of features of a word.
const Lanes = 8

// Block is the histogram of the eight features of a word: entry b*Lanes+j is
// bin b of feature j.
type Block [Bins * Lanes]uint64

// Pack makes an entry from a gradient in [−2³¹, 2³¹) and a hessian in
// [0, 2³²). Entries add and subtract with ordinary 64-bit arithmetic as long
// as the results stay in these ranges.
func Pack(g, h int64) uint64 { return uint64(g)<<32 + uint64(h) }

// Unpack splits an entry.
func Unpack(p uint64) (g, h int64) { return int64(p) >> 32, int64(p & 0xffffffff) }

// Build adds rows to a block: words[i] holds the eight bins of row i and gh[i]
// its packed gradient and hessian. It runs at about one update per processor
// cycle, the limit of the store port. gh must be at least as long as words.
func Build(words, gh []uint64, h *Block) { BuildAhead(words, gh, h, Ahead{}) }

// Ahead names memory that will be gathered soon: the cache lines with word
// First of the rows Idx of a matrix whose rows are Stride words long.
type Ahead struct {
	Rows          []uint64
	Stride, First int
	Idx           []uint32
}

// BuildAhead is [Build], and lets the processor fetch what comes next
// meanwhile: a line with every fourth row, so that at most len(words)/4 of
// next.Idx count. Adding leaves the ways to memory idle, gathering waits for
// them.
func BuildAhead(words, gh []uint64, h *Block, next Ahead) {
	if len(words) > 0 {
		build(words, gh[:len(words)], h, next)
	}
}

// buildGeneric is the plain twin of the assembly.
func buildGeneric(words, gh []uint64, h *Block) {
	gh = gh[:len(words)]
	// The masks let the compiler see that no index leaves the block.
	for i, w := range words {
		g := gh[i]
		h[w<<3&0x7f8] += g
		h[w>>5&0x7f8+1] += g
		h[w>>13&0x7f8+2] += g
		h[w>>21&0x7f8+3] += g
		h[w>>29&0x7f8+4] += g
		h[w>>37&0x7f8+5] += g
		h[w>>45&0x7f8+6] += g
		h[w>>53&0x7f8+7] += g
	}
}

// Subtract takes the first n bins of sub from h: a parent less one child is
// the other child.
func Subtract(h, sub *Block, n int) {
	a, b := h[:n*Lanes], sub[:n*Lanes]
	b = b[:len(a)]
	for i := range a {
		a[i] -= b[i]
	}
}

// Chosen are rows that will be read, and the largest of them: bounds are checked
// by it, once for all reads.
type Chosen struct {
	idx []uint32
	n   int
	top uint32
}

// Choose chooses the rows idx[:n]. idx may be longer; the rows that follow are
// fetched ahead where the processor allows it. idx must not change while c is used.
func Choose(idx []uint32, n int) (c Chosen) { return Chosen{idx, n, largest(idx[:n])} }

// Gather collects words first to first+nw−1 of the chosen rows of a matrix whose
// rows are stride words long, so that [Build] reads memory in order: dst[w*ld+i]
// is word first+w of row i of c. Where dst and the row have room for words beyond
// nw, up to three may be copied too.
func Gather(rows []uint64, stride, first int, c Chosen, nw int, dst []uint64, ld int) {
	if c.n == 0 || nw == 0 {
		return
	}
	_ = dst[(nw-1)*ld+c.n-1]
	if end := int(c.top)*stride + first + nw; end > len(rows) {
		panic(fmt.Sprintf("hist: row %d ends at word %d of a matrix of %d words", c.top, end, len(rows)))
	}
	gather(rows, stride, first, c, nw, dst, ld)
}

// gatherGeneric is the plain twin of the assembly.
func gatherGeneric(rows []uint64, stride, first int, idx []uint32, nw int, dst []uint64, ld int) {
	for i, r := range idx {
		row := rows[int(r)*stride+first:]
		for w, v := range row[:nw] {
			dst[w*ld+i] = v
		}
	}
}

// Pick collects the values of the chosen rows: dst[i] is src at row i of c.
func Pick(src []uint64, c Chosen, dst []uint64) {
	dst = dst[:c.n]
	for i := pick(src, c, dst); i < c.n; i++ {
		dst[i] = src[c.idx[i]]
	}
}

// largestGeneric is the plain twin of the assembly.
func largestGeneric(idx []uint32) uint32 {
	top := uint32(0)
	for _, r := range idx {
		top = max(top, r)
	}
	return top
}
