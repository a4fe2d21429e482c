package catboost

import (
	"fmt"
	"math"
	"slices"

	"github.com/mlfactory/mlfactory/model/tree/core"
	"github.com/mlfactory/mlfactory/view"
)

// deriver makes the columns that trees are grown on: those of the table, of
// which those of categories cannot be split, and after them the statistics
// derived from these.
type deriver struct {
	plain int // columns of the table
	cats  []*category
	stats []*statistic
	names []string
	class []uint8 // of the rows, for target statistics
	k     int
	// factor multiplies the scores of the splits of each column: those of a
	// kind of target statistic of a category that the model does not use yet are
	// held back by the number of categories, relative to the largest
	// (greedy_tensor_search.cpp of CatBoost 1.2).
	factor []float64
}

// newDeriver finds the categories in the given rows (nil: all); nil if the
// config names no column.
func newDeriver(c *Config, d *core.Data, rows []int, l *loss, t *core.Targets) (*deriver, error) {
	if len(c.CatFeatures) == 0 {
		return nil, nil
	}
	var specs []ctrSpec
	for _, text := range c.SimpleCTR {
		s, err := parseCTR(text)
		if err != nil {
			return nil, fmt.Errorf("model/tree: simple_ctr: %w", err)
		}
		specs = append(specs, s)
	}
	named := make(map[string]bool, len(c.CatFeatures))
	for _, name := range c.CatFeatures {
		named[name] = true
	}
	v := &deriver{plain: d.X.P, names: append([]string(nil), d.X.Names...)}
	if l.k > 255 {
		return nil, fmt.Errorf("model/tree: %d classes; target statistics take at most 255", l.k)
	}
	v.class, v.k = classesOf(l, t)
	for j := range d.X.P { // here the rows still have their numbers
		for i := range t.Y {
			if rows != nil {
				i = rows[i]
			}
			if x := d.X.Col(j)[i]; math.IsInf(float64(x), 0) {
				return nil, fmt.Errorf("model/tree: training column %q row %d is %v; give NaN for a missing value", d.X.Names[j], i, x)
			}
		}
	}
	for j, name := range d.X.Names {
		if !named[name] {
			continue
		}
		delete(named, name)
		cat, err := newCategory(d.X, j, rows)
		if err != nil {
			return nil, err
		}
		v.cats = append(v.cats, cat)
		v.stats = append(v.stats, newStatistics(cat, c.OneHotMaxSize, specs, v.class, v.k)...)
	}
	for _, name := range c.CatFeatures { // in the order of the config
		if named[name] {
			return nil, fmt.Errorf("model/tree: cat_features: the training table has no column %q", name)
		}
	}
	for i := range v.stats {
		v.names = append(v.names, fmt.Sprintf("statistic %d", i))
	}
	most := 1
	for _, s := range v.stats {
		if s.kind != oneHot {
			most = max(most, s.c.count())
		}
	}
	v.factor = make([]float64, v.plain+len(v.stats))
	for f := range v.factor {
		v.factor[f] = 1
		if f >= v.plain && v.stats[f-v.plain].kind != oneHot {
			v.factor[f] = math.Pow(1+float64(v.stats[f-v.plain].c.count())/float64(most), -c.ModelSizeReg)
		}
	}
	return v, nil
}

// use notes that the model splits column f.
func (v *deriver) use(f int) {
	if f < v.plain {
		return
	}
	for i, s := range v.stats {
		if u := v.stats[f-v.plain]; s.c == u.c && s.kind == u.kind {
			v.factor[v.plain+i] = 1
		}
	}
}

// online reports whether a statistic depends on the order of the rows.
func (v *deriver) online() bool {
	if v == nil {
		return false
	}
	for _, s := range v.stats {
		if s.kind != oneHot && s.kind != ctrCounter {
			return true
		}
	}
	return false
}

// has reports whether column j holds categories.
func (v *deriver) has(j int) bool {
	return v != nil && slices.ContainsFunc(v.cats, func(c *category) bool { return c.column == j })
}

// table is the given rows of t (nil: all) with the values that value gives for
// every statistic.
func (v *deriver) table(t *view.Table, rows []int, value func(s *statistic) []float32) *view.Table {
	n := t.N
	if rows != nil {
		n = len(rows)
	}
	out := view.NewTable(n, v.names)
	for j := range t.P {
		dst, src := out.Col(j), t.Col(j)
		if rows == nil {
			copy(dst, src)
			continue
		}
		for i, r := range rows {
			dst[i] = src[r]
		}
	}
	for i, s := range v.stats {
		copy(out.Col(v.plain+i), value(s))
	}
	return out
}

// cutter is that of column j; numeric columns have base.
func (v *deriver) cutter(j int, base core.Cutter) core.Cutter {
	if j >= v.plain {
		cuts := v.stats[j-v.plain].cuts()
		return func([]float32, []float32) core.Cuts { return cuts }
	}
	if v.has(j) {
		return func([]float32, []float32) core.Cuts { return core.Cuts{Last: 1 << 24} }
	}
	return base
}

// training is the matrix of the training rows with the statistics of a
// permutation.
func (v *deriver) training(t *view.Table, rows []int, perm []uint32, base core.Cutter, pl *core.Pool) (*core.Matrix, error) {
	x := v.table(t, rows, func(s *statistic) []float32 { return s.column(perm, v.class, v.k) })
	return core.NewMatrixEach(x, nil, nil, func(j int) core.Cutter { return v.cutter(j, base) }, pl)
}

// finished is the given rows of t with the statistics of the finished model.
func (v *deriver) finished(t *view.Table, rows []int) (*view.Table, error) {
	for _, c := range v.cats {
		for i, x := range t.Col(c.column) {
			if x == x && (x < 0 || x >= 1<<24 || x != float32(int32(x))) {
				return nil, fmt.Errorf("model/tree: stop column %q row %d is %v; a category is a whole number from 0 to 16777215", t.Names[c.column], i, x)
			}
		}
	}
	return v.table(t, rows, func(s *statistic) []float32 {
		col := t.Col(s.c.column)
		n := len(col)
		if rows != nil {
			n = len(rows)
		}
		out := make([]float32, n)
		for i := range out {
			r := i
			if rows != nil {
				r = rows[i]
			}
			out[i] = float32(s.other)
			if id := s.c.find(col[r]); id >= 0 {
				out[i] = float32(s.final[id])
			}
		}
		return out
	}), nil
}
