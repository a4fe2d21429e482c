package ensemble

import (
	"context"
	"fmt"
	"math"
	"sync"

	"github.com/mlfactory/mlfactory/view"
)

// rowsAtOnce rows are scored together.
const rowsAtOnce = 64

// predictor scores rows.
type predictor struct {
	e    *Ensemble
	p    int
	cat  []bool // columns of categories
	bufs sync.Pool
}

// buffer is what scoring a block of rows needs.
type buffer struct {
	x      []float32 // one row
	scores []float64 // rowsAtOnce rows
	single []float32 // of one row
}

func newPredictor(e *Ensemble) *predictor {
	pr := &predictor{e: e, p: len(e.Columns), cat: make([]bool, len(e.Columns))}
	for _, c := range e.Categorical {
		pr.cat[c] = true
	}
	k := len(e.Base)
	pr.bufs.New = func() any {
		return &buffer{make([]float32, pr.p), make([]float64, rowsAtOnce*k), make([]float32, k)}
	}
	return pr
}

func (pr *predictor) buf() *buffer  { return pr.bufs.Get().(*buffer) }
func (pr *predictor) put(b *buffer) { pr.bufs.Put(b) }

// bad says what is wrong with x as a value of column j, "" if nothing is.
func (pr *predictor) bad(j int, x float32) string {
	switch {
	case x != x:
	case math.IsInf(float64(x), 0):
		return "; give NaN for a missing value"
	case pr.cat[j] && (x < 0 || x >= 1<<24 || x != float32(int32(x))):
		return "; a category is a whole number from 0 to 16777215"
	}
	return ""
}

// row scores one row.
func (pr *predictor) row(b *buffer, x []float32, out []float64) error {
	for j, v := range x {
		if s := pr.bad(j, v); s != "" {
			return fmt.Errorf("ensemble: column %q is %v%s", pr.e.Columns[j], v, s)
		}
	}
	pr.score(b, x, out)
	return nil
}

// score is Ensemble.Score without allocation.
func (pr *predictor) score(b *buffer, x []float32, out []float64) {
	e, s := pr.e, b.single
	for c, v := range e.Base {
		s[c], out[c] = float32(v), 0
		if !e.Mean {
			out[c] = v
		}
	}
	for i := range e.Trees {
		t := &e.Trees[i]
		l := t.LeafOf(x)
		switch {
		case t.Width == 1 && e.Single:
			s[t.Class] += float32(t.Nodes[l].Value)
		case t.Width == 1:
			out[t.Class] += t.Nodes[l].Value
		default:
			for c, v := range t.Values[l*t.Width : (l+1)*t.Width] {
				s[c] += float32(v)
				out[c] += v
			}
		}
	}
	for c := range out {
		switch {
		case e.Single:
			out[c] = float64(s[c])
		case e.Mean:
			out[c] = out[c]/float64(len(e.Trees)) + e.Base[c]
		}
	}
}

// blocks scores the table block by block.
func (pr *predictor) blocks(ctx context.Context, t *view.Table, done func(lo, n int, scores []float64)) error {
	b := pr.buf()
	defer pr.put(b)
	k := len(pr.e.Base)
	for lo := 0; lo < t.N; lo += rowsAtOnce {
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("ensemble: predicting row %d: %w", lo, err)
		}
		n := min(rowsAtOnce, t.N-lo)
		for i := range n {
			for j := range pr.p {
				v := t.Data[j*t.N+lo+i]
				if s := pr.bad(j, v); s != "" {
					return fmt.Errorf("ensemble: column %q row %d is %v%s", t.Names[j], lo+i, v, s)
				}
				b.x[j] = v
			}
			pr.score(b, b.x, b.scores[i*k:(i+1)*k])
		}
		done(lo, n, b.scores[:n*k])
	}
	return nil
}
