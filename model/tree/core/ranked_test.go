package core

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/mlfactory/mlfactory/view"
)

// mixed is a table of columns of several kinds: continuous, few values, mostly
// missing, all missing, constant, signed zeros, one heavy value.
func mixed(n int, seed uint64) *view.Table {
	r := rand.New(rand.NewPCG(seed, 1))
	t := view.NewTable(n, []string{"normal", "grid", "sparse", "none", "constant", "zeros", "heavy", "tiny", "large"})
	nan := float32(math.NaN())
	for i := range n {
		v := []float32{float32(r.NormFloat64()), float32(r.IntN(20)), nan, nan, 3, 0, 0, float32(r.NormFloat64()) * 1e-40, float32(r.NormFloat64()) * 1e37}
		if r.IntN(10) == 0 {
			v[2] = float32(r.NormFloat64())
		}
		if r.IntN(2) == 0 {
			v[5] = float32(math.Copysign(0, -1))
		}
		if r.IntN(3) == 0 {
			v[6] = float32(r.NormFloat64())
		}
		if r.IntN(20) == 0 {
			v[0] = nan
		}
		for j, x := range v {
			t.Col(j)[i] = x
		}
	}
	return t
}

// The edges and bins of a fold are those of a matrix made of its rows alone.
func TestRankedMatrixIsTheMatrixOfItsRows(t *testing.T) {
	x := mixed(16000, 11) // so many that counts of one byte are tried, suffice and overflow
	r := rand.New(rand.NewPCG(12, 1))
	ranked, err := NewRanked(x, NewPool(2))
	if err != nil {
		t.Fatal(err)
	}
	var some, few []int
	for i := range x.N {
		if i < 1000 || i > 1900 {
			some = append(some, i)
		}
		if r.IntN(100) == 0 {
			few = append(few, i)
		}
	}
	for name, rows := range map[string][]int{"all": nil, "purged": some, "few": few, "one": {7}} {
		for _, weighted := range []bool{false, true} {
			for _, bins := range []int{2, 16, 255} {
				t.Run(fmt.Sprint(name, weighted, bins), func(t *testing.T) {
					var w []float32
					if weighted {
						w = make([]float32, len(rows))
						if rows == nil {
							w = make([]float32, x.N)
						}
						for i := range w {
							w[i] = r.Float32() + 0.01
						}
					}
					want, err := NewMatrix(x, rows, w, EqualWeight(bins), NewPool(1))
					if err != nil {
						t.Fatal(err)
					}
					for _, workers := range []int{1, 3} {
						got, err := ranked.Matrix(rows, w, EqualWeight(bins), NewPool(workers))
						if err != nil {
							t.Fatal(err)
						}
						sameMatrix(t, got, want)
						stop, err := want.Like(x, few, NewPool(1))
						if err != nil {
							t.Fatal(err)
						}
						like, err := ranked.Like(got, few, NewPool(workers))
						if err != nil {
							t.Fatal(err)
						}
						if !slices.Equal(stop.Words, like.Words) || !slices.Equal(stop.BlockMissing, like.BlockMissing) {
							t.Fatal("stop rows have other bins")
						}
						if bins != 16 {
							ranked.Release(got) // the next has its memory, whatever is left there
						}
					}
				})
			}
		}
	}
}

func sameMatrix(t *testing.T, got, want *Matrix) {
	t.Helper()
	for j := range want.Cut {
		if !slices.Equal(got.Cut[j].Edge, want.Cut[j].Edge) || got.Cut[j].Last != want.Cut[j].Last {
			t.Fatalf("column %d: edges %v, want %v", j, got.Cut[j], want.Cut[j])
		}
		if !slices.Equal(got.Col[j], want.Col[j]) {
			t.Fatalf("column %d: other bins", j)
		}
	}
	if !slices.Equal(got.Words, want.Words) || !slices.Equal(got.NBin, want.NBin) ||
		!slices.Equal(got.BlockBins, want.BlockBins) || !slices.Equal(got.BlockMissing, want.BlockMissing) {
		t.Fatal("words or numbers of bins differ")
	}
}

func TestRankedRefusesInfiniteValues(t *testing.T) {
	x := mixed(30, 13)
	x.Col(4)[7] = float32(math.Inf(-1))
	_, err := NewRanked(x, NewPool(2))
	if err == nil || !strings.Contains(err.Error(), `column "constant" row 7 is -Inf`) {
		t.Errorf("error %v", err)
	}
}

func TestRankedRelease(t *testing.T) {
	x := mixed(3000, 14)
	ranked, err := NewRanked(x, NewPool(1))
	if err != nil {
		t.Fatal(err)
	}
	rows := make([]int, 2000)
	for i := range rows {
		rows[i] = i + i/3
	}
	first, err := ranked.Matrix(nil, nil, EqualWeight(9), NewPool(1))
	if err != nil {
		t.Fatal(err)
	}
	words, cols := &first.Words[0], &first.Col[0][0]
	ranked.Release(first)
	second, err := ranked.Matrix(rows, nil, EqualWeight(99), NewPool(1))
	if err != nil {
		t.Fatal(err)
	}
	third, err := ranked.Matrix(rows, nil, EqualWeight(99), NewPool(1))
	if err != nil {
		t.Fatal(err)
	}
	if &second.Words[0] != words || &second.Col[0][0] != cols || &third.Words[0] == words || &third.Col[0][0] == cols {
		t.Error("the memory of a released matrix belongs to the next, once")
	}
	sameMatrix(t, second, third)
}
