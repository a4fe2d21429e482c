// Package importance says what a fitted model looks at, whatever kind of model it
// is.
//
// # Permutation importance
//
// [Permutation] deals the values of one column out anew among the rows and asks by
// how much the log-loss rises (Breiman 2001, section 10; in the form of Fisher,
// Rudin and Dominici 2019). A channel of a window is dealt out as a whole: each row
// keeps its window but for this channel, which it takes, all bars of it, from
// another row. So trees, linear models and networks of windows are asked the same
// question, and a column is a channel of every bar.
//
// # Conventions
//
// Give rows that the model was not fitted on: on others it tells what the model
// remembers. A column of which the model makes nothing has 0, one that misleads it on
// these rows less. Columns that say the same share what they tell, or show nothing of
// it, because each is in place while the other is not.
//
// # Refusals
//
// Rows without classes, fewer than two, and models that predict targets.
package importance

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"

	"github.com/mlfactory/mlfactory/model"
	"github.com/mlfactory/mlfactory/rng"
	"github.com/mlfactory/mlfactory/stat"
	"github.com/mlfactory/mlfactory/view"
)

// Options of [Permutation].
type Options struct {
	Repeats int        // times that each column is dealt out; the mean counts. 0 means 1
	Workers int        // goroutines; results do not depend on it. 0 means 1
	Stream  rng.Stream // deals
}

// Column is a column of a table or a channel of windows.
type Column struct {
	Part string // "table", "stream.0" and so on, "known"
	Name string
	Rise float64 // of the mean log-loss when the column is dealt out, nats
}

// blockRows go through the model together.
const blockRows = 64

// Permutation is the log-loss of f on the rows of v, and by how much it rises for
// each column: of the table, then of each stream, then of the known future. Weights
// count where v has them. The same arguments give the same bits for any number of
// workers, if f predicts a row the same whatever rows are beside it. It takes
// 1 + columns × repeats predictions of each row, and room for a block of rows and one
// loss for each prediction.
func Permutation(ctx context.Context, f model.Fitted, v view.View, o Options) (loss float64, columns []Column, err error) {
	n := v.Len()
	if err := v.Check(); err != nil {
		return 0, nil, fmt.Errorf("importance: %w", err)
	}
	if v.Class == nil || n < 2 {
		return 0, nil, fmt.Errorf("importance: %d rows with %d classes; a permutation needs two of each at least", n, len(v.Class))
	}
	for i, c := range v.Class {
		if c < -1 || c > 1 {
			return 0, nil, fmt.Errorf("importance: row %d has class %d; classes are -1, 0 and +1", i, c)
		}
	}
	o.Repeats, o.Workers = max(1, o.Repeats), max(1, o.Workers)
	p := &permuter{model: f, rows: v, repeats: o.Repeats}
	p.list(o.Stream)
	p.losses = make([][]float64, 1+len(p.columns)*o.Repeats)
	for k := range p.losses {
		p.losses[k] = make([]float64, n)
	}
	blocks := (n + blockRows - 1) / blockRows
	errs := make([]error, blocks)
	var wg sync.WaitGroup
	workers := min(o.Workers, blocks)
	for w := range workers {
		wg.Go(func() {
			for b := w; b < blocks; b += workers {
				if errs[b] = p.block(ctx, b*blockRows, min(n, (b+1)*blockRows)); errs[b] != nil {
					return
				}
			}
		})
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		return 0, nil, fmt.Errorf("importance: %w", err)
	}
	means := make([]float64, len(p.losses))
	for k, l := range p.losses {
		if means[k], err = mean(l, v.Weight); err != nil {
			return 0, nil, err
		}
	}
	for k := range p.columns {
		sum := 0.0
		for r := range o.Repeats {
			sum += means[1+k*o.Repeats+r] - means[0]
		}
		p.columns[k].Rise = sum / float64(o.Repeats)
	}
	return means[0], p.columns, nil
}

// mean is the weighted mean of the rows' losses.
func mean(loss, weight []float64) (float64, error) {
	sum, total := 0.0, 0.0
	for i, l := range loss {
		w := 1.0
		if weight != nil {
			w = weight[i]
		}
		sum += float64(w * l)
		total += w
	}
	if !(total > 0) {
		return 0, fmt.Errorf("importance: %d rows have a total weight of %v", len(loss), total)
	}
	return sum / total, nil
}

// permuter is the work of one call.
type permuter struct {
	model   model.Fitted
	rows    view.View
	repeats int
	columns []Column
	deals   [][]int     // for each column and repeat, the row that each row takes it from
	losses  [][]float64 // of each row: as it is, then for each column and repeat
}

// list names the columns and deals.
func (p *permuter) list(s rng.Stream) {
	add := func(part string, names []string) {
		for j, name := range names {
			p.columns = append(p.columns, Column{Part: part, Name: name})
			for r := range p.repeats {
				p.deals = append(p.deals, s.Stream(part, j, r).Rand().Perm(p.rows.Len()))
			}
		}
	}
	if p.rows.Table != nil {
		add("table", p.rows.Table.Names)
	}
	for k, w := range p.rows.Streams {
		add(fmt.Sprintf("stream.%d", k), w.Names)
	}
	if p.rows.Known != nil {
		add("known", p.rows.Known.Names)
	}
}

// block measures rows lo to hi−1.
func (p *permuter) block(ctx context.Context, lo, hi int) error {
	rows := make([]int, hi-lo)
	for i := range rows {
		rows[i] = lo + i
	}
	v, at := p.own(rows), 0
	var out model.Prediction
	measure := func() error {
		if err := p.model.Predict(ctx, v, &out); err != nil {
			return err
		}
		if out.K != model.K {
			return errors.New("the model predicts targets; permutation importance is of classes")
		}
		for i := range rows {
			x := out.Row(i)[model.ClassIndex(p.rows.Class[lo+i])]
			if x != x {
				return fmt.Errorf("row %d has probability NaN", lo+i)
			}
			p.losses[at][lo+i] = -stat.Log(math.Max(x, model.MinProb))
		}
		at++
		return nil
	}
	if err := measure(); err != nil {
		return err
	}
	column := func(get func(from int, into int)) error {
		for range p.repeats {
			for i := range rows {
				get(p.deals[at-1][lo+i], i)
			}
			if err := measure(); err != nil {
				return err
			}
		}
		for i := range rows {
			get(lo+i, i)
		}
		return nil
	}
	if t := p.rows.Table; t != nil {
		for j := range t.P {
			if err := column(func(from, into int) { v.Table.Col(j)[into] = t.Col(j)[from] }); err != nil {
				return err
			}
		}
	}
	windows := func(of, own *view.Windows) error {
		for j := range of.Names {
			if err := column(func(from, into int) { copyChannel(own, into, of, from, j) }); err != nil {
				return err
			}
		}
		return nil
	}
	for k, w := range p.rows.Streams {
		if err := windows(w, v.Streams[k]); err != nil {
			return err
		}
	}
	if p.rows.Known != nil {
		return windows(p.rows.Known, v.Known)
	}
	return nil
}

// own is the inputs of the given rows in memory of their own, no bar shared, NaN for
// those that are missing.
func (p *permuter) own(rows []int) view.View {
	var v view.View
	if p.rows.Table != nil {
		v.Table = p.rows.Table.Select(rows)
	}
	windows := func(w *view.Windows) *view.Windows {
		out := view.NewWindows(len(rows), w.Length, slices.Clone(w.Names))
		out.Timeframe = w.Timeframe
		n := w.Length * len(w.Names)
		for i, r := range rows {
			w.Copy(r, out.Data[i*n:(i+1)*n])
		}
		return out
	}
	for _, w := range p.rows.Streams {
		v.Streams = append(v.Streams, windows(w))
	}
	if p.rows.Known != nil {
		v.Known = windows(p.rows.Known)
	}
	return v
}

// copyChannel writes channel j of a window to one of own memory.
func copyChannel(own *view.Windows, into int, of *view.Windows, from, j int) {
	first, last := of.First(from), int(of.Last[from])
	lead := of.Length - (last + 1 - first)
	missing := float32(math.NaN())
	for k := range of.Length {
		x := missing
		if k >= lead {
			x = of.Data[(first+k-lead)*of.Width+int(of.Columns[j])]
		}
		own.Data[(into*own.Length+k)*own.Width+j] = x
	}
}
