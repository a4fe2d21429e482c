package hist

// BuildColumns is [Build] for rows that lie in columns: row i of feature j is
// cols[j*ld+i], and gh[i] its packed gradient and hessian. There are eight
// features, as in a word.
func BuildColumns(cols []uint8, ld int, gh []uint64, h *Block) {
	if len(gh) > 0 {
		_ = cols[(Lanes-1)*ld+len(gh)-1]
		buildColumns(cols, ld, gh, h)
	}
}

// buildColumnsGeneric is the plain twin of the assembly.
func buildColumnsGeneric(cols []uint8, ld int, gh []uint64, h *Block) {
	c0, c1, c2, c3 := cols, cols[ld:], cols[2*ld:], cols[3*ld:]
	c4, c5, c6, c7 := cols[4*ld:], cols[5*ld:], cols[6*ld:], cols[7*ld:]
	n := len(gh)
	c0, c1, c2, c3, c4, c5, c6, c7 = c0[:n], c1[:n], c2[:n], c3[:n], c4[:n], c5[:n], c6[:n], c7[:n]
	for i, g := range gh {
		h[int(c0[i])*Lanes] += g
		h[int(c1[i])*Lanes+1] += g
		h[int(c2[i])*Lanes+2] += g
		h[int(c3[i])*Lanes+3] += g
		h[int(c4[i])*Lanes+4] += g
		h[int(c5[i])*Lanes+5] += g
		h[int(c6[i])*Lanes+6] += g
		h[int(c7[i])*Lanes+7] += g
	}
}

// Add adds the first n bins of other to h.
func Add(h, other *Block, n int) {
	a, b := h[:n*Lanes], other[:n*Lanes]
	b = b[:len(a)]
	for i := range a {
		a[i] += b[i]
	}
}
