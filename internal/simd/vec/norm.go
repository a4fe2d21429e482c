package vec

import (
	"fmt"
	"math"

	"github.com/mlfactory/mlfactory/internal/simd"
)

// normLanes is the number of running sums of a row.
const normLanes = 16

// NormRows normalises each row of x, of len(gain) values:
//
//	c = x − mean,  inv = 1/√(Σc²/n + eps),  hat = c·inv,  y = hat·gain + bias,
//
// where mean is 0 unless centre is set. hat may be x. Sums run in 16 lanes, lane j over the values j, j+16, …, merged as lane j plus lane
// j+w for w = 8, 4, 2, 1, on every path. NaN propagates within its row. O(len(x)), no allocation. It panics when lengths do not fit.
func NormRows(x, gain, bias, hat, y, inv []float32, centre bool, eps float32) {
	n := normShape(x, hat, y, gain, bias, inv)
	share := 1 / float32(n)
	middle := float32(0)
	if centre {
		middle = share
	}
	if len(inv) > 0 && !normRowsFast(simd.Current(), x, gain, bias, hat, y, inv, share, middle, eps) {
		normRowsGeneric(x, gain, bias, hat, y, inv, share, middle, eps)
	}
}

// NormRowsGrad is the gradient of [NormRows] from that of y: it adds Σ dy·hat to dgain and Σ dy to dbias, over rows from the first on, and
// sets dx, or adds to it where add is set, to
//
//	inv·(u − mean(u) − hat·mean(u·hat)),  u = dy·gain,
//
// without mean(u) unless centre is set. dx may be dy.
func NormRowsGrad(dy, hat, gain, inv, dx, dgain, dbias []float32, centre, add bool) {
	n := normShape(dy, hat, dx, gain, dgain, inv)
	same("NormRowsGrad", len(dbias), n)
	share := 1 / float32(n)
	middle := float32(0)
	if centre {
		middle = share
	}
	if len(inv) > 0 && !normRowsGradFast(simd.Current(), dy, hat, gain, inv, dx, dgain, dbias, share, middle, add) {
		normRowsGradGeneric(dy, hat, gain, inv, dx, dgain, dbias, share, middle, add)
	}
}

// normShape checks matrices a, b and c against vectors of a column and of a row, and returns the columns.
func normShape(a, b, c, gain, other, inv []float32) int {
	if n := len(gain); n == 0 || len(other) != n || len(a) != n*len(inv) || len(b) != len(a) || len(c) != len(a) {
		panic(fmt.Sprintf("vec: norm of %d, %d and %d values in %d rows of %d and %d", len(a), len(b), len(c), len(inv), n, len(other)))
	}
	return len(gain)
}

// mergeLanes is the sum of the lanes.
func mergeLanes(s *[normLanes]float32) float32 {
	for w := normLanes / 2; w > 0; w /= 2 {
		for j := range w {
			s[j] += s[j+w]
		}
	}
	return s[0]
}

func normRowsGeneric(x, gain, bias, hat, y, inv []float32, share, centre, eps float32) {
	n := len(gain)
	for r := range inv {
		row, h, o := x[r*n:(r+1)*n], hat[r*n:(r+1)*n], y[r*n:(r+1)*n]
		var s [normLanes]float32
		for j, v := range row {
			s[j%normLanes] += v
		}
		mean := float32(mergeLanes(&s) * centre)
		s = [normLanes]float32{}
		for j, v := range row {
			c := v - mean
			h[j] = c
			s[j%normLanes] += float32(c * c)
		}
		root := float32(math.Sqrt(float64(float32(mergeLanes(&s)*share) + eps)))
		inv[r] = 1 / root
		for j := range h {
			h[j] *= inv[r]
			o[j] = float32(h[j]*gain[j]) + bias[j]
		}
	}
}

func normRowsGradGeneric(dy, hat, gain, inv, dx, dgain, dbias []float32, share, centre float32, add bool) {
	n := len(gain)
	for r, scale := range inv {
		up, h, o := dy[r*n:(r+1)*n], hat[r*n:(r+1)*n], dx[r*n:(r+1)*n]
		var s, q [normLanes]float32
		for j, v := range up {
			dbias[j] += v
			dgain[j] += float32(v * h[j])
			u := float32(v * gain[j])
			s[j%normLanes] += u
			q[j%normLanes] += float32(u * h[j])
		}
		mean, slope := float32(mergeLanes(&s)*centre), float32(mergeLanes(&q)*share)
		for j, v := range up {
			d := float32(scale * (float32(float32(v*gain[j])-mean) - float32(slope*h[j])))
			if add {
				d += o[j]
			}
			o[j] = d
		}
	}
}
