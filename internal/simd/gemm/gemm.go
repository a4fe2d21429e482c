// Package gemm multiplies float32 matrices.
//
// # What it computes
//
//	C = A·B  or  C = C + A·B,  C of m×n, A of m×k, B of k×n
//
// A and B are strided views ([Matrix]), so that a transpose is a change of two
// numbers; C is row-major with rows ldc apart. Nothing is allocated once a
// [Buffer] has grown to what the shapes need.
//
// # How
//
// k is cut into blocks of 256. Within a block, a kernel keeps a tile of C in
// registers (4×24 with AVX2, 6×64 to 14×16 with AVX-512), reads A in place
// whatever its strides, and reads B from panels, into which it is copied at
// their first use, or in place where C has few rows. Where several
// products share B, as the steps of a recurrence do, [Pack] copies it once. For
// the skinny matrices of small networks packing A is what costs others most. The
// idea of panels and register tiles is that of Goto and van de Geijn (2008,
// "Anatomy of high-performance matrix multiplication").
//
// # Rounding
//
// Each element sums a block of k in order, each product fused with its addition,
// then adds the block to C. Tiles do not change that order, so a row of C does
// not depend on how many rows there are, and the AVX2 and AVX-512 paths give
// the same bits. The generic path rounds products before it adds them. Any
// path is within (k+1)·ε·(|A|·|B|) of the exact product, with ε = 2⁻²⁴, to
// first order. NaN and infinities propagate.
//
// Shapes that do not fit the slices are a programmer's mistake and panic.
package gemm

import (
	"fmt"

	"github.com/mlfactory/mlfactory/internal/simd"
)

//go:generate go run ../gen ..

// blockK is the depth of a block. It decides the order of sums and is the same
// on every path.
const blockK = 256

// Matrix is a view: element (i, j) is Data[i·RowStride + j·ColStride].
type Matrix struct {
	Data                 []float32
	RowStride, ColStride int
}

// Rows is a row-major matrix whose rows are stride apart.
func Rows(data []float32, stride int) Matrix { return Matrix{data, stride, 1} }

// Cols is a column-major matrix whose columns are stride apart: the transpose
// of [Rows].
func Cols(data []float32, stride int) Matrix { return Matrix{data, 1, stride} }

// Buffer holds packed panels. The zero value is ready; it must not be used by
// two calls at once.
type Buffer struct{ panel []float32 }

// room is a slice of at least n values; what it holds is undefined.
func (b *Buffer) room(n int) []float32 {
	if len(b.panel) < n {
		b.panel = make([]float32, n)
	}
	return b.panel
}

// check panics unless rows×cols elements of x exist.
func (x *Matrix) check(name string, rows, cols int) {
	if x.RowStride < 0 || x.ColStride < 0 {
		panic(fmt.Sprintf("gemm: %s has strides %d and %d", name, x.RowStride, x.ColStride))
	}
	if last := (rows-1)*x.RowStride + (cols-1)*x.ColStride; last >= len(x.Data) {
		panic(fmt.Sprintf("gemm: %s of %d×%d with strides %d and %d needs %d values, has %d", name, rows, cols, x.RowStride, x.ColStride, last+1, len(x.Data)))
	}
}

// Mul computes C = A·B, or C += A·B if add is set. C must not overlap A or B.
// With k = 0 the product is zero. O(m·n·k).
func Mul(m, n, k int, a, b Matrix, c []float32, ldc int, add bool, buf *Buffer) {
	if m < 0 || n < 0 || k < 0 {
		panic(fmt.Sprintf("gemm: shape %d×%d×%d", m, n, k))
	}
	if m == 0 || n == 0 {
		return
	}
	if ldc < n || (m-1)*ldc+n > len(c) {
		panic(fmt.Sprintf("gemm: C of %d×%d with rows %d apart needs %d values, has %d", m, n, ldc, (m-1)*ldc+n, len(c)))
	}
	if k == 0 {
		if !add {
			for i := range m {
				clear(c[i*ldc : i*ldc+n])
			}
		}
		return
	}
	a.check("A", m, k)
	b.check("B", k, n)
	if p := simd.Current(); p != simd.Generic {
		fast(p, m, n, k, a, b, c, ldc, add, buf)
		return
	}
	generic(m, n, k, a, b, c, ldc, howOf(add))
}

// Packed is a matrix B laid out for [MulPacked].
type Packed struct {
	path    simd.Path
	m, k, n int
	data    []float32
}

// PackedLen is the number of values that [Pack] needs for B of k×n.
func PackedLen(k, n int) int { return k * (n + 64) }

// Pack copies b, of k×n, into data, of at least [PackedLen] values, for products
// with about m rows of C each. The kernel path is that of this call. O(k·n).
func Pack(m, k, n int, b Matrix, data []float32) Packed {
	if m < 1 || k < 1 || n < 1 || len(data) < PackedLen(k, n) {
		panic(fmt.Sprintf("gemm: packing %d×%d for %d rows into %d values, of %d", k, n, m, len(data), PackedLen(k, n)))
	}
	b.check("B", k, n)
	p := Packed{simd.Current(), m, k, n, data}
	if p.path != simd.Generic {
		packAll(&p, b)
		return p
	}
	for i := range k {
		for j := range n {
			data[i*n+j] = b.Data[i*b.RowStride+j*b.ColStride]
		}
	}
	return p
}

// MulPacked is [Mul] of m×k with what was packed, with the same bits.
func MulPacked(m int, a Matrix, b *Packed, c []float32, ldc int, add bool) {
	if m < 1 {
		return
	}
	if ldc < b.n || (m-1)*ldc+b.n > len(c) {
		panic(fmt.Sprintf("gemm: C of %d×%d with rows %d apart needs %d values, has %d", m, b.n, ldc, (m-1)*ldc+b.n, len(c)))
	}
	a.check("A", m, b.k)
	if b.path != simd.Generic {
		fastPacked(m, a, b, c, ldc, add)
		return
	}
	generic(m, b.n, b.k, a, Rows(b.data, b.n), c, ldc, howOf(add))
}

// ContinuePacked is C = D + A·B, as if the columns of A and the rows of b came after
// those that D is the product of: with the bits of the whole product, where that is a
// single block of k. d is D, in rows ldd apart, 0 where all are the same one; it may be
// c, if ldd is ldc.
// back changes no bit: calls that take turns to set it find a part of b in the
// first-level cache where all of it does not fit.
func ContinuePacked(m int, a Matrix, b *Packed, d []float32, ldd int, c []float32, ldc int, back bool) {
	if m < 1 {
		return
	}
	for _, v := range []struct {
		name string
		data []float32
		ld   int
	}{{"C", c, ldc}, {"D", d, ldd}} {
		if v.ld < b.n && (v.ld != 0 || v.name == "C") || (m-1)*v.ld+b.n > len(v.data) {
			panic(fmt.Sprintf("gemm: %s of %d×%d with rows %d apart needs %d values, has %d", v.name, m, b.n, v.ld, (m-1)*v.ld+b.n, len(v.data)))
		}
	}
	a.check("A", m, b.k)
	if b.path != simd.Generic {
		fastOn(m, a, b, d, ldd, c, ldc, back)
		return
	}
	genericOn(m, a, b, d, ldd, c, ldc)
}

// genericOn is ContinuePacked by the plain twin.
func genericOn(m int, a Matrix, b *Packed, d []float32, ldd int, c []float32, ldc int) {
	for i := range m {
		copy(c[i*ldc:i*ldc+b.n], d[i*ldd:])
	}
	generic(m, b.n, b.k, a, Rows(b.data, b.n), c, ldc, continues)
}

// What becomes of C before or after a block.
const (
	adds      = 1 // the block is added to C
	continues = 4 // the block's sums begin with what is given
)

// howOf is adds or nothing.
func howOf(add bool) int {
	if add {
		return adds
	}
	return 0
}

// generic is the plain twin of the kernels: the same order of sums, products
// rounded before they are added.
func generic(m, n, k int, a, b Matrix, c []float32, ldc, how int) {
	var sums [64]float32
	for k0 := 0; k0 < k; k0 += blockK {
		kc := min(blockK, k-k0)
		for i := range m {
			row := c[i*ldc : i*ldc+n]
			for n0 := 0; n0 < n; n0 += len(sums) {
				s := sums[:min(len(sums), n-n0)]
				if clear(s); how == continues && k0 == 0 {
					copy(s, row[n0:])
				}
				for l := k0; l < k0+kc; l++ {
					v := a.Data[i*a.RowStride+l*a.ColStride]
					at := l*b.RowStride + n0*b.ColStride
					if b.ColStride == 1 {
						for j, w := range b.Data[at : at+len(s)] {
							s[j] += float32(v * w)
						}
						continue
					}
					for j := range s {
						s[j] += float32(v * b.Data[at+j*b.ColStride])
					}
				}
				if dst := row[n0 : n0+len(s)]; how == adds || k0 > 0 {
					for j, v := range s {
						dst[j] += v
					}
				} else {
					copy(dst, s)
				}
			}
		}
	}
}
