package explain_test

import (
	"context"
	"fmt"

	"github.com/mlfactory/mlfactory/model/tree/ensemble"
	"github.com/mlfactory/mlfactory/model/tree/explain"
	"github.com/mlfactory/mlfactory/view"
)

// A score of 2 where both columns are high, among training rows of which half
// are high in either: knowing nothing it is ½, and both columns have the same
// part in the rest.
func Example() {
	e := &ensemble.Ensemble{Columns: []string{"momentum", "range"}, Base: []float64{0}, Trees: []ensemble.Tree{{
		Width: 1, Nodes: []ensemble.Node{
			{Feature: 0, Threshold: 1, Left: 1, Cover: 40},
			{Cover: 20},
			{Feature: 1, Threshold: 1, Left: 3, Cover: 20},
			{Cover: 10},
			{Cover: 10, Value: 2},
		},
	}}}
	m, err := ensemble.NewModel(e)
	if err != nil {
		fmt.Println(err)
		return
	}
	x, err := explain.NewPath(m, explain.Cover)
	if err != nil {
		fmt.Println(err)
		return
	}
	t := view.NewTable(2, e.Columns)
	copy(t.Data, []float32{2, 2, 2, 0}) // both high; only momentum
	c, err := x.Rows(context.Background(), t, 1)
	if err != nil {
		fmt.Println(err)
		return
	}
	for i := range t.N {
		v := c.Of(i, 0)
		fmt.Printf("momentum %+.2f, range %+.2f, bias %+.2f\n", v[0], v[1], v[2])
	}
	// Output:
	// momentum +0.75, range +0.75, bias +0.50
	// momentum +0.25, range -0.75, bias +0.50
}
