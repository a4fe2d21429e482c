package core

import (
	"context"
	"errors"
	"fmt"

	"github.com/mlfactory/mlfactory/model"
	"github.com/mlfactory/mlfactory/model/tree/ensemble"
	"github.com/mlfactory/mlfactory/view"
)

// Classes is how a boosting style fits a classifier of −1, 0 and +1.
type Classes struct {
	Two, Three string // the objectives of two and of three classes, in the words of the style
	IsTwo      bool   // the configuration asks for two
	// Train fits an ensemble on labels 0, 1, …
	Train func(ctx context.Context, env model.Env, train, stop Data) (*ensemble.Ensemble, error)
}

// Fit turns the classes of views into labels, trains, and makes the ensemble a
// classifier. With two classes the training rows must hold exactly two, and the
// third has probability 0. A row of weight 0 may have any class.
func (c Classes) Fit(ctx context.Context, env model.Env, train, stop view.View) (model.Fitted, error) {
	codes := []int8{-1, 0, 1}
	if c.IsTwo {
		var err error
		if codes, err = c.present(train); err != nil {
			return nil, err
		}
	}
	tr, err := c.data(train, codes, "training")
	if err != nil {
		return nil, err
	}
	var st Data
	if stop.Len() > 0 {
		if st, err = c.data(stop, codes, "stop"); err != nil {
			return nil, err
		}
	}
	e, err := c.Train(ctx, env, tr, st)
	if err != nil {
		var one *OneClassError
		if errors.As(err, &one) {
			one.Class = int(codes[one.Class])
		}
		return nil, err
	}
	e.Classes = codes
	m, err := ensemble.NewModel(e)
	if err != nil {
		return nil, fmt.Errorf("model/tree: %w", err)
	}
	return m, nil
}

// present lists the classes of the rows of positive weight, which must be two.
func (c Classes) present(v view.View) ([]int8, error) {
	var seen [model.K]bool
	rows := 0
	for i, k := range v.Class {
		if k < -1 || k > 1 {
			return nil, classError("training", i, k)
		}
		if i < len(v.Weight) && v.Weight[i] == 0 {
			continue
		}
		rows++
		seen[model.ClassIndex(k)] = true
	}
	var codes []int8
	for k, s := range seen {
		if s {
			codes = append(codes, int8(k)-1) // #nosec G115 -- −1, 0 or 1
		}
	}
	switch len(codes) {
	case 1:
		return nil, &OneClassError{Rows: rows, Class: int(codes[0])}
	case 3:
		return nil, fmt.Errorf("model/tree: the training rows hold three classes, %s takes two; use %s", c.Two, c.Three)
	case 0:
		return nil, fmt.Errorf("model/tree: %w", model.ErrNoRows)
	}
	return codes, nil
}

func classError(what string, row int, c int8) error {
	return fmt.Errorf("model/tree: %s row %d has class %d; classes are -1, 0 and 1", what, row, c)
}

// data turns a view into labels 0, 1, … in the order of codes.
func (c Classes) data(v view.View, codes []int8, what string) (Data, error) {
	if v.Table == nil || v.Class == nil {
		return Data{}, fmt.Errorf("model/tree: %s view has no table or no classes", what)
	}
	if err := v.Check(); err != nil {
		return Data{}, fmt.Errorf("model/tree: %s: %w", what, err)
	}
	d := Data{X: v.Table, Y: make([]float64, len(v.Class)), Weight: v.Weight, Classes: len(codes)}
	for i, class := range v.Class {
		k := -1
		for j, code := range codes {
			if code == class {
				k = j
			}
		}
		if k < 0 {
			if class < -1 || class > 1 {
				return d, classError(what, i, class)
			}
			if i < len(v.Weight) && v.Weight[i] == 0 {
				continue // as good as absent
			}
			return d, fmt.Errorf("model/tree: %s row %d has class %d, which the training rows lack; %s cannot predict it", what, i, class, c.Two)
		}
		d.Y[i] = float64(k)
	}
	return d, nil
}
