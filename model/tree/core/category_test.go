package core

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/mlfactory/mlfactory/model/tree/ensemble"
	"github.com/mlfactory/mlfactory/view"
)

// A table of one numeric and one categorical column: the bins of the second are
// those of the list, whichever way the matrix is made, and a set of them divides
// rows as the finished tree does.
func TestCategories(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 1))
	x := view.NewTable(500, []string{"a", "b"})
	for i := range x.N {
		x.Col(0)[i] = float32(r.NormFloat64())
		x.Col(1)[i] = float32(r.IntN(9) * 100)
		if r.IntN(10) == 0 {
			x.Col(1)[i] = float32(math.NaN())
		}
	}
	list := []int32{700, 0, 300, 100} // 200, 400, 500, 600, 800 are not listed
	cut := func(j int) Cutter {
		if j == 0 {
			return EqualWeight(8)
		}
		return func([]float32, []float32) Cuts { return Cuts{Category: list} }
	}
	pl := NewPool(2)
	m, err := NewMatrixEach(x, nil, nil, cut, pl)
	if err != nil {
		t.Fatal(err)
	}
	for i, v := range x.Col(1) {
		want := uint8(slices.Index(list, int32(v)) + 1) // NaN: not listed
		if v != v {
			want = MissingBin
		}
		if m.Col[1][i] != want {
			t.Fatalf("category %v has bin %d, want %d", v, m.Col[1][i], want)
		}
	}
	if m.NBin[1] != 5 || !m.BlockMissing[0] {
		t.Errorf("%d bins, missing %v", m.NBin[1], m.BlockMissing[0])
	}
	ranked, err := NewRanked(x, pl)
	if err != nil {
		t.Fatal(err)
	}
	again, err := ranked.MatrixEach(nil, nil, cut, pl)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(again.Words, m.Words) {
		t.Error("the ranked table gives other bins")
	}

	tree := ensemble.Tree{Width: 1, Sets: []ensemble.Set{ensemble.Set(nil).With(0).With(100).With(800)},
		Nodes: []ensemble.Node{{Feature: 1, Left: 1, Set: 1}, {Feature: 0, Left: 3, Threshold: m.Cut[0].Edge[3]}, {Value: 2}, {Value: 3}, {Value: 4}}}
	if err := tree.Check(2, 1); err != nil {
		t.Fatal(err)
	}
	set := new(BinSet)
	set.Add(2)
	set.Add(4)
	bt := m.BinTreeOf(&tree)
	h := NewHistograms(m, pl)
	for i := range x.N {
		h.Idx = append(h.Idx, uint32(i))
		if v := x.Col(1)[i]; v == 800 {
			continue // not listed: the bins do not know it
		}
		leaf := tree.LeafOf([]float32{x.Col(0)[i], x.Col(1)[i]})
		if got := bt.Leaf(m.Words[i*m.Stride:]); got != leaf {
			t.Fatalf("row %d (%v, %v) reaches leaf %d by bins, %d by values", i, x.Col(0)[i], x.Col(1)[i], got, leaf)
		}
		if bt.Value(m.Words[i*m.Stride:]) != float32(tree.Nodes[leaf].Value) {
			t.Fatalf("row %d has another value", i)
		}
	}
	nl := h.Partition(0, x.N, &Rule{Feature: 1, Set: set})
	for k, row := range h.Idx {
		v := x.Col(1)[row]
		if left := v == 0 || v == 100; left != (k < nl) {
			t.Fatalf("row %d with category %v is on the wrong side", row, v)
		}
		if k > 0 && k != nl && h.Idx[k-1] >= row {
			t.Fatal("the rows are out of order")
		}
	}
}
