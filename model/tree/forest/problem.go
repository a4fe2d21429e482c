package forest

import (
	"fmt"
	"math"

	"github.com/mlfactory/mlfactory/label"
	"github.com/mlfactory/mlfactory/model"
	"github.com/mlfactory/mlfactory/model/tree/core"
	"github.com/mlfactory/mlfactory/view"
)

// Kind says how thresholds are chosen.
type Kind uint8

// Kinds.
const (
	Random Kind = iota // random forest: the best threshold of each column
	Extra              // extra trees: the best of one random threshold a column
)

// String is the registry name.
func (k Kind) String() string {
	if k == Extra {
		return "extra_trees"
	}
	return "random_forest"
}

// problem is what all trees share. Rows are those of positive weight.
type problem struct {
	cfg    Config
	kind   Kind
	x      *view.Table
	rows   []int // of x, ascending; nil: all
	n, k   int   // rows; classes, 1 for a number
	cls    []uint8
	y      []float64 // targets less their weighted mean, for a number
	mean   float64
	w      []float64 // weights, those of balanced classes included; nil: all 1
	count  [maxClasses]int
	spans  []view.Span // nil where none are needed
	mtry   int
	draws  int
	bag    sampler
	oneVal []bool // columns that are the same in all rows
	mono   []int8 // direction of the value of a node by column, nil: none has one; see bounds

	// Random forests.
	m      *core.Matrix
	lo, hi [][]float32 // by column and bin: its least and largest value

	cells []float32 // extra trees: the values row by row
}

// row is the row of x.
func (p *problem) row(i int) int {
	if p.rows == nil {
		return i
	}
	return p.rows[i]
}

const maxClasses = 3

// newProblem checks and prepares what is common to all trees.
func newProblem(kind Kind, d core.Data, spans []view.Span, cfg Config, pl *core.Pool) (*problem, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("forest: %w", err)
	}
	rows, err := d.Kept("training")
	if err != nil {
		return nil, fmt.Errorf("forest: %w", err)
	}
	p := &problem{cfg: cfg, kind: kind, x: d.X, rows: rows, n: d.X.N}
	if rows != nil {
		p.n = len(rows)
	}
	switch {
	case d.X.P == 0:
		return nil, fmt.Errorf("forest: the training table has no columns")
	case p.n == 0:
		return nil, fmt.Errorf("forest: %w", model.ErrNoRows)
	case p.n > maxRows:
		return nil, fmt.Errorf("forest: %d training rows, the limit is %d", p.n, maxRows)
	}
	if p.mtry, err = cfg.features(d.X.P); err != nil {
		return nil, fmt.Errorf("forest: max_features: %w", err)
	}
	if err := p.targets(d); err != nil {
		return nil, err
	}
	if err := p.directions(); err != nil {
		return nil, err
	}
	if err := p.weights(d); err != nil {
		return nil, err
	}
	if err := p.sampling(d, spans); err != nil {
		return nil, err
	}
	return p, p.columns(pl)
}

// targets reads classes, or centres a number.
func (p *problem) targets(d core.Data) error {
	if !p.cfg.classifies() {
		p.k, p.y = 1, make([]float64, p.n)
		sum, total := 0.0, 0.0
		for i := range p.y {
			v, w := d.Y[p.row(i)], 1.0
			if d.Weight != nil {
				w = d.Weight[p.row(i)]
			}
			if math.IsNaN(v) || math.Abs(v) > 1e18 {
				return fmt.Errorf("forest: training target of row %d is %v; it must be finite and at most 1e18 in size", p.row(i), v)
			}
			p.y[i] = v
			sum, total = sum+float64(w*v), total+w
		}
		p.mean = sum / total
		for i := range p.y {
			p.y[i] -= p.mean
		}
		return nil
	}
	p.k = d.Classes
	if p.k == 0 {
		p.k = 2
		for i := range p.n {
			if y := d.Y[p.row(i)]; y <= maxClasses {
				p.k = max(p.k, int(y)+1)
			}
		}
	}
	if p.k < 2 || p.k > maxClasses {
		return fmt.Errorf("forest: %d classes; a forest takes two or three", p.k)
	}
	p.cls = make([]uint8, p.n)
	for i := range p.cls {
		y := d.Y[p.row(i)]
		if !(y >= 0 && y < float64(p.k)) || y != math.Trunc(y) {
			return fmt.Errorf("forest: training label of row %d is %v; want 0 to %d", p.row(i), y, p.k-1)
		}
		p.cls[i] = uint8(y)
		p.count[int(y)]++
	}
	for c, n := range p.count {
		if n == p.n {
			return &core.OneClassError{Rows: n, Class: c}
		}
	}
	return nil
}

// weights multiplies the rows' weights with those of balanced classes.
func (p *problem) weights(d core.Data) error {
	if d.Weight == nil && p.cfg.ClassWeight != balanced {
		return nil
	}
	p.w = make([]float64, p.n)
	var of [maxClasses]float64 // weight of each class
	sum, low := 0.0, math.Inf(1)
	for i := range p.w {
		p.w[i] = 1
		if d.Weight != nil {
			p.w[i] = d.Weight[p.row(i)]
		}
		sum, low = sum+p.w[i], math.Min(low, p.w[i])
		if p.cls != nil {
			of[p.cls[i]] += p.w[i]
		}
	}
	if !(sum > 1e-30 && sum < 1e30) {
		return fmt.Errorf("forest: training weights sum to %g; scale them so that their mean is near 1", sum)
	}
	if sum/low > maxSpan {
		return fmt.Errorf("forest: training weights span too wide a range: the least is %g, the sum %g, and their ratio must not exceed 2³⁶; give rows of negligible weight the weight 0", low, sum)
	}
	if p.cfg.ClassWeight == balanced {
		by := balance(of)
		for i, c := range p.cls {
			p.w[i] *= by[c]
		}
	}
	for _, w := range p.w {
		if w != 1 {
			return nil
		}
	}
	p.w = nil
	return nil
}

// balance is the factor of each class that gives all classes the same weight:
// total/(classes present · weight of the class).
func balance(of [maxClasses]float64) (by [maxClasses]float64) {
	total, present := 0.0, 0.0
	for _, w := range of {
		total += w
		if w > 0 {
			present++
		}
	}
	for c, w := range of {
		if w > 0 {
			by[c] = total / (present * w)
		}
	}
	return by
}

// sampling prepares the draws.
func (p *problem) sampling(d core.Data, spans []view.Span) error {
	if need := p.cfg.needsSpans(); need != "" {
		if spans == nil {
			return fmt.Errorf("forest: %s needs the spans of the labels, and the training view has none", need)
		}
		if len(spans) != d.X.N {
			return fmt.Errorf("forest: %d spans for %d training rows", len(spans), d.X.N)
		}
		p.spans = make([]view.Span, p.n)
		for i := range p.spans {
			s := spans[p.row(i)]
			if s.Outcome < s.Decision {
				return fmt.Errorf("forest: span of training row %d ends at %d, before its decision at %d", p.row(i), s.Outcome, s.Decision)
			}
			p.spans[i] = s
		}
	}
	if !p.cfg.Bootstrap {
		return nil
	}
	total, mean := float64(p.n), 1.0
	if p.w != nil {
		total = 0
		for _, w := range p.w {
			total += w
		}
	}
	if p.cfg.MaxSamples == uniqueness {
		mean = label.EffectiveN(label.Uniqueness(p.spans)) / float64(p.n)
	}
	var err error
	if p.draws, err = p.cfg.samples(p.n, total, mean); err != nil {
		return fmt.Errorf("forest: max_samples: %w", err)
	}
	if p.cfg.Sampling == sequential {
		p.bag = newSequential(p.spans, p.w)
	} else {
		p.bag = newUniform(p.n, p.w)
	}
	return nil
}

// columns bins the columns of a random forest and notes which are constant.
func (p *problem) columns(pl *core.Pool) error {
	p.oneVal = make([]bool, p.x.P)
	if p.kind == Extra {
		bad := make([]int, p.x.P)
		pl.Each(p.x.P, func(next func() int) {
			for j := next(); j < p.x.P; j = next() {
				col, first := p.x.Col(j), p.x.Col(j)[p.row(0)]
				p.oneVal[j] = true
				for i := range p.n {
					v := col[p.row(i)]
					if math.IsInf(float64(v), 0) && bad[j] == 0 {
						bad[j] = p.row(i) + 1
					}
					if v != first && (v == v || first == first) {
						p.oneVal[j] = false
					}
				}
			}
		})
		for j, r := range bad {
			if r > 0 {
				return fmt.Errorf("forest: training column %q row %d is %v; give NaN for a missing value", p.x.Names[j], r-1, p.x.Col(j)[r-1])
			}
		}
		p.transpose(pl)
		return nil
	}
	var w []float32
	if p.w != nil {
		w = make([]float32, p.n)
		for i := range w {
			w[i] = float32(p.w[i])
		}
	}
	var err error
	if p.m, err = core.NewMatrix(p.x, p.rows, w, core.EqualWeight(maxBins), pl); err != nil {
		return fmt.Errorf("forest: %w", err)
	}
	p.lo, p.hi = make([][]float32, p.x.P), make([][]float32, p.x.P)
	pl.Each(p.x.P, func(next func() int) {
		for j := next(); j < p.x.P; j = next() {
			p.ranges(j)
		}
	})
	return nil
}

const maxBins = 255

// ranges finds the least and largest value of each bin of column j.
func (p *problem) ranges(j int) {
	lo, hi := make([]float32, 256), make([]float32, 256)
	var seen [256]bool
	col := p.x.Col(j)
	for i, b := range p.m.Col[j] {
		v := col[p.row(i)]
		if !seen[b] {
			seen[b], lo[b], hi[b] = true, v, v
		} else if v < lo[b] {
			lo[b] = v
		} else if v > hi[b] {
			hi[b] = v
		}
	}
	bins := 0
	for _, s := range seen {
		if s {
			bins++
		}
	}
	p.lo[j], p.hi[j], p.oneVal[j] = lo, hi, bins == 1
}

// transpose copies the values row by row, block by block.
func (p *problem) transpose(pl *core.Pool) {
	const block = 256
	p.cells = make([]float32, p.n*p.x.P)
	pl.Each((p.n+block-1)/block, func(next func() int) {
		for b := next(); b*block < p.n; b = next() {
			for j := range p.x.P {
				col := p.x.Col(j)
				for i := b * block; i < min((b+1)*block, p.n); i++ {
					p.cells[i*p.x.P+j] = col[p.row(i)]
				}
			}
		}
	})
}
