package vec

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/mlfactory/mlfactory/internal/simd"
)

// All paths give the bits of plain Go for the element-wise kernels of states.
func TestStateFunctionsGiveTheSameBitsOnEveryPath(t *testing.T) {
	for _, c := range []lanesCall{
		{"Softplus", 1, 1, func(v [][]float32) { Softplus(v[0], v[1]) }},
		{"SoftplusGrad", 2, 1, func(v [][]float32) { SoftplusGrad(v[0], v[1], v[2]) }},
		{"SLSTMGates", 3, 4, func(v [][]float32) { SLSTMGates(v[0], v[1], v[2], v[3], v[4], v[5], v[6]) }},
		{"SLSTMState", 6, 5, func(v [][]float32) {
			SLSTMState(v[0], v[1], v[2], v[3], v[4], v[5], v[6], v[7], v[8], v[9], v[10])
		}},
		{"SLSTMStateGrad", 6, 3, func(v [][]float32) { SLSTMStateGrad(v[0], v[1], v[2], v[3], v[4], v[5], v[6], v[7], v[8]) }},
		{"SLSTMGatesGrad", 8, 5, func(v [][]float32) {
			SLSTMGatesGrad(v[0], v[1], v[2], v[3], v[4], v[5], v[6], v[7], v[8], v[9], v[10], v[11], v[12])
		}},
	} {
		for n := range 50 {
			r := rand.New(rand.NewPCG(uint64(n), 7))
			in := make([][]float32, c.ins+c.outs)
			for i := range in {
				in[i] = values(r, n)
			}
			everyPath(t, c.name, in, c.call)
		}
	}
}

// everyPath calls a kernel on copies of v on every path and compares them.
func everyPath(t *testing.T, name string, v [][]float32, call func(v [][]float32)) {
	t.Helper()
	var want [][]float32
	for _, p := range simd.Supported() {
		got := make([][]float32, len(v))
		for i := range v {
			got[i] = append([]float32(nil), v[i]...)
		}
		t.Run(p.String(), func(t *testing.T) {
			simd.Force(t, p)
			call(got)
		})
		if want == nil {
			want = got
			continue
		}
		for i := range got {
			for j := range got[i] {
				if !sameBits(got[i][j], want[i][j]) {
					t.Fatalf("%s, %v: vector %d element %d is %v, plain Go has %v", name, p, i, j, got[i][j], want[i][j])
				}
			}
		}
	}
}

// All paths give the bits of plain Go for the scans, for every number of lanes and
// rows, whatever the strides.
func TestScansGiveTheSameBitsOnEveryPath(t *testing.T) {
	for _, n := range []int{1, 7, 8, 9, 15, 16, 17, 24, 31, 32, 40, 63} {
		for _, rows := range []int{0, 1, 2, 5} {
			scansAgree(t, n, rows, 1)
		}
	}
}

func FuzzScans(f *testing.F) {
	f.Add(uint8(17), uint8(3), uint64(1))
	f.Add(uint8(64), uint8(1), uint64(2))
	f.Fuzz(func(t *testing.T, n, rows uint8, seed uint64) { scansAgree(t, int(n), int(rows%16), seed) })
}

// scansAgree compares the paths on drawn values.
func scansAgree(t *testing.T, n, rows int, seed uint64) {
	t.Helper()
	if n == 0 {
		return
	}
	r := rand.New(rand.NewPCG(uint64(n*16+rows), seed))
	stride := n + r.IntN(3)
	at := func(d []float32) Matrix { return Matrix{d, 1, stride} }
	back := func(d []float32) Matrix { return Matrix{d, 1 + max(0, rows-1)*stride, -stride} }
	one := func(d []float32) Matrix { return Matrix{d, 2, 1} }
	draw := func(ins, vectors int) [][]float32 {
		v := make([][]float32, ins)
		for i := range v {
			size := rows*max(stride, SumLanes) + 3 + n
			if i < vectors {
				size = n
			}
			v[i] = values(r, size)
		}
		return v
	}
	sums := func(d []float32) []float32 { return d[:rows*SumLanes] }
	everyPath(t, "Convolve", draw(3, 1), func(v [][]float32) { Convolve(v[0], at(v[1]), back(v[2]), rows) })
	everyPath(t, "MulSum", draw(3, 1), func(v [][]float32) { MulSum(v[0], at(v[1]), back(v[2]), rows) })
	negative := func(v []float32) {
		for i := range v {
			v[i] = -float32(math.Abs(float64(v[i])))
		}
	}
	everyPath(t, "SelectiveScan", draw(7, 3), func(v [][]float32) {
		negative(v[3])
		for i := range v[0] {
			v[0][i] = float32(math.Abs(float64(v[0][i])))
		}
		SelectiveScan(v[0], v[1], v[2], at(v[3]), at(v[4]), one(v[5]), one(v[6]), rows)
	})
	everyPath(t, "SelectiveStates", draw(7, 2), func(v [][]float32) {
		negative(v[2])
		for i := range v[0] {
			v[0][i] = float32(math.Abs(float64(v[0][i])))
		}
		SelectiveStates(v[0], v[1], at(v[2]), at(v[3]), one(v[4]), at(v[5]), at(v[6]), rows)
	})
	everyPath(t, "SelectiveScanGrad", draw(14, 5), func(v [][]float32) {
		SelectiveScanGrad(v[0], v[1], v[2], v[3], v[4], at(v[5]), at(v[6]), at(v[7]), at(v[8]), at(v[9]), one(v[10]), one(v[11]), sums(v[12]), sums(v[13]), rows)
	})
	everyPath(t, "DiagonalScan", draw(8, 4), func(v [][]float32) {
		DiagonalScan(v[0], v[1], v[2], v[3], at(v[4]), at(v[5]), back(v[6]), at(v[7]), rows)
	})
	everyPath(t, "DiagonalScanGrad", draw(12, 6), func(v [][]float32) {
		DiagonalScanGrad(v[0], v[1], v[2], v[3], v[4], v[5], back(v[6]), at(v[7]), at(v[8]), back(v[9]), at(v[10]), at(v[11]), rows)
	})
}

func TestSoftplus(t *testing.T) {
	var x []float32
	for v := float32(-80); v < 86; v += 0.00731 {
		x = append(x, v)
	}
	x = append(x, 0, 1e-8, -1e-8)
	y := make([]float32, len(x))
	Softplus(x, y)
	for i, v := range x {
		want := max(float64(v), 0) + math.Log1p(math.Exp(-math.Abs(float64(v))))
		if d := math.Abs(float64(y[i]) - want); !(d <= 6e-7*want) {
			t.Fatalf("Softplus(%v) = %v, want %v", v, y[i], want)
		}
		y[i] = 1
	}
	SoftplusGrad(x, y, y)
	for i, v := range x {
		if want := 1 / (1 + math.Exp(-float64(v))); !(math.Abs(float64(y[i])-want) <= 6e-7*want) {
			t.Fatalf("SoftplusGrad(%v) = %v, want %v", v, y[i], want)
		}
	}
}

func TestScansRefuseShapesThatDoNotFit(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("a matrix without room for its rows passes")
		}
	}()
	Convolve(make([]float32, 4), Matrix{make([]float32, 8), 0, 4}, Matrix{make([]float32, 8), 0, -4}, 2)
}
