package gemm

import "github.com/mlfactory/mlfactory/internal/simd"

// A panel kernel computes m rows of C, mr at a time, over the width of its
// vectors; strides are in bytes. mask says which lanes of the last vector exist
// (AVX2: an int32 a lane; AVX-512: one word of bits); kernels without Masked in
// their name read and write whole vectors with AVX2. how is a sum of adds,
// tiled and continues. far: with continues the rows that the sums begin with, rsc
// apart; else memory to fetch for later, of which each eight steps of k of a tiled A
// take step bytes, and with AVX-512 each step of a column-major one.

//go:noescape
func panel1AVX2(m, mr, k int, a *float32, rsa, csa int, b *float32, rsb int, c *float32, rsc int, mask *int32, how int, far *float32, step, rsd int)

//go:noescape
func panel1AVX2Masked(m, mr, k int, a *float32, rsa, csa int, b *float32, rsb int, c *float32, rsc int, mask *int32, how int, far *float32, step, rsd int)

//go:noescape
func panel2AVX2(m, mr, k int, a *float32, rsa, csa int, b *float32, rsb int, c *float32, rsc int, mask *int32, how int, far *float32, step, rsd int)

//go:noescape
func panel2AVX2Masked(m, mr, k int, a *float32, rsa, csa int, b *float32, rsb int, c *float32, rsc int, mask *int32, how int, far *float32, step, rsd int)

//go:noescape
func panel3AVX2(m, mr, k int, a *float32, rsa, csa int, b *float32, rsb int, c *float32, rsc int, mask *int32, how int, far *float32, step, rsd int)

//go:noescape
func panel4AVX2(m, mr, k int, a *float32, rsa, csa int, b *float32, rsb int, c *float32, rsc int, mask *int32, how int, far *float32, step, rsd int)

//go:noescape
func panel4AVX2Masked(m, mr, k int, a *float32, rsa, csa int, b *float32, rsb int, c *float32, rsc int, mask *int32, how int, far *float32, step, rsd int)

//go:noescape
func panel8AVX2(m, mr, k int, a *float32, rsa, csa int, b *float32, rsb int, c *float32, rsc int, mask *int32, how int, far *float32, step, rsd int)

//go:noescape
func panel1AVX512(m, mr, k int, a *float32, rsa, csa int, b *float32, rsb int, c *float32, rsc int, mask *int32, how int, far *float32, step, rsd int)

//go:noescape
func panel2AVX512(m, mr, k int, a *float32, rsa, csa int, b *float32, rsb int, c *float32, rsc int, mask *int32, how int, far *float32, step, rsd int)

//go:noescape
func panel3AVX512(m, mr, k int, a *float32, rsa, csa int, b *float32, rsb int, c *float32, rsc int, mask *int32, how int, far *float32, step, rsd int)

//go:noescape
func panel4AVX512(m, mr, k int, a *float32, rsa, csa int, b *float32, rsb int, c *float32, rsc int, mask *int32, how int, far *float32, step, rsd int)

// packingTileAVX2 computes four rows of a panel of three vectors and copies the panel to d.
//
//go:noescape
func packingTileAVX2(k int, a *float32, rsa, csa int, b *float32, rsb int, d, c *float32, rsc, how int)

// rowPanelsAVX2 computes a row of C that begins with the sums of another, in panels of
// 64 columns; from one to the next it is nextB bytes of B and nextC of both rows.
//
//go:noescape
func rowPanelsAVX2(k int, a, b, from, c *float32, panels, nextB, nextC int)

//go:noescape
func rowPanelsAVX512(k int, a, b, from, c *float32, panels, nextB, nextC int)

// packRows copies k rows of some registers of eight values to d, one after the other.
//
//go:noescape
func packRows(d, b *float32, rsb, k, eights int)

// packPanels is packRows for several panels next to each other, next bytes apart.
//
//go:noescape
func packPanels(d, b *float32, rsb, k, eights, panels, next int)

// packTiles copies sixteen rows of a column-major A to four tiles of four rows,
// next bytes apart.
//
//go:noescape
func packTiles(d, a *float32, csa, k, next int)

// packColumns8 copies eight columns of B, of eight values a block, to rows that
// are rsd apart.
//
//go:noescape
func packColumns8(d, b *float32, rsd, csb, blocks int)

// tiled is a sum with adds or continues: tiles of A lie one after the other.
const tiled = 2

// blockM rows of A are multiplied with all panels of B before the next ones, so
// that they stay in the second-level cache.
const blockM = 256

// inPlace reports whether packing a row-major B for m rows of C does not pay. The
// panels of AVX-512 come from the second-level cache in any case, where B is as soon as
// it was read once, unless its rows are far apart.
func inPlace(p simd.Path, m int, b Matrix) bool {
	return b.ColStride == 1 && (m <= 24 || p == simd.AVX512 && m <= 128 && b.RowStride <= 512)
}

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
	case n >= 64 && m == 1: // eight sums hide the latency of a fused multiply-add
		return kernel{8, 1}
	case n > 24 && m <= 2:
		return kernel{4, 2}
	case n <= 8:
		return kernel{1, 12}
	case n == 24 || n > 32:
		return kernel{3, 4}
	}
	return kernel{2, 6}
}

// run calls a kernel on some columns.
func (t kernel) run(p simd.Path, masked bool, m, mr, k int, a *float32, rsa, csa int, b *float32, rsb int, c *float32, rsc int, mask *int32, how int, far *float32, step, rsd int) {
	if p == simd.AVX512 {
		switch t.vectors {
		case 1:
			panel1AVX512(m, mr, k, a, rsa, csa, b, rsb, c, rsc, mask, how, far, step, rsd)
		case 2:
			panel2AVX512(m, mr, k, a, rsa, csa, b, rsb, c, rsc, mask, how, far, step, rsd)
		case 3:
			panel3AVX512(m, mr, k, a, rsa, csa, b, rsb, c, rsc, mask, how, far, step, rsd)
		default:
			panel4AVX512(m, mr, k, a, rsa, csa, b, rsb, c, rsc, mask, how, far, step, rsd)
		}
		return
	}
	switch {
	case t.vectors == 1 && masked:
		panel1AVX2Masked(m, mr, k, a, rsa, csa, b, rsb, c, rsc, mask, how, far, step, rsd)
	case t.vectors == 1:
		panel1AVX2(m, mr, k, a, rsa, csa, b, rsb, c, rsc, mask, how, far, step, rsd)
	case t.vectors == 2 && masked:
		panel2AVX2Masked(m, mr, k, a, rsa, csa, b, rsb, c, rsc, mask, how, far, step, rsd)
	case t.vectors == 2:
		panel2AVX2(m, mr, k, a, rsa, csa, b, rsb, c, rsc, mask, how, far, step, rsd)
	case t.vectors == 3: // there is no register left for a mask
		panel3AVX2(m, mr, k, a, rsa, csa, b, rsb, c, rsc, mask, how, far, step, rsd)
	case t.vectors == 8:
		panel8AVX2(m, mr, k, a, rsa, csa, b, rsb, c, rsc, mask, how, far, step, rsd)
	case masked:
		panel4AVX2Masked(m, mr, k, a, rsa, csa, b, rsb, c, rsc, mask, how, far, step, rsd)
	default:
		panel4AVX2(m, mr, k, a, rsa, csa, b, rsb, c, rsc, mask, how, far, step, rsd)
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
	var packed, tiles []float32
	most := min(k, blockK)
	colMajor := a.ColStride != 1 && a.RowStride == 1
	if !inPlace(p, m, b) {
		packed = buf.room(packedLen(n, most) + (m+16)*most)
		if p == simd.AVX2 && colMajor && n > 16 && m >= 16 {
			tiles = packed[packedLen(n, most):]
		}
	}
	for k0 := 0; k0 < k; k0 += blockK {
		kc := min(blockK, k-k0)
		from := Matrix{a.Data[k0*a.ColStride:], a.RowStride, a.ColStride}
		if tiles != nil {
			from = tile(tiles, m, kc, from)
		}
		part := Matrix{b.Data[k0*b.RowStride:], b.RowStride, b.ColStride}
		if packed != nil && b.ColStride == 1 && 4*k*n > farBytes {
			packFar(p, m, n, kc, part, packed)
			part.Data = nil
		}
		var then later
		fetches := p == simd.AVX512 && colMajor && 4*k*n > farBytes || tiles != nil && part.Data == nil
		if k1 := k0 + kc; fetches && k1 < k && a.ColStride <= 2*m && b.RowStride <= 2*n {
			then = later{upTo(a.Data, k1*a.ColStride, min(blockK, k-k1)*a.ColStride), upTo(b.Data, k1*b.RowStride, min(blockK, k-k1)*b.RowStride)}
		}
		block(p, m, n, kc, m, from, part, packed, c, ldc, howOf(add || k0 > 0), nil, 0, then)
	}
}

// later is the memory that the next block of k reads, if it is far away: it is
// fetched into the second-level cache while this one is multiplied.
type later struct{ a, b []float32 }

// upTo is n values of v, or as many as there are.
func upTo(v []float32, from, n int) []float32 { return v[from:min(from+n, len(v))] }

// step is how far the memory has to be walked through in each of some turns: whole
// lines of the cache.
func (l *later) step(turns int) int { return (len(l.a)/16 + len(l.b)/16 + turns - 1) / turns * 64 }

// at is the place some bytes after the beginning of the first part, or nil.
func (l *later) at(bytes int) *float32 {
	if i := bytes / 4; i < len(l.a) {
		return &l.a[i]
	} else if i -= len(l.a); i < len(l.b) {
		return &l.b[i]
	}
	return nil
}

// farBytes is the size of a row-major B from which it is probably not in the
// second-level cache: a whole block of k is packed row by row.
const farBytes = 1 << 19

// packFar packs a block of B.
func packFar(p simd.Path, m, n, kc int, b Matrix, packed []float32) {
	width := lanes(p)
	for n0 := 0; n0 < n; {
		w := kernelFor(p, m, n-n0).vectors * width
		if w > n-n0 {
			pack(packed[n0*kc:], w, Matrix{b.Data[n0:], b.RowStride, 1}, kc, n-n0)
			return
		}
		panels := 1
		for n0+(panels+1)*w <= n && kernelFor(p, m, n-n0-panels*w).vectors*width == w {
			panels++
		}
		packPanels(&packed[n0*kc], &b.Data[n0], 4*b.RowStride, kc, w/8, panels, 4*w*kc)
		n0 += panels * w
	}
}

// tileRows is the height of the tiles of a column-major A.
const tileRows = 4

// tile lays a column-major A out in tiles: four rows of all steps of k, then the
// next four. Read in place, each step would touch another line of the cache and
// use a quarter of it. The result has a RowStride of 0.
func tile(d []float32, m, kc int, a Matrix) Matrix {
	i := 0
	for ; i+4*tileRows <= m; i += 4 * tileRows {
		packTiles(&d[i*kc], &a.Data[i], 4*a.ColStride, kc, 4*tileRows*kc)
	}
	for ; i < m; i += tileRows {
		for l := range kc {
			for r := range min(tileRows, m-i) {
				d[i*kc+l*tileRows+r] = a.Data[i+r+l*a.ColStride]
			}
		}
	}
	return Matrix{d, 0, tileRows}
}

// packedLen is the room that n columns of kc rows need in panels.
func packedLen(n, kc int) int { return (n + 64) * kc }

// fastPacked is MulPacked by the kernels of b.path.
func fastPacked(m int, a Matrix, b *Packed, c []float32, ldc int, add bool) {
	for k0 := 0; k0 < b.k; k0 += blockK {
		kc := min(blockK, b.k-k0)
		block(b.path, m, b.n, kc, b.m, Matrix{a.Data[k0*a.ColStride:], a.RowStride, a.ColStride},
			Matrix{}, b.data[packedLen(b.n, k0):], c, ldc, howOf(add || k0 > 0), nil, 0, later{})
	}
}

// fastOn is ContinuePacked by the kernels of b.path, for one row of C panel by
// panel to and fro.
func fastOn(m int, a Matrix, b *Packed, d []float32, ldd int, c []float32, ldc int, back bool) {
	if m > 1 || b.m > 1 || b.n%64 != 0 || a.ColStride != 1 || b.k > blockK {
		how := continues
		for k0 := 0; k0 < b.k; k0 += blockK {
			kc := min(blockK, b.k-k0)
			block(b.path, m, b.n, kc, b.m, Matrix{a.Data[k0*a.ColStride:], a.RowStride, a.ColStride},
				Matrix{}, b.data[packedLen(b.n, k0):], c, ldc, how, d, ldd, later{})
			how = adds
		}
		return
	}
	first, step := 0, 64
	if back {
		first, step = b.n-64, -64
	}
	if b.path == simd.AVX512 {
		rowPanelsAVX512(b.k, &a.Data[0], &b.data[first*b.k], &d[first], &c[first], b.n/64, 4*step*b.k, 4*step)
		return
	}
	rowPanelsAVX2(b.k, &a.Data[0], &b.data[first*b.k], &d[first], &c[first], b.n/64, 4*step*b.k, 4*step)
}

// packAll lays out all blocks of b.
func packAll(p *Packed, b Matrix) {
	width := lanes(p.path)
	for k0 := 0; k0 < p.k; k0 += blockK {
		kc := min(blockK, p.k-k0)
		d := p.data[packedLen(p.n, k0):]
		for n0 := 0; n0 < p.n; {
			t := kernelFor(p.path, p.m, p.n-n0)
			nc := min(t.vectors*width, p.n-n0)
			pack(d[n0*kc:], t.vectors*width, Matrix{b.Data[k0*b.RowStride+n0*b.ColStride:], b.RowStride, b.ColStride}, kc, nc)
			n0 += nc
		}
	}
}

// block multiplies one block of k: by the panels of packed, which it makes from
// b where b has any data, or else by b in place. The panels are those for shape
// rows of C. Where it continues, the sums begin with d, in rows ldd apart.
func block(p simd.Path, m, n, kc, shape int, a, b Matrix, packed, c []float32, ldc, how int, d []float32, ldd int, then later) {
	width := lanes(p)
	rsa, perRow, most := a.RowStride, a.RowStride, 64 // perRow: from a row of a tile to the first of the next tile, by row
	if rsa == 0 {
		rsa, perRow, most = 1, kc, tileRows
		how |= tiled
	}
	fetched := 0
	for m0 := 0; m0 < m; {
		mc := min(blockM, m-m0)
		if rest := m - m0 - mc; rest < blockM/4 {
			mc = m - m0 // no small last block
		}
		for n0 := 0; n0 < n; {
			t := kernelFor(p, shape, n-n0)
			nc := min(t.vectors*width, n-n0)
			odd := nc - (t.vectors-1)*width // lanes of the last vector
			var bp *float32
			rsb, first, left := b.RowStride, m0, mc // the rows that the panel multiplies
			if packed == nil {
				bp = &b.Data[n0]
			} else {
				panel := packed[n0*kc:]
				if mc == m && b.Data != nil {
					panel = packed // of the first level's cache: no panel is needed again
				}
				bp, rsb = &panel[0], t.vectors*width
				switch {
				case m0 > 0 || b.Data == nil:
				case p == simd.AVX2 && t.vectors == 3 && b.ColStride == 1 && mc >= 2*tileRows && how&continues == 0:
					packingTileAVX2(kc, &a.Data[0], 4*rsa, 4*a.ColStride, &b.Data[n0], 4*b.RowStride, bp, &c[n0], 4*ldc, how)
					first, left = tileRows, mc-tileRows
				default:
					pack(panel, rsb, Matrix{b.Data[n0*b.ColStride:], b.RowStride, b.ColStride}, kc, nc)
				}
			}
			rows := min(t.rows, most)
			if most > tileRows {
				tiles := (left + rows - 1) / rows
				rows = (left + tiles - 1) / tiles
			}
			far, step := then.at(fetched), 0
			switch {
			case how&continues != 0:
				far = &d[first*ldd+n0]
			case far != nil:
				turns := (mc + rows - 1) / rows * (kc / 8)
				if p == simd.AVX512 { // each step of k
					turns = mc / t.rows * kc
				}
				step = then.step(max(1, turns*n/nc*m/mc))
				fetched += turns * step
			default:
				far = &a.Data[0]
			}
			t.run(p, odd < width, left, rows, kc, &a.Data[first*perRow], 4*rsa, 4*a.ColStride,
				bp, 4*rsb, &c[first*ldc+n0], 4*ldc, maskOf(p, odd), how, far, step, 4*ldd)
			n0 += nc
		}
		m0 += mc
	}
}

// maskOf says which lanes of the last vector exist: with AVX2 −1 for each of
// them, with AVX-512 a bit.
func maskOf(p simd.Path, odd int) *int32 {
	if p == simd.AVX512 {
		return &bits[odd]
	}
	return &marks[8-odd]
}

// marks holds the masks of AVX2: a slice of eight begins with as many lanes as
// there are.
//
// const
var marks = [16]int32{-1, -1, -1, -1, -1, -1, -1, -1}

// bits holds those of AVX-512, by the number of lanes.
//
// const
var bits = [17]int32{0, 1, 3, 7, 15, 31, 63, 127, 255, 511, 1023, 2047, 4095, 8191, 16383, 32767, 65535}

// pack copies nc columns of kc rows of b to the rows of a panel, w apart.
func pack(panel []float32, w int, b Matrix, kc, nc int) {
	switch {
	case b.ColStride == 1 && nc == w:
		packRows(&panel[0], &b.Data[0], 4*b.RowStride, kc, w/8)
	case b.ColStride == 1:
		for i := range kc {
			copy(panel[i*w:i*w+nc], b.Data[i*b.RowStride:])
		}
	case b.RowStride == 1:
		j, whole := 0, kc&^7
		for ; j+8 <= nc && whole > 0; j += 8 {
			packColumns8(&panel[j], &b.Data[j*b.ColStride], 4*w, 4*b.ColStride, whole/8)
		}
		if j > 0 {
			packColumns(panel[whole*w:], w, b.Data[whole:], 1, b.ColStride, kc-whole, j)
		}
		packColumns(panel[j:], w, b.Data[min(j*b.ColStride, len(b.Data)):], 1, b.ColStride, kc, nc-j)
	default:
		packColumns(panel, w, b.Data, b.RowStride, b.ColStride, kc, nc)
	}
}

// packColumns copies nc columns of kc values to rows that are w apart.
func packColumns(d []float32, w int, b []float32, rs, cs, kc, nc int) {
	for j := range nc {
		for i := range kc {
			d[i*w+j] = b[i*rs+j*cs]
		}
	}
}

// eights is Transpose of the squares of 8×8 and returns how many rows and columns
// they take up.
func eights(rows, cols int, src []float32, lds int, dst []float32, ldd int) (tall, wide int) {
	tall, wide = rows&^7, cols&^7
	if simd.Current() == simd.Generic || wide == 0 {
		return 0, 0
	}
	for i := 0; i < tall; i += 8 {
		packColumns8(&dst[i], &src[i*lds], 4*ldd, 4*lds, wide/8)
	}
	return tall, wide
}
