package explain

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/mlfactory/mlfactory/model/tree/ensemble"
	"github.com/mlfactory/mlfactory/view"
)

// Explainer computes SHAP values of one ensemble. It is immutable and safe for
// concurrent use.
type Explainer struct {
	m    *ensemble.Model
	e    *ensemble.Ensemble
	path []*path     // of the trees, if path-dependent
	back [][]float32 // background rows, if interventional
	bias []float64
}

// NewPath makes a path-dependent explainer. Every split must know its cover,
// or its rows with Count.
func NewPath(m *ensemble.Model, w Weights) (*Explainer, error) {
	e := m.Ensemble()
	x := &Explainer{m: m, e: e, bias: make([]float64, len(e.Base))}
	w = w.of(e)
	for i := range e.Trees {
		p, err := newPath(&e.Trees[i], len(e.Base), w)
		if err != nil {
			return nil, fmt.Errorf("explain: tree %d: %w", i, err)
		}
		x.path = append(x.path, p)
		for c, v := range p.mean {
			x.bias[c] += v
		}
	}
	x.finish(x.bias)
	for c, b := range e.Base {
		x.bias[c] += b
	}
	return x, nil
}

// NewInterventional makes an explainer against background rows, some hundreds
// as a rule: the time is proportional to their number.
func NewInterventional(m *ensemble.Model, background *view.Table) (*Explainer, error) {
	e := m.Ensemble()
	if err := m.CheckTable(background); err != nil {
		return nil, fmt.Errorf("explain: background: %w", err)
	}
	if background.N == 0 {
		return nil, errors.New("explain: no background rows")
	}
	x := &Explainer{m: m, e: e, back: rowsOf(background, 0, background.N), bias: make([]float64, len(e.Base))}
	for _, row := range x.back {
		for i := range e.Trees {
			t := &e.Trees[i]
			addValue(t, t.LeafOf(row), 1, x.bias)
		}
	}
	for c, b := range e.Base {
		x.bias[c] = x.bias[c]/float64(len(x.back)*x.divisor()) + b
	}
	return x, nil
}

// divisor is the number of trees of which scores are the mean, or 1.
func (x *Explainer) divisor() int {
	if x.e.Mean {
		return len(x.e.Trees)
	}
	return 1
}

// finish turns sums over the trees into contributions.
func (x *Explainer) finish(out []float64) {
	if d := x.divisor(); d > 1 {
		for i := range out {
			out[i] /= float64(d)
		}
	}
}

func rowsOf(t *view.Table, lo, n int) [][]float32 {
	flat := make([]float32, n*t.P)
	rows := make([][]float32, n)
	for i := range rows {
		rows[i] = flat[i*t.P : (i+1)*t.P : (i+1)*t.P]
	}
	for j := range t.P {
		for i, v := range t.Data[j*t.N+lo : j*t.N+lo+n] {
			rows[i][j] = v
		}
	}
	return rows
}

// Bias is the value of every score when no column is known: the mean over the
// training rows or the background.
func (x *Explainer) Bias() []float64 { return append([]float64(nil), x.bias...) }

// Contributions are SHAP values.
type Contributions struct {
	Rows, Scores int
	Columns      []string
	// Values holds, for every row and score, one value for every column and
	// the bias last, as pred_contribs of XGBoost does.
	Values []float64
}

// Of returns the contributions of the columns to a score of a row, and the
// bias last. They sum to the raw score, up to rounding (relative to the sum of
// the absolute values, about 1e-14; 1e-6 where the ensemble sums in float32).
func (c *Contributions) Of(row, score int) []float64 {
	w := len(c.Columns) + 1
	at := (row*c.Scores + score) * w
	return c.Values[at : at+w : at+w]
}

// MeanAbsolute is the mean of |contribution| over the rows, for every column: an
// importance in the units of the score. It is 0 for no rows.
func (c *Contributions) MeanAbsolute(score int) []float64 {
	out := make([]float64, len(c.Columns))
	for i := range c.Rows {
		for j, v := range c.Of(i, score)[:len(out)] {
			if v < 0 {
				v = -v
			}
			out[j] += v
		}
	}
	for j := range out {
		if c.Rows > 0 {
			out[j] /= float64(c.Rows)
		}
	}
	return out
}

// rowsAtOnce rows share what a tree needs to be prepared.
const rowsAtOnce = 32

// Rows explains every row of a table, whose columns must be those of the fit;
// NaN is missing, infinite values are errors. ctx is checked for every tree of
// 32 rows. The result does not depend on the number of workers. Complexity:
// O(rows·nodes·⌈d/8⌉) for d columns on a path, or
// O(rows·background·nodes) against background rows.
func (x *Explainer) Rows(ctx context.Context, t *view.Table, workers int) (*Contributions, error) {
	if err := x.m.CheckTable(t); err != nil {
		return nil, fmt.Errorf("explain: %w", err)
	}
	k, w := len(x.e.Base), len(x.e.Columns)+1
	c := &Contributions{t.N, k, append([]string(nil), x.e.Columns...), make([]float64, t.N*k*w)}
	err := blocks(ctx, t, workers, func(s *scratch, rows [][]float32, lo int) error {
		return x.block(ctx, s, rows, c.Values[lo*k*w:(lo+len(rows))*k*w])
	})
	if err != nil {
		return nil, err
	}
	return c, nil
}

// Row explains one row: out has, for every score, one value for every column
// and the bias.
func (x *Explainer) Row(row []float32, out []float64) error {
	k, w := len(x.e.Base), len(x.e.Columns)+1
	if len(out) != k*w {
		return fmt.Errorf("explain: room for %d contributions, want %d for each of %d scores", len(out), w, k)
	}
	if err := x.m.CheckRow(row); err != nil {
		return fmt.Errorf("explain: %w", err)
	}
	clear(out)
	return x.block(context.Background(), &scratch{}, [][]float32{row}, out)
}

func (x *Explainer) block(ctx context.Context, s *scratch, rows [][]float32, out []float64) error {
	k, p := len(x.e.Base), len(x.e.Columns)
	for i := range x.e.Trees {
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("explain: tree %d: %w", i, err)
		}
		if x.path != nil {
			x.path[i].explain(s, rows, k, p, out)
		} else {
			x.against(s, &x.e.Trees[i], rows, out)
		}
	}
	x.finish(out)
	for i := range rows {
		for c, b := range x.bias {
			out[(i*k+c)*(p+1)+p] = b
		}
	}
	return nil
}

// blocks runs f over blocks of rows. Each writes its own part of the output.
func blocks(ctx context.Context, t *view.Table, workers int, f func(s *scratch, rows [][]float32, lo int) error) error {
	n := (t.N + rowsAtOnce - 1) / rowsAtOnce
	workers = max(min(workers, n), 1)
	errs := make([]error, workers)
	var next atomic.Int64
	var wg sync.WaitGroup
	for i := range workers {
		wg.Add(1)
		go func() {
			defer wg.Done()
			s := &scratch{}
			for errs[i] == nil {
				b := int(next.Add(1)) - 1
				if b >= n {
					return
				}
				lo := b * rowsAtOnce
				if errs[i] = ctx.Err(); errs[i] == nil {
					errs[i] = f(s, rowsOf(t, lo, min(rowsAtOnce, t.N-lo)), lo)
				}
			}
		}()
	}
	wg.Wait()
	return errors.Join(errs...)
}
