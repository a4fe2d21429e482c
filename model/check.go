package model

import (
	"errors"
	"fmt"
	"math"

	"github.com/mlfactory/mlfactory/view"
)

// ErrOneClass is returned by Fit when every row with weight has the same
// class: there is nothing to tell apart.
var ErrOneClass = errors.New("model: all training rows have one class; at least two are needed")

// ErrNoRows is returned by Fit when no row has a positive weight.
var ErrNoRows = errors.New("model: no training row with a positive weight")

// CheckFit checks what every learner demands of its training rows: a table
// with at least one column, unique column names, one class of −1, 0 or +1 per
// row, weights (where given) finite and ≥ 0, no ±Inf input, and NaN inputs
// only where missing is true. It returns the rows with a positive weight, in
// order: a learner that fits on these alone treats weight 0 as a removed row.
// Errors name the column and the row. O(n·p).
func CheckFit(v view.View, missing bool) (rows []int, err error) {
	if v.Table == nil {
		return nil, errors.New("model: the training view has no table")
	}
	return CheckInputs(v, missing)
}

// CheckInputs is [CheckFit] for views with any input: a table, windows or both.
// The values of windows are left to the learner.
func CheckInputs(v view.View, missing bool) (rows []int, err error) {
	if err := checkParts(v); err != nil {
		return nil, err
	}
	if v.Class == nil {
		return nil, errors.New("model: the training view has no classes")
	}
	first, several := int8(0), false
	rows, err = weighted(v, func(i, before int) error {
		c := v.Class[i]
		if before == 0 {
			first = c
		}
		several = several || c != first
		return nil
	}, func(i int) error {
		if c := v.Class[i]; c < -1 || c > 1 {
			return fmt.Errorf("model: row %d has class %d; classes are -1, 0 and +1", i, c)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if v.Table != nil {
		if err := CheckValues(v.Table, missing); err != nil {
			return nil, err
		}
	}
	if len(rows) == 0 {
		return nil, ErrNoRows
	}
	if !several {
		return nil, fmt.Errorf("%w (class %d, %d rows)", ErrOneClass, first, len(rows))
	}
	return rows, nil
}

// ErrOneTarget is returned by Fit when every row with weight has the same target.
var ErrOneTarget = errors.New("model: all training rows have one target; there is nothing to tell apart")

// CheckTargets is [CheckInputs] for learners of View.Target instead of classes: a
// finite target in every row with weight, not the same in all.
func CheckTargets(v view.View, missing bool) (rows []int, err error) {
	if err := checkParts(v); err != nil {
		return nil, err
	}
	if v.Target == nil {
		return nil, errors.New("model: the training view has no targets")
	}
	first, several := 0.0, false
	rows, err = weighted(v, func(i, before int) error {
		y := v.Target[i]
		if y-y != 0 {
			return fmt.Errorf("model: row %d has target %v; targets are finite", i, y)
		}
		if before == 0 {
			first = y
		}
		several = several || y != first
		return nil
	}, func(int) error { return nil })
	if err != nil {
		return nil, err
	}
	if v.Table != nil {
		if err := CheckValues(v.Table, missing); err != nil {
			return nil, err
		}
	}
	if len(rows) == 0 {
		return nil, ErrNoRows
	}
	if !several {
		return nil, fmt.Errorf("%w (%v, %d rows)", ErrOneTarget, first, len(rows))
	}
	return rows, nil
}

// checkParts checks the inputs' shapes and names.
func checkParts(v view.View) error {
	if v.Table == nil && len(v.Streams) == 0 {
		return errors.New("model: the training view has no inputs")
	}
	if err := v.Check(); err != nil {
		return err
	}
	if t := v.Table; t != nil {
		if t.P == 0 {
			return errors.New("model: the training table has no columns")
		}
		if err := unique(t.Names); err != nil {
			return err
		}
	}
	for _, w := range v.Streams {
		if len(w.Names) == 0 {
			return fmt.Errorf("model: the training windows of %q have no channels", w.Timeframe)
		}
		if err := unique(w.Names); err != nil {
			return err
		}
	}
	if v.Len() == 0 {
		return ErrNoRows
	}
	return nil
}

// weighted is the rows of positive weight. check is called for every row, and each
// for those that are kept, with the number of rows kept before.
func weighted(v view.View, each func(i, before int) error, check func(i int) error) ([]int, error) {
	rows := make([]int, 0, v.Len())
	for i := range v.Len() {
		if err := check(i); err != nil {
			return nil, err
		}
		if v.Weight != nil {
			w := v.Weight[i]
			if math.IsNaN(w) || math.IsInf(w, 0) || w < 0 {
				return nil, fmt.Errorf("model: row %d has weight %v; weights are finite and at least 0", i, w)
			}
			if w == 0 {
				continue
			}
		}
		if err := each(i, len(rows)); err != nil {
			return nil, err
		}
		rows = append(rows, i)
	}
	return rows, nil
}

// unique refuses a name that occurs twice.
func unique(names []string) error {
	seen := make(map[string]int, len(names))
	for j, name := range names {
		if k, ok := seen[name]; ok {
			return fmt.Errorf("model: columns %d and %d are both named %q", k, j, name)
		}
		seen[name] = j
	}
	return nil
}

// CheckValues refuses ±Inf and, unless missing is true, NaN. The error names
// the first such column and row.
func CheckValues(t *view.Table, missing bool) error {
	for j := range t.P {
		for i, x := range t.Col(j) {
			if x-x == 0 { // finite
				continue
			}
			if x == x {
				return fmt.Errorf("model: column %q row %d is %v; infinite inputs are refused", t.Names[j], i, x)
			}
			if !missing {
				return fmt.Errorf("model: column %q row %d is missing (NaN), and this model takes no missing values", t.Names[j], i)
			}
		}
	}
	return nil
}

// CheckColumns refuses a view whose table does not have exactly the columns
// named in fitted, in that order. The error names the first column at fault:
// lacking, unknown, or out of place.
func CheckColumns(fitted []string, v view.View) error {
	if v.Table == nil {
		return errors.New("model: the view has no table")
	}
	if err := v.Check(); err != nil {
		return err
	}
	return CheckNames(fitted, v.Table.Names)
}

// CheckNames refuses column names that are not exactly those of the fit, in
// order; see [CheckColumns].
func CheckNames(fitted, got []string) error {
	same := len(got) == len(fitted)
	for j := 0; same && j < len(got); j++ {
		same = got[j] == fitted[j]
	}
	if same {
		return nil
	}
	has := make(map[string]bool, len(got))
	for j, name := range got {
		if has[name] {
			return fmt.Errorf("model: column %q occurs twice (again at position %d)", name, j)
		}
		has[name] = true
	}
	want := make(map[string]bool, len(fitted))
	for _, name := range fitted {
		want[name] = true
		if !has[name] {
			return fmt.Errorf("model: column %q is missing; the model was fitted with it", name)
		}
	}
	for _, name := range got {
		if !want[name] {
			return fmt.Errorf("model: column %q is unknown; the model was fitted without it", name)
		}
	}
	for j := range got {
		if got[j] != fitted[j] {
			return fmt.Errorf("model: column %d is %q, was %q at the fit; columns keep their order", j, got[j], fitted[j])
		}
	}
	return nil
}
