package core

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// Sums over rows as they lie are those over the rows of one leaf after another,
// bit for bit, and so are the scores.
func TestSumLeaves(t *testing.T) {
	const n, k = 40000, 2
	r := rand.New(rand.NewPCG(3, 1))
	grad, hess := make([]float32, n), make([]float32, n)
	for i := range n {
		grad[i], hess[i] = float32(r.NormFloat64()), r.Float32()
	}
	leaf := make([]int, n)
	for i := range leaf {
		leaf[i] = min(r.IntN(70), 60) // the last is large
	}
	var idx []uint32
	var leaves []Leaf
	for l := range 62 { // and the last but one has no rows
		lf := Leaf{Lo: len(idx)}
		for i := range n {
			if leaf[i] == l {
				idx = append(idx, uint32(i))
			}
		}
		lf.Hi = len(idx)
		leaves = append(leaves, lf)
	}
	value := make([]float32, len(leaves))
	for i := range value {
		value[i] = float32(i) / 7
	}
	want, wantScore := slices.Clone(leaves), make([]float32, n*k)
	for i := range want {
		for _, row := range idx[want[i].Lo:want[i].Hi] {
			want[i].G += float64(grad[row])
			want[i].H += float64(hess[row])
			wantScore[int(row)*k+1] += value[i]
		}
	}
	for _, workers := range []int{1, 2, 4} {
		for _, ascending := range []bool{true, false} {
			g := &Histograms{M: &Matrix{N: n}, Pool: NewPool(workers), Idx: idx, Ascending: ascending}
			got, score := slices.Clone(leaves), make([]float32, n*k)
			for i := range got {
				got[i].G = 9 // what was there before does not count
			}
			g.SumLeaves(got, grad, hess)
			g.AddLeaves(got, value, score, k, 1)
			if g.marked != (ascending && workers <= 2) {
				t.Errorf("%d workers, ascending %v: marked %v", workers, ascending, g.marked)
			}
			if !slices.Equal(got, want) || !slices.Equal(score, wantScore) {
				t.Errorf("%d workers, ascending %v: other sums or scores", workers, ascending)
			}
		}
	}
}
