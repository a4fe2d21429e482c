package gemm

import "fmt"

// Transpose copies the transpose of src to dst: dst[j·ldd+i] = src[i·lds+j] for
// i < rows and j < cols. The two must not overlap. O(rows·cols).
func Transpose(rows, cols int, src []float32, lds int, dst []float32, ldd int) {
	if rows < 1 || cols < 1 {
		return
	}
	if lds < cols || (rows-1)*lds+cols > len(src) || ldd < rows || (cols-1)*ldd+rows > len(dst) {
		panic(fmt.Sprintf("gemm: transposing %d×%d with rows %d apart, of %d values, to rows %d apart, of %d", rows, cols, lds, len(src), ldd, len(dst)))
	}
	tall, wide := eights(rows, cols, src, lds, dst, ldd)
	plain := func(i0, i1, j0, j1 int) {
		for i := i0; i < i1; i++ {
			for j, v := range src[i*lds+j0 : i*lds+j1] {
				dst[(j0+j)*ldd+i] = v
			}
		}
	}
	plain(0, tall, wide, cols)
	plain(tall, rows, 0, cols)
}
