package core

import (
	"fmt"
	"math"

	"github.com/mlfactory/mlfactory/model"
	"github.com/mlfactory/mlfactory/view"
)

// Data is what a fit is given.
type Data struct {
	X *view.Table
	// Y is the target of every row: the class 0…Classes−1 for multi:softprob,
	// 0 or 1 for binary:logistic, a number otherwise.
	Y []float64
	// Weight is ≥ 0 and finite; nil means all 1. A row of weight 0 is the same
	// as no row.
	Weight []float64
	// Classes is the number of classes for multi:softprob; 0 means one more
	// than the largest label of the training rows.
	Classes int
}

// Kept lists the rows of positive weight, nil if all are.
func (d *Data) Kept(what string) (rows []int, err error) {
	if d.X == nil {
		return nil, fmt.Errorf("model/tree: %s has no table", what)
	}
	n := d.X.N
	if len(d.X.Names) != d.X.P || len(d.X.Data) != n*d.X.P {
		return nil, fmt.Errorf("model/tree: %s table has %d names and %d values for %d×%d", what, len(d.X.Names), len(d.X.Data), n, d.X.P)
	}
	if len(d.Y) != n {
		return nil, fmt.Errorf("model/tree: %s has %d targets for %d rows", what, len(d.Y), n)
	}
	if d.Weight == nil {
		return nil, nil
	}
	if len(d.Weight) != n {
		return nil, fmt.Errorf("model/tree: %s has %d weights for %d rows", what, len(d.Weight), n)
	}
	zeros := 0
	for i, w := range d.Weight {
		if !(w >= 0) || math.IsInf(w, 1) {
			return nil, fmt.Errorf("model/tree: %s weight of row %d is %v; weights must be finite and not negative", what, i, w)
		}
		if float32(w) == 0 {
			zeros++
		}
	}
	if zeros == n && n > 0 {
		return nil, fmt.Errorf("model/tree: all %d %s weights are zero: %w", n, what, model.ErrNoRows)
	}
	if zeros == 0 {
		return nil, nil
	}
	rows = make([]int, 0, n-zeros)
	for i, w := range d.Weight {
		if float32(w) != 0 {
			rows = append(rows, i)
		}
	}
	return rows, nil
}

// KeptOf lists those of the given rows (nil: all), which ascend, that have a
// positive weight; nil if these are all rows of the table.
func (d *Data) KeptOf(rows []int, what string) ([]int, error) {
	kept, err := d.Kept(what)
	if err != nil || rows == nil {
		return kept, err
	}
	if err := CheckRows(rows, d.X.N); err != nil {
		return nil, fmt.Errorf("model/tree: %s %w", what, err)
	}
	out := make([]int, 0, len(rows))
	for _, i := range rows {
		if d.Weight == nil || float32(d.Weight[i]) != 0 {
			out = append(out, i)
		}
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("model/tree: none of the %d %s rows has weight: %w", len(rows), what, model.ErrNoRows)
	}
	return out, nil
}

// Targets are the labels and weights of the kept rows, checked for the loss.
func (d *Data) Targets(l *Loss, rows []int, what string) (Targets, error) {
	n := len(d.Y)
	if rows != nil {
		n = len(rows)
	}
	t := Targets{Y: make([]float32, n)}
	if d.Weight != nil {
		t.W = make([]float32, n)
	}
	for k := range n {
		i := k
		if rows != nil {
			i = rows[k]
		}
		y := d.Y[i]
		if err := l.check(y); err != nil {
			noun := "target"
			if l.Classifies() {
				noun = "label"
			}
			return t, fmt.Errorf("model/tree: %s %s of row %d is %v; %w", what, noun, i, y, err)
		}
		t.Y[k] = float32(y)
		if t.W != nil {
			t.W[k] = float32(d.Weight[i])
			if math.IsInf(float64(t.W[k]), 0) {
				return t, fmt.Errorf("model/tree: %s weight of row %d is %g, more than a float32 holds", what, i, d.Weight[i])
			}
		}
	}
	return t, nil
}

// MaxRows bounds the rows of a fit, so that row numbers and packed sums fit.
const MaxRows = 1 << 28

// ClassCount is the number of classes for multi:softprob; rows are the kept
// ones, nil for all.
func (d *Data) ClassCount(rows []int) (int, error) {
	const most = 1000
	k := d.Classes
	if k == 0 {
		k = 2
		count := func(y float64) {
			if y < most {
				k = max(k, int(y)+1)
			}
		}
		for _, i := range rows {
			count(d.Y[i])
		}
		if rows == nil {
			for _, y := range d.Y {
				count(y)
			}
		}
	}
	if k < 2 || k > most {
		return 0, fmt.Errorf("model/tree: %d classes; %s takes 2 to %d", k, Softprob, most)
	}
	return k, nil
}

// CheckClasses refuses labels that are all the same.
func (t *Targets) CheckClasses() error {
	for _, y := range t.Y {
		if y != t.Y[0] {
			return nil
		}
	}
	return &OneClassError{len(t.Y), int(t.Y[0])}
}

// OneClassError says that all training rows have one class.
type OneClassError struct{ Rows, Class int }

// Is makes errors.Is find [model.ErrOneClass].
func (e *OneClassError) Is(target error) bool { return target == model.ErrOneClass }

func (e *OneClassError) Error() string {
	return fmt.Sprintf("model/tree: all %d training rows have class %d; a classifier needs at least two classes", e.Rows, e.Class)
}
