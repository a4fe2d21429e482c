package vec

import (
	"fmt"

	"github.com/mlfactory/mlfactory/internal/simd"
)

// columnLanes is what the distance of two rows must be a multiple of, so that a path may work on whole registers.
const columnLanes = 16

// SoftmaxColumns replaces each of the first cols columns of x, a matrix of rows whose starts are stride values apart, by its softmax
//
//	x[r,c] ← e^(scale·(x[r,c] − m)) / Σ_r e^(scale·(x[r,c] − m)),  m = the largest of the column,
//
// for a scale above 0. Sums run over the rows in order, so the bits are the same on every path. A term that is 87 or more below the
// largest becomes exactly 0: −Inf masks. A column that holds NaN, or nothing but −Inf, becomes NaN. stride is a multiple of 16; the values
// from column cols to the end of a row are undefined afterwards. O(rows·cols), no allocation. It panics when x is too short.
func SoftmaxColumns(x []float32, rows, cols, stride int, scale float32) {
	blocks := columnBlocks(x, rows, cols, stride)
	if blocks > 0 && !softmaxColumnsFast(simd.Current(), x, rows, stride, blocks, scale) {
		softmaxColumnsGeneric(x, rows, stride, blocks, scale)
	}
}

// SoftmaxColumnsGrad replaces dp, the gradient of the columns p that [SoftmaxColumns] returned, by that of what they came from:
//
//	dp[r,c] ← scale·p[r,c]·(dp[r,c] − Σ_r p[r,c]·dp[r,c])
//
// Shapes, order of sums and refusals are those of SoftmaxColumns.
func SoftmaxColumnsGrad(p, dp []float32, rows, cols, stride int, scale float32) {
	same("SoftmaxColumnsGrad", len(p), len(dp))
	blocks := columnBlocks(p, rows, cols, stride)
	if blocks > 0 && !softmaxColumnsGradFast(simd.Current(), p, dp, rows, stride, blocks, scale) {
		softmaxColumnsGradGeneric(p, dp, rows, stride, blocks, scale)
	}
}

// columnBlocks checks a matrix and returns its number of blocks of 16 columns.
func columnBlocks(x []float32, rows, cols, stride int) int {
	if rows < 0 || cols < 0 || stride%columnLanes != 0 || cols > stride || rows*stride > len(x) {
		panic(fmt.Sprintf("vec: softmax of %d×%d with rows %d apart in %d values", rows, cols, stride, len(x)))
	}
	if rows == 0 {
		return 0
	}
	return (cols + columnLanes - 1) / columnLanes
}

func softmaxColumnsGeneric(x []float32, rows, stride, blocks int, scale float32) {
	for b := range blocks {
		at := func(r int) *[columnLanes]float32 { return (*[columnLanes]float32)(x[r*stride+b*columnLanes:]) }
		most, sum := *at(0), [columnLanes]float32{}
		for r := range rows {
			for j, v := range at(r) {
				if !(most[j] > v) {
					most[j] = v
				}
			}
		}
		for r := range rows {
			row := at(r)
			var d [columnLanes]float32
			for j, v := range row {
				d[j] = float32(float32(v-most[j]) * scale)
			}
			expGeneric(d[:], row[:])
			for j := range row {
				if d[j] < -87 {
					row[j] = 0
				}
				sum[j] += row[j]
			}
		}
		for j := range sum {
			sum[j] = 1 / sum[j]
		}
		for r := range rows {
			row := at(r)
			for j := range row {
				row[j] *= sum[j]
			}
		}
	}
}

func softmaxColumnsGradGeneric(p, dp []float32, rows, stride, blocks int, scale float32) {
	for b := range blocks {
		at := func(x []float32, r int) *[columnLanes]float32 {
			return (*[columnLanes]float32)(x[r*stride+b*columnLanes:])
		}
		var sum [columnLanes]float32
		for r := range rows {
			x, d := at(p, r), at(dp, r)
			for j := range sum {
				sum[j] += float32(x[j] * d[j])
			}
		}
		for r := range rows {
			x, d := at(p, r), at(dp, r)
			for j := range sum {
				d[j] = float32(float32(d[j]-sum[j])*x[j]) * scale
			}
		}
	}
}
