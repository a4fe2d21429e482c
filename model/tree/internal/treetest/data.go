package treetest

import (
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/mlfactory/mlfactory/model/tree/core"
	"github.com/mlfactory/mlfactory/view"
)

// Sample is a data set with a three-class label that depends on an interaction.
type Sample struct {
	X     *view.Table
	Class []int8
	Y     []float64 // the noisy score behind the class
}

// Synth makes n rows of p columns: normal, on a grid of levels steps a unit if
// levels > 0 (so that there are few distinct values); a share nan of the cells
// is missing. Column p−1, if cats > 0, holds so many categories.
func Synth(n, p int, seed uint64, levels, cats int, nan float64) Sample {
	r := rand.New(rand.NewPCG(seed, 7))
	names := make([]string, p)
	for j := range names {
		names[j] = fmt.Sprintf("f%d", j)
	}
	s := Sample{view.NewTable(n, names), make([]int8, n), make([]float64, n)}
	row := make([]float64, p)
	for i := range n {
		for j := range row {
			v := r.NormFloat64()
			if levels > 0 {
				v = math.Round(v*float64(levels)) / float64(levels)
			}
			row[j] = v
		}
		z := row[0]*row[1%p] + 0.7*row[2%p] + 0.8*r.NormFloat64()
		if row[3%p] > 0.5 {
			z -= row[1%p]
		}
		if cats > 0 {
			c := r.IntN(cats)
			row[p-1] = float64(c)
			z += float64(c*7%11-5) / 5
		}
		s.Y[i] = z
		switch {
		case z < -0.5:
			s.Class[i] = -1
		case z > 0.5:
			s.Class[i] = 1
		}
		for j, v := range row {
			if r.Float64() < nan {
				v = math.NaN()
			}
			s.X.Col(j)[i] = float32(v)
		}
	}
	return s
}

// Part is the rows lo to hi−1 as a view.
func (s Sample) Part(lo, hi int) view.View {
	return Rows(view.View{Table: s.X, Class: s.Class}, lo, hi)
}

// Rows are the rows lo to hi−1 of a view.
func Rows(v view.View, lo, hi int) view.View {
	out := view.View{Table: v.Table.Select(UpTo(lo, hi)), Class: v.Class[lo:hi]}
	if v.Weight != nil {
		out.Weight = v.Weight[lo:hi]
	}
	return out
}

// Heavy has rows of weight 1 that follow the sign of the first column, and one
// row of the given weight in a corner of its own, with the target 0.25.
func Heavy(n int, weight float64) core.Data {
	r := rand.New(rand.NewPCG(6, 6))
	d := core.Data{X: view.NewTable(n, []string{"a", "b", "c"}), Y: make([]float64, n), Weight: make([]float64, n)}
	for i := range n {
		for j := range 3 {
			d.X.Col(j)[i] = float32(math.Round(r.NormFloat64()*10) / 10) // so that every value has a bin
		}
		d.Y[i], d.Weight[i] = -1, 1
		if d.X.Col(0)[i] > 0 {
			d.Y[i] = 1
		}
	}
	d.X.Col(1)[0], d.Y[0], d.Weight[0] = 9, 0.25, weight
	return d
}

// Positive is the sample as data for two classes.
func (s Sample) Positive() core.Data {
	d := core.Data{X: s.X, Y: make([]float64, len(s.Y))}
	for i, y := range s.Y {
		if y > 0.3 {
			d.Y[i] = 1
		}
	}
	return d
}
