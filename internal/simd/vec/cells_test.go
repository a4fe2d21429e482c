package vec

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

// cellCall is a kernel over rows with its numbers of matrices, and the same by
// the kernels of single vectors, row by row.
type cellCall struct {
	name  string
	mats  int
	call  func(rows, n int, m []Matrix)
	plain func(v [][]float32) // the rows of all matrices, changed in place
}

func cellCalls() []cellCall {
	return []cellCall{
		{"LSTMRows", 8, func(k, n int, m []Matrix) {
			LSTMRows(k, n, m[0], m[1], m[2], m[3], m[4], m[5], m[6], m[7])
		}, func(v [][]float32) {
			LSTM(v[0], v[1], v[2], v[3], v[4], v[0], v[1], v[2], v[3], v[5], v[6], v[7])
		}},
		{"LSTMGradRows", 9, func(k, n int, m []Matrix) {
			LSTMGradRows(k, n, m[0], m[1], m[2], m[3], m[4], m[5], m[6], m[7], m[8])
		}, func(v [][]float32) {
			dh := make([]float32, len(v[0]))
			Add(v[0], v[1], dh)
			LSTMGrad(dh, v[2], v[3], v[4], v[5], v[6], v[7], v[8], v[3], v[4], v[5], v[6], v[2])
		}},
		{"GRURows", 6, func(k, n int, m []Matrix) { GRURows(k, n, m[0], m[1], m[2], m[3], m[4], m[5]) }, func(v [][]float32) {
			GRU(v[0], v[1], v[2], v[3], v[4], v[0], v[1], v[2], v[5])
		}},
		{"GRUGradRows", 7, func(k, n int, m []Matrix) { GRUGradRows(k, n, m[0], m[1], m[2], m[3], m[4], m[5], m[6]) }, func(v [][]float32) {
			dh := make([]float32, len(v[0]))
			Add(v[0], v[1], dh)
			GRUGrad(dh, v[2], v[3], v[4], v[5], v[6], v[2], v[3], v[4], v[5], v[0])
		}},
		{"GELUBias", 3, func(k, n int, m []Matrix) { GELUBias(k, n, m[0], m[1], m[2]) }, func(v [][]float32) {
			s, one := make([]float32, len(v[0])), make([]float32, len(v[0]))
			for i := range one {
				one[i] = 1
			}
			Add(v[0], v[1], s)
			GELU(s, v[2])
			GELUGrad(s, one, v[0])
		}},
		{"BiasAdd", 3, func(k, n int, m []Matrix) { BiasAdd(k, n, m[0], m[1], m[2]) }, func(v [][]float32) {
			Add(v[0], v[1], v[0])
			Add(v[0], v[2], v[0])
		}},
	}
}

// The cells of many rows are those of each row, bit by bit, on every path, for
// every width, and nothing beside the rows changes.
func TestCellsOfManyRows(t *testing.T) {
	for n := range 37 {
		cellsAgree(t, n, 3)
	}
}

func FuzzCells(f *testing.F) {
	f.Add(uint8(17), uint64(1))
	f.Add(uint8(64), uint64(2))
	f.Fuzz(func(t *testing.T, n uint8, seed uint64) { cellsAgree(t, int(n), seed) })
}

// cellsAgree compares all kernels on drawn rows of n values.
func cellsAgree(t *testing.T, n int, seed uint64) {
	t.Helper()
	for _, c := range cellCalls() {
		r := rand.New(rand.NewPCG(uint64(n), seed))
		rows := r.IntN(5)
		data, mats := make([][]float32, c.mats), make([]Matrix, c.mats)
		for i := range data {
			mats[i] = Matrix{First: r.IntN(4), Stride: n + r.IntN(6)}
			data[i] = values(r, mats[i].First+rows*mats[i].Stride+n+3)
		}
		want := make([][]float32, c.mats)
		for i := range data {
			want[i] = slices.Clone(data[i])
		}
		for k := range rows {
			v := make([][]float32, c.mats)
			for i, m := range mats {
				m.Data = want[i]
				v[i] = m.row(k, n)
			}
			c.plain(v)
		}
		everyPath(t, fmt.Sprintf("%s of %d×%d", c.name, rows, n), data, func(got [][]float32) {
			m := slices.Clone(mats)
			for i := range m {
				m[i].Data = got[i]
			}
			c.call(rows, n, m)
			for i := range got {
				for j := range got[i] {
					if !sameBits(got[i][j], want[i][j]) {
						t.Fatalf("%s of %d×%d: matrix %d value %d is %v, row by row %v", c.name, rows, n, i, j, got[i][j], want[i][j])
					}
				}
			}
		})
	}
}

// SumRows adds from the first row to the last.
func TestSumRows(t *testing.T) {
	for n := range 70 {
		r := rand.New(rand.NewPCG(uint64(n), 4))
		const rows = 9
		x := values(r, rows*(n+2))
		y := values(r, n)
		want := slices.Clone(y)
		for k := range rows {
			Add(want, x[k*(n+2):][:n], want)
		}
		everyPath(t, "SumRows", [][]float32{y, x}, func(v [][]float32) {
			SumRows(v[0], Matrix{Data: v[1], Stride: n + 2}, rows)
			for j := range want {
				if !sameBits(v[0][j], want[j]) {
					t.Fatalf("sum %d of %d is %v, want %v", j, n, v[0][j], want[j])
				}
			}
		})
	}
}

func TestCellsRefuseRowsThatAreNotThere(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("a matrix that is too short passes")
		}
	}()
	m, short := Matrix{Data: make([]float32, 24), Stride: 8}, Matrix{Data: make([]float32, 23), Stride: 8}
	BiasAdd(3, 8, m, m, short)
}
