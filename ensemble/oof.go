package ensemble

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"sort"

	"github.com/mlfactory/mlfactory/model"
	"github.com/mlfactory/mlfactory/split"
	"github.com/mlfactory/mlfactory/view"
)

// Use says what a set of out-of-fold predictions is for.
type Use uint8

// Uses. The zero value is none, so that forgetting to say is an error.
const (
	WalkForward Use = iota + 1 // inner folds of one walk-forward step
	KFold                      // purged k-fold over development: diagnostics
)

func (u Use) String() string {
	switch u {
	case WalkForward:
		return "walk-forward"
	case KFold:
		return "k-fold"
	}
	return fmt.Sprintf("use %d", uint8(u))
}

// Provenance is what a set of out-of-fold predictions, and a combiner fitted on
// it, may be used for.
type Provenance struct {
	Use Use
	// TestStart is, for WalkForward, the start of the step's test block in ns
	// UTC: every row's Outcome lies before it. It is 0 for KFold.
	TestStart int64
}

func (p Provenance) String() string {
	if p.Use == WalkForward {
		return fmt.Sprintf("%v before %d", p.Use, p.TestStart)
	}
	return p.Use.String()
}

func (p Provenance) check() error {
	switch {
	case p.Use != WalkForward && p.Use != KFold:
		return fmt.Errorf("ensemble: provenance has %v; it is walk-forward or k-fold", p.Use)
	case p.Use == KFold && p.TestStart != 0:
		return errors.New("ensemble: k-fold predictions have no test start")
	}
	return nil
}

// ProvenanceError reports out-of-fold predictions, or a combiner fitted on
// them, offered for a use they are not for.
type ProvenanceError struct{ Want, Got Provenance }

func (e *ProvenanceError) Error() string {
	return fmt.Sprintf("ensemble: these out-of-fold predictions are for %v and must not be used for %v", e.Got, e.Want)
}

// CoverageError reports rows that break the promise of out-of-fold
// predictions. Rows are positions in the spans.
type CoverageError struct {
	What string // what is wrong
	Fold int    // in which fold; −1 for all
	Rows []int  // the first rows at fault, at most 10
	N    int    // how many there are
}

func (e *CoverageError) Error() string {
	where := ""
	if e.Fold >= 0 {
		where = fmt.Sprintf("fold %d: ", e.Fold)
	}
	more := ""
	if e.N > len(e.Rows) {
		more = fmt.Sprintf(" and %d more", e.N-len(e.Rows))
	}
	return fmt.Sprintf("ensemble: %s%s: rows %v%s", where, e.What, e.Rows, more)
}

func (e *CoverageError) add(row int) {
	if e.N++; len(e.Rows) < 10 {
		e.Rows = append(e.Rows, row)
	}
}

func (e *CoverageError) orNil() error {
	if e.N == 0 {
		return nil
	}
	return e
}

// Coverage proves that the folds give an out-of-fold prediction of every span:
// each row is in exactly one Test, and no row that a fold's model may learn
// from (Train, and Stop, which chose its size) is one of the fold's Test rows
// or overlaps the span of one. The error is a [*CoverageError] that names the
// rows. O(Σ_folds n log n).
func Coverage(spans []view.Span, folds []split.Fold) error {
	n := len(spans)
	times := make([]int, n)
	for f, fold := range folds {
		outside := &CoverageError{What: fmt.Sprintf("index outside the %d rows", n), Fold: f}
		for _, set := range [][]int{fold.Train, fold.Stop, fold.Test} {
			for _, r := range set {
				if r < 0 || r >= n {
					outside.add(r)
				}
			}
		}
		if err := outside.orNil(); err != nil {
			return err
		}
		for _, r := range fold.Test {
			times[r]++
		}
		if err := separate(spans, f, fold); err != nil {
			return err
		}
	}
	never := &CoverageError{What: "never predicted", Fold: -1}
	often := &CoverageError{What: "predicted more than once", Fold: -1}
	for r, k := range times {
		if k == 0 {
			never.add(r)
		} else if k > 1 {
			often.add(r)
		}
	}
	if err := never.orNil(); err != nil {
		return err
	}
	return often.orNil()
}

// separate proves that nothing learnt from in the fold meets its test rows.
func separate(spans []view.Span, f int, fold split.Fold) error {
	tested := make([]bool, len(spans))
	test := make([]view.Span, 0, len(fold.Test))
	for _, r := range fold.Test {
		tested[r] = true
		test = append(test, spans[r])
	}
	// The union of the test spans as disjoint intervals in order of time.
	byDecision := func(a, b view.Span) int { return cmp.Compare(a.Decision, b.Decision) }
	if !slices.IsSortedFunc(test, byDecision) {
		slices.SortFunc(test, byDecision)
	}
	union := test[:0]
	for _, s := range test {
		if k := len(union) - 1; k >= 0 && s.Decision <= union[k].Outcome {
			union[k].Outcome = max(union[k].Outcome, s.Outcome)
		} else {
			union = append(union, s)
		}
	}
	for _, set := range []struct {
		name string
		rows []int
	}{{"training", fold.Train}, {"stop", fold.Stop}} {
		same := &CoverageError{What: set.name + " rows that the fold also predicts", Fold: f}
		meets := &CoverageError{What: set.name + " rows whose span overlaps that of a row the fold predicts", Fold: f}
		for _, r := range set.rows {
			if tested[r] {
				same.add(r)
				continue
			}
			k := sort.Search(len(union), func(i int) bool { return union[i].Outcome >= spans[r].Decision })
			if k < len(union) && spans[r].Overlaps(union[k]) {
				meets.add(r)
			}
		}
		if err := same.orNil(); err != nil {
			return err
		}
		if err := meets.orNil(); err != nil {
			return err
		}
	}
	return nil
}

// OOF is the out-of-fold predictions of several bases for the same rows. It is
// made by a [Collector] or [DecodeOOF], which prove its claim, and is read-only.
type OOF struct {
	Provenance Provenance
	Bases      []string // ascending
	Rows       []int    // index of each row among the dataset's decisions, ascending
	Spans      []view.Span
	Class      []int8
	Weight     []float64
	Folds      []split.Fold        // positions in Rows; Calib is not kept
	Prob       []*model.Prediction // per base, one row per row
}

// Check proves the claim again: folds cover every row once and purged, rows
// lie before the test start where there is one, predictions are distributions.
func (o *OOF) Check() error {
	if err := o.Provenance.check(); err != nil {
		return err
	}
	if err := checkBases(o.Bases); err != nil {
		return err
	}
	n := len(o.Rows)
	if len(o.Spans) != n || len(o.Class) != n || len(o.Weight) != n || len(o.Prob) != len(o.Bases) {
		return fmt.Errorf("ensemble: %d rows, %d spans, %d classes, %d weights; %d bases, %d predictions",
			n, len(o.Spans), len(o.Class), len(o.Weight), len(o.Bases), len(o.Prob))
	}
	for i := 1; i < n; i++ {
		if o.Rows[i] <= o.Rows[i-1] {
			return fmt.Errorf("ensemble: row %d (decision %d) is not after decision %d", i, o.Rows[i], o.Rows[i-1])
		}
	}
	if o.Provenance.Use == WalkForward {
		late := &CoverageError{What: fmt.Sprintf("outcome at or after the test start %d", o.Provenance.TestStart), Fold: -1}
		for i, s := range o.Spans {
			if s.Outcome >= o.Provenance.TestStart || s.Decision >= o.Provenance.TestStart {
				late.add(i)
			}
		}
		if err := late.orNil(); err != nil {
			return err
		}
	}
	if err := Coverage(o.Spans, o.Folds); err != nil {
		return err
	}
	for b, p := range o.Prob {
		if p.N != n || p.K != model.K || len(p.Prob) != n*model.K {
			return fmt.Errorf("ensemble: base %q has %d×%d predictions for %d rows", o.Bases[b], p.N, p.K, n)
		}
		if err := p.Check(); err != nil {
			return fmt.Errorf("ensemble: base %q: %w", o.Bases[b], err)
		}
	}
	return nil
}

// For returns a [*ProvenanceError] unless the predictions are for exactly this
// use.
func (o *OOF) For(use Provenance) error { return o.Provenance.permits(use) }

func (p Provenance) permits(use Provenance) error {
	if err := use.check(); err != nil {
		return err
	}
	if p != use {
		return &ProvenanceError{Want: use, Got: p}
	}
	return nil
}

func checkBases(bases []string) error {
	if len(bases) == 0 {
		return errors.New("ensemble: no bases")
	}
	for i, b := range bases {
		if b == "" {
			return errors.New("ensemble: a base without a name")
		}
		if i > 0 && b <= bases[i-1] {
			return fmt.Errorf("ensemble: base %q after %q; bases are unique and in ascending order of name", b, bases[i-1])
		}
	}
	return nil
}

// Collector gathers predictions fold by fold.
type Collector struct {
	o    *OOF
	have [][]bool // per base and fold
}

// NewCollector begins a set of out-of-fold predictions of the rows of v, which
// needs Rows, Spans and Class (Weight nil means 1). Folds are positions in v.
// It proves the folds' coverage and, for WalkForward, that all of v lies before
// the test start, before anything is predicted.
func NewCollector(use Provenance, bases []string, v view.View, folds []split.Fold) (*Collector, error) {
	n := len(v.Rows)
	if v.Rows == nil || v.Spans == nil || v.Class == nil {
		return nil, errors.New("ensemble: the view lacks row indices, spans or classes")
	}
	if err := v.Check(); err != nil {
		return nil, fmt.Errorf("ensemble: %w", err)
	}
	o := &OOF{
		Provenance: use,
		Bases:      slices.Clone(bases),
		Rows:       slices.Clone(v.Rows),
		Spans:      slices.Clone(v.Spans),
		Class:      slices.Clone(v.Class),
		Weight:     slices.Clone(v.Weight),
	}
	if o.Weight == nil {
		o.Weight = make([]float64, n)
		for i := range o.Weight {
			o.Weight[i] = 1
		}
	}
	for _, f := range folds {
		o.Folds = append(o.Folds, split.Fold{Train: slices.Clone(f.Train), Stop: slices.Clone(f.Stop), Test: slices.Clone(f.Test)})
	}
	c := &Collector{o: o}
	for range bases {
		p := &model.Prediction{}
		p.Resize(n, model.K)
		for i := range n { // a distribution for now; Finish sees that all are replaced
			copy(p.Row(i), []float64{0, 1, 0})
		}
		o.Prob = append(o.Prob, p)
		c.have = append(c.have, make([]bool, len(folds)))
	}
	if err := o.Check(); err != nil {
		return nil, err
	}
	return c, nil
}

// Add places a base's predictions of the Test rows of one fold, in the order of
// Test. Each base and fold is added once.
func (c *Collector) Add(base string, fold int, p *model.Prediction) error {
	b, ok := slices.BinarySearch(c.o.Bases, base)
	switch {
	case !ok:
		return fmt.Errorf("ensemble: base %q is not one of %q", base, c.o.Bases)
	case fold < 0 || fold >= len(c.o.Folds):
		return fmt.Errorf("ensemble: base %q: fold %d of %d", base, fold, len(c.o.Folds))
	case c.have[b][fold]:
		return fmt.Errorf("ensemble: base %q: fold %d is added twice", base, fold)
	}
	test := c.o.Folds[fold].Test
	if p.N != len(test) || p.K != model.K {
		return fmt.Errorf("ensemble: base %q: fold %d has %d×%d predictions for %d rows", base, fold, p.N, p.K, len(test))
	}
	if err := p.Check(); err != nil {
		return fmt.Errorf("ensemble: base %q: fold %d: %w", base, fold, err)
	}
	for i, r := range test {
		copy(c.o.Prob[b].Row(r), p.Row(i))
	}
	c.have[b][fold] = true
	return nil
}

// Finish returns the set once every base has predicted every fold; otherwise
// the error names the first base and the rows it has not predicted.
func (c *Collector) Finish() (*OOF, error) {
	for b, folds := range c.have {
		lack := &CoverageError{What: fmt.Sprintf("not predicted by base %q", c.o.Bases[b]), Fold: -1}
		for f, have := range folds {
			if !have {
				for _, r := range c.o.Folds[f].Test {
					lack.add(r)
				}
			}
		}
		if err := lack.orNil(); err != nil {
			return nil, err
		}
	}
	if err := c.o.Check(); err != nil {
		return nil, err
	}
	return c.o, nil
}
