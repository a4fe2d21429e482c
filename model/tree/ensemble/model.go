package ensemble

import (
	"context"
	"fmt"
	"io"
	"math"

	"github.com/mlfactory/mlfactory/model"
	"github.com/mlfactory/mlfactory/view"
)

// Model is an ensemble made ready to predict. It is immutable and safe for
// concurrent use, and is a [model.Fitted] where the ensemble has classes.
type Model struct {
	e    *Ensemble
	pred *predictor
}

// NewModel checks an ensemble and makes it ready to predict. The ensemble must
// not be changed afterwards.
func NewModel(e *Ensemble) (*Model, error) {
	if err := e.Check(); err != nil {
		return nil, err
	}
	return &Model{e, newPredictor(e, maxSlots)}, nil
}

// Ensemble is what the model was made of; it must not be changed.
func (m *Model) Ensemble() *Ensemble { return m.e }

// Scores is the number of raw scores of a row.
func (m *Model) Scores() int { return len(m.e.Base) }

// Width is the number of probabilities of a row by [Model.Probabilities]: two
// for a logistic link, the number of scores for the other links of classes, 0
// for a prediction that is no probability.
func (m *Model) Width() int { return m.e.Link.width(len(m.e.Base)) }

func (l Link) width(k int) int {
	switch l {
	case Identity:
		return 0
	case Logistic:
		return 2
	}
	return k
}

// Predict fills out with the probabilities of −1, 0 and +1 for the rows of
// v.Table, whose columns must be those of the fit by name and order. A class
// that the ensemble does not know has probability 0. NaN is missing; ±Inf, and
// a category that is negative or no whole number, are errors that name row and
// column. ctx is checked for every block of rows.
func (m *Model) Predict(ctx context.Context, v view.View, out *model.Prediction) error {
	if err := m.classifies(); err != nil {
		return err
	}
	if err := m.checkTable(v.Table); err != nil {
		return err
	}
	out.Resize(v.Table.N, model.K)
	k := len(m.e.Base)
	return m.pred.blocks(ctx, v.Table, nil, func(lo, n int, scores []float64) {
		for i := range n {
			m.spread(scores[i*k:(i+1)*k], out.Row(lo+i))
		}
	})
}

// PredictRow writes the probabilities of −1, 0 and +1 for one row to out. The
// rules of [Model.Predict] hold. It does not allocate.
func (m *Model) PredictRow(x []float32, out []float64) error {
	if err := m.classifies(); err != nil {
		return err
	}
	if len(out) != model.K {
		return fmt.Errorf("ensemble: room for %d probabilities, want %d", len(out), model.K)
	}
	if len(x) != m.pred.p {
		return fmt.Errorf("ensemble: a row of %d values; the fit had %d columns", len(x), m.pred.p)
	}
	b := m.pred.buf()
	defer m.pred.release(b)
	s := b.scores[:len(m.e.Base)]
	if err := m.pred.row(b, x, s); err != nil {
		return err
	}
	m.spread(s, out)
	return nil
}

func (m *Model) classifies() error {
	if len(m.e.Classes) == 0 {
		return fmt.Errorf("ensemble: a %s ensemble (%s) without classes predicts no -1, 0 and 1; use Raw or Probabilities", m.e.Style, m.e.Objective)
	}
	return nil
}

// spread writes the probabilities of −1, 0 and +1 from the scores of a row.
func (m *Model) spread(scores, out []float64) {
	if len(m.e.Classes) == model.K {
		m.e.Link.Probabilities(scores, out)
		return
	}
	var two [2]float64
	m.e.Link.Probabilities(scores, two[:])
	clear(out)
	for i, c := range m.e.Classes {
		out[model.ClassIndex(c)] = two[i]
	}
}

// Raw writes the raw scores of every row of t, row-major, [Model.Scores] a
// row, to dst (which is grown if it is too short and returned). Columns must
// be those of the fit by name and order; NaN is missing; ±Inf, and a category
// that is negative or no whole number, are errors that name row and column.
// ctx is checked for every block of rows. They are those of [Ensemble.Score],
// bit for bit. Complexity: O(rows·trees·depth).
func (m *Model) Raw(ctx context.Context, t *view.Table, dst []float64) ([]float64, error) {
	return m.RawOf(ctx, t, nil, dst)
}

// RawOf is [Model.Raw] for the given rows of t (nil: all), in their order.
func (m *Model) RawOf(ctx context.Context, t *view.Table, rows []int, dst []float64) ([]float64, error) {
	if err := m.checkTable(t); err != nil {
		return nil, err
	}
	n := t.N
	if rows != nil {
		n = len(rows)
	}
	for i, r := range rows {
		if r < 0 || r >= t.N {
			return nil, fmt.Errorf("ensemble: prediction: row %d at position %d of a table of %d rows", r, i, t.N)
		}
	}
	k := len(m.e.Base)
	dst = sized(dst, n*k)
	return dst, m.pred.blocks(ctx, t, rows, func(lo, _ int, scores []float64) {
		copy(dst[lo*k:], scores)
	})
}

// RawRow writes the raw scores of one row, in the order of the columns of the
// fit, to out, which has [Model.Scores] values. It does not allocate.
func (m *Model) RawRow(x []float32, out []float64) error {
	if len(x) != m.pred.p || len(out) != len(m.e.Base) {
		return fmt.Errorf("ensemble: a row of %d values and %d scores; the fit had %d columns and gives %d scores", len(x), len(out), m.pred.p, len(m.e.Base))
	}
	b := m.pred.buf()
	defer m.pred.release(b)
	return m.pred.row(b, x, out)
}

// Probabilities writes the probabilities of every row of t to dst, row-major,
// [Model.Width] a row: (P(0), P(1)) for a logistic link, one for every score
// otherwise. An ensemble with the link Identity has none: use Raw. The rules
// of [Model.Raw] hold.
func (m *Model) Probabilities(ctx context.Context, t *view.Table, dst []float64) ([]float64, error) {
	w := m.Width()
	if w == 0 {
		return nil, fmt.Errorf("ensemble: a %s ensemble (%s) has no probabilities; use Raw", m.e.Style, m.e.Objective)
	}
	if err := m.checkTable(t); err != nil {
		return nil, err
	}
	k := len(m.e.Base)
	dst = sized(dst, t.N*w)
	return dst, m.pred.blocks(ctx, t, nil, func(lo, n int, scores []float64) {
		for i := range n {
			m.e.Link.Probabilities(scores[i*k:(i+1)*k], dst[(lo+i)*w:(lo+i+1)*w])
		}
	})
}

func sized(dst []float64, n int) []float64 {
	if cap(dst) < n {
		return make([]float64, n)
	}
	return dst[:n]
}

func (m *Model) checkTable(t *view.Table) error {
	if err := model.CheckColumns(m.e.Columns, view.View{Table: t}); err != nil {
		return fmt.Errorf("ensemble: prediction: %w", err)
	}
	return nil
}

// CheckTable refuses what prediction refuses: columns that are not those of
// the fit, infinite values, and categories that are negative or no whole
// numbers.
func (m *Model) CheckTable(t *view.Table) error {
	if err := m.checkTable(t); err != nil {
		return err
	}
	return m.pred.checkValues(t, 0, t.N, func(i int) int { return i })
}

// CheckRow is [Model.CheckTable] for one row.
func (m *Model) CheckRow(x []float32) error {
	if len(x) != m.pred.p {
		return fmt.Errorf("ensemble: a row of %d values; the fit had %d columns", len(x), m.pred.p)
	}
	return m.pred.checkRow(x)
}

// Encode writes the ensemble; see [Ensemble.Encode].
func (m *Model) Encode(w io.Writer) error { return m.e.Encode(w) }

// DecodeModel reads what [Model.Encode] wrote.
func DecodeModel(r io.Reader) (*Model, error) {
	e, err := Decode(r)
	if err != nil {
		return nil, err
	}
	return NewModel(e)
}

// DecodeFitted reads what [Model.Encode] wrote, for the entries of the
// registry; an ensemble without classes is refused.
func DecodeFitted(r io.Reader) (model.Fitted, error) {
	m, err := DecodeModel(r)
	if err != nil {
		return nil, err
	}
	if err := m.classifies(); err != nil {
		return nil, err
	}
	return m, nil
}

// Probabilities turns the raw scores of one row into probabilities:
//
//	Logistic  (1/(1+e^s), 1/(1+e^−s)), from one score to two probabilities
//	Softmax   e^{s_c} / Σ e^{s_d}
//	OneVsAll  σ(s_c) / Σ σ(s_d) with σ(s) = 1/(1+e^−s)
//	Shares    max(s_c, 0) / Σ max(s_d, 0), equal shares where all are 0
//
// Identity copies the scores. scores and out must not overlap for Logistic.
// The same bits on every machine ([model.Exp]).
func (l Link) Probabilities(scores, out []float64) {
	sum := 0.0
	switch l {
	case Identity:
		copy(out, scores)
		return
	case Logistic:
		out[0], out[1] = logistic(-scores[0]), logistic(scores[0])
		return
	case Softmax:
		top := scores[0]
		for _, v := range scores[1:] {
			top = max(top, v)
		}
		for c, v := range scores {
			out[c] = model.Exp(v - top)
			sum += out[c]
		}
	case OneVsAll:
		for c, v := range scores {
			out[c] = logistic(v)
			sum += out[c]
		}
	case Shares:
		for c, v := range scores {
			out[c] = max(v, 0)
			sum += out[c]
		}
	}
	if !(sum > 0) || math.IsInf(sum, 0) {
		for c := range scores {
			out[c] = 1 / float64(len(scores))
		}
		return
	}
	for c := range scores {
		out[c] /= sum
	}
}

// logistic is 1/(1+e^−s) without overflow.
func logistic(s float64) float64 {
	e := model.Exp(-math.Abs(s))
	if s < 0 {
		return e / (1 + e)
	}
	return 1 / (1 + e)
}

// Importance is the use of one column over all trees.
type Importance struct {
	Name   string
	Splits int     // number of splits
	Gain   float64 // sum of gains over the splits, in the units of the style
	Cover  float64 // sum of covers over the splits
}

// Importance sums over all splits of all trees, for every column in the order
// of the fit. The types of the libraries follow:
//
//	XGBoost   weight Splits, total_gain Gain, gain Gain/Splits, total_cover Cover, cover Cover/Splits
//	LightGBM  split Splits, gain Gain
//	forests   Gain divided by the sum of all Gains (shares that sum to 1)
//
// [Normalised] gives shares that sum to 1.
func (e *Ensemble) Importance() []Importance {
	out := make([]Importance, len(e.Columns))
	for j, n := range e.Columns {
		out[j].Name = n
	}
	for i := range e.Trees {
		for j := range e.Trees[i].Nodes {
			if nd := &e.Trees[i].Nodes[j]; nd.Left != 0 {
				im := &out[nd.Feature]
				im.Splits++
				im.Gain += nd.Gain
				im.Cover += nd.Cover
			}
		}
	}
	return out
}

// Importance is that of the ensemble.
func (m *Model) Importance() []Importance { return m.e.Importance() }

// Normalised returns the shares of the columns in the sum over all columns of
// what measure takes from an importance, such as its Gain; all 0 where the sum
// is 0.
func Normalised(list []Importance, measure func(Importance) float64) []float64 {
	out, sum := make([]float64, len(list)), 0.0
	for j, im := range list {
		out[j] = measure(im)
		sum += out[j]
	}
	for j := range out {
		if sum != 0 {
			out[j] /= sum
		}
	}
	return out
}
