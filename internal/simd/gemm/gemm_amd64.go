package gemm

import "github.com/mlfactory/mlfactory/internal/simd"

// A panel kernel computes m rows of C, mr at a time, over the width of its
// vectors; strides are in bytes. mask says which lanes of the last vector exist
// (AVX2: an int32 a lane; AVX-512: one word of bits); kernels without Masked in
// their name read and write whole vectors with AVX2.

//go:noescape
func panel1AVX2(m, mr, k int, a *float32, rsa, csa int, b *float32, rsb int, c *float32, rsc int, mask *int32, add int)

//go:noescape
func panel1AVX2Masked(m, mr, k int, a *float32, rsa, csa int, b *float32, rsb int, c *float32, rsc int, mask *int32, add int)

//go:noescape
func panel2AVX2(m, mr, k int, a *float32, rsa, csa int, b *float32, rsb int, c *float32, rsc int, mask *int32, add int)

//go:noescape
func panel2AVX2Masked(m, mr, k int, a *float32, rsa, csa int, b *float32, rsb int, c *float32, rsc int, mask *int32, add int)

//go:noescape
func panel4AVX2(m, mr, k int, a *float32, rsa, csa int, b *float32, rsb int, c *float32, rsc int, mask *int32, add int)

//go:noescape
func panel4AVX2Masked(m, mr, k int, a *float32, rsa, csa int, b *float32, rsb int, c *float32, rsc int, mask *int32, add int)

//go:noescape
func panel1AVX512(m, mr, k int, a *float32, rsa, csa int, b *float32, rsb int, c *float32, rsc int, mask *int32, add int)

//go:noescape
func panel2AVX512(m, mr, k int, a *float32, rsa, csa int, b *float32, rsb int, c *float32, rsc int, mask *int32, add int)

//go:noescape
func panel3AVX512(m, mr, k int, a *float32, rsa, csa int, b *float32, rsb int, c *float32, rsc int, mask *int32, add int)

//go:noescape
func panel4AVX512(m, mr, k int, a *float32, rsa, csa int, b *float32, rsb int, c *float32, rsc int, mask *int32, add int)

// blockM rows of A are multiplied with all panels of B before the next ones, so
// that they stay in the second-level cache.
const blockM = 192

// nearRows is the stride of B, in values, up to which it is read in place: rows
// further apart cost an address translation each.
const nearRows = 256

// fewRows is the number of rows of C up to which packing B does not pay.
const fewRows = 24

// kernel is a panel of a width of some vectors.
type kernel struct {
	vectors int // of the panel
	rows    int // most rows of a tile
}

// kernelFor chooses the panel for the n columns that are left of m rows.
func kernelFor(p simd.Path, m, n int) kernel {
	if p == simd.AVX512 {
		switch v := (n + 15) / 16; {
		case v >= 4:
			return kernel{4, 6}
		case v == 3:
			return kernel{3, 8}
		case v == 2:
			return kernel{2, 12}
		}
		return kernel{1, 14}
	}
	switch {
	case n > 24 && m <= 2:
		return kernel{4, 2}
	case n > 8:
		return kernel{2, 6}
	}
	return kernel{1, 12}
}

// run calls a kernel on some columns.
func (t kernel) run(p simd.Path, masked bool, m, mr, k int, a *float32, rsa, csa int, b *float32, rsb int, c *float32, rsc int, mask *int32, add int) {
	if p == simd.AVX512 {
		switch t.vectors {
		case 1:
			panel1AVX512(m, mr, k, a, rsa, csa, b, rsb, c, rsc, mask, add)
		case 2:
			panel2AVX512(m, mr, k, a, rsa, csa, b, rsb, c, rsc, mask, add)
		case 3:
			panel3AVX512(m, mr, k, a, rsa, csa, b, rsb, c, rsc, mask, add)
		default:
			panel4AVX512(m, mr, k, a, rsa, csa, b, rsb, c, rsc, mask, add)
		}
		return
	}
	switch {
	case t.vectors == 1 && masked:
		panel1AVX2Masked(m, mr, k, a, rsa, csa, b, rsb, c, rsc, mask, add)
	case t.vectors == 1:
		panel1AVX2(m, mr, k, a, rsa, csa, b, rsb, c, rsc, mask, add)
	case t.vectors == 2 && masked:
		panel2AVX2Masked(m, mr, k, a, rsa, csa, b, rsb, c, rsc, mask, add)
	case t.vectors == 2:
		panel2AVX2(m, mr, k, a, rsa, csa, b, rsb, c, rsc, mask, add)
	case masked:
		panel4AVX2Masked(m, mr, k, a, rsa, csa, b, rsb, c, rsc, mask, add)
	default:
		panel4AVX2(m, mr, k, a, rsa, csa, b, rsb, c, rsc, mask, add)
	}
}

// lanes is the number of values of a register.
func lanes(p simd.Path) int {
	if p == simd.AVX512 {
		return 16
	}
	return 8
}

// fast is Mul by the kernels of p.
func fast(p simd.Path, m, n, k int, a, b Matrix, c []float32, ldc int, add bool, buf *Buffer) {
	width := lanes(p)
	inPlace := b.ColStride == 1 && (b.RowStride <= nearRows || m <= fewRows)
	for k0 := 0; k0 < k; k0 += blockK {
		kc := min(blockK, k-k0)
		accumulate := 0
		if add || k0 > 0 {
			accumulate = 1
		}
		var packed []float32
		if !inPlace {
			packed = pack(p, m, n, kc, Matrix{b.Data[k0*b.RowStride:], b.RowStride, b.ColStride}, buf)
		}
		for m0 := 0; m0 < m; m0 += blockM {
			mc := min(blockM, m-m0)
			if rest := m - m0 - mc; rest > 0 && rest < blockM/4 {
				mc = m - m0 // no small last block
			}
			for n0 := 0; n0 < n; {
				t := kernelFor(p, m, n-n0)
				nc := min(t.vectors*width, n-n0)
				var mask [8]int32
				odd := nc - (t.vectors-1)*width // lanes of the last vector
				if p == simd.AVX512 {
					mask[0] = 1<<odd - 1
				} else {
					for j := range odd {
						mask[j] = -1
					}
				}
				bp, rsb := &b.Data[k0*b.RowStride+n0*b.ColStride], b.RowStride
				if packed != nil {
					bp, rsb = &packed[n0*kc], t.vectors*width
				}
				tiles := (mc + t.rows - 1) / t.rows
				t.run(p, odd < width, mc, (mc+tiles-1)/tiles, kc, &a.Data[m0*a.RowStride+k0*a.ColStride], 4*a.RowStride, 4*a.ColStride,
					bp, 4*rsb, &c[m0*ldc+n0], 4*ldc, &mask[0], accumulate)
				n0 += nc
			}
			if mc > blockM {
				break
			}
		}
	}
}

// pack lays out kc rows of B as panels, one after the other: the panel of the
// columns from n0 on begins at n0·kc.
func pack(p simd.Path, m, n, kc int, b Matrix, buf *Buffer) []float32 {
	width := lanes(p)
	d := buf.room((n + 4*width) * kc)
	for n0 := 0; n0 < n; {
		t := kernelFor(p, m, n-n0)
		nc, w := min(t.vectors*width, n-n0), t.vectors*width
		panel := d[n0*kc:]
		if b.ColStride == 1 {
			for i := range kc {
				copy(panel[i*w:i*w+nc], b.Data[i*b.RowStride+n0:])
			}
		} else {
			packColumns(panel, w, b.Data[n0*b.ColStride:], b.RowStride, b.ColStride, kc, nc)
		}
		n0 += nc
	}
	return d
}

// packColumns copies nc columns of kc values to rows that are w apart, eight
// columns at a time, so that each row is written in runs.
func packColumns(d []float32, w int, b []float32, rs, cs, kc, nc int) {
	j := 0
	for ; j+8 <= nc; j += 8 {
		for i := range kc {
			o := d[i*w+j : i*w+j+8 : i*w+j+8]
			at := i*rs + j*cs
			o[0], o[1], o[2], o[3] = b[at], b[at+cs], b[at+2*cs], b[at+3*cs]
			at += 4 * cs
			o[4], o[5], o[6], o[7] = b[at], b[at+cs], b[at+2*cs], b[at+3*cs]
		}
	}
	for ; j < nc; j++ {
		for i := range kc {
			d[i*w+j] = b[i*rs+j*cs]
		}
	}
}
