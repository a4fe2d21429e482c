package linear

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"

	"github.com/mlfactory/mlfactory/model"
	"github.com/mlfactory/mlfactory/view"
)

type learner struct{ cfg Config }

// Fit trains on the rows of train with a positive weight; it makes no use of
// stop. A fit that reaches max_iter is returned with Converged false. O(n·p·k)
// per pass, 4·n·p bytes.
func (l learner) Fit(ctx context.Context, env model.Env, train, stop view.View) (model.Fitted, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	rows, err := model.CheckFit(train, true)
	if err != nil {
		return nil, fmt.Errorf("linear: %w", err)
	}
	workers := max(1, env.Workers)
	var count [model.K]int
	for _, i := range rows {
		count[model.ClassIndex(train.Class[i])]++
	}
	var classOf [model.K]int
	var classes []int8
	for c, n := range count {
		if n > 0 {
			classOf[c] = len(classes)
			classes = append(classes, int8(c-1))
		}
	}
	s := fitScaler(train.Table, rows, train.Weight, bound(l.cfg.Clip), workers)
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	d, total := newDesign(train, rows, s, classOf, len(classes), workers)
	if !(total > 1e-250 && total < 1e250) {
		return nil, fmt.Errorf("linear: the weights sum to %v, which cannot be held against a penalty", total)
	}
	pr := newProblem(ctx, d)
	pr.maxIter, pr.tol = l.cfg.MaxIter, l.cfg.Tol
	lambda := 1 / (l.cfg.C * total)
	pr.l1, pr.l2 = l.cfg.L1Ratio*lambda, (1-l.cfg.L1Ratio)*lambda
	pr.progress = func(iter int) {
		if env.Progress != nil {
			env.Progress(iter, l.cfg.MaxIter, "logistic")
		}
	}
	solve := pr.ridge
	if pr.l1 > 0 {
		solve = pr.elastic
	}
	w, iters, converged, err := solve()
	if err != nil {
		return nil, err
	}
	f := &Logistic{state: state{
		Names:   append([]string(nil), train.Table.Names...),
		Classes: classes, Clip: l.cfg.Clip,
		Mean: s.mean, SD: s.sd, Missing: s.missing,
		Iterations: iters, Converged: converged,
		Rows: len(rows), Weight: total,
	}}
	q, k := d.p+1, d.k
	mean := 0.0
	for c := range k {
		mean += w[c*q+d.p] / float64(k)
	}
	for c := range k {
		f.state.Coef = append(f.state.Coef, clone(w[c*q:c*q+d.p]))
		f.state.Intercept = append(f.state.Intercept, w[c*q+d.p]-mean)
	}
	if err := f.init(); err != nil {
		return nil, err
	}
	return f, nil
}

// state is what is written to a file.
type state struct {
	Names      []string    `json:"names"`
	Classes    []int8      `json:"classes"` // present in training, ascending
	Mean       []float64   `json:"mean"`
	SD         []float64   `json:"sd"` // 0: the column said nothing
	Missing    []float64   `json:"missing"`
	Clip       float64     `json:"clip"` // 0: no cut
	Coef       [][]float64 `json:"coef"` // per class present, of standardised inputs
	Intercept  []float64   `json:"intercept"`
	Iterations int         `json:"iterations"`
	Converged  bool        `json:"converged"`
	Rows       int         `json:"rows"`
	Weight     float64     `json:"weight"`
}

// Logistic is a fitted logistic regression. It is immutable.
type Logistic struct {
	state state
	scale scaler
	coef  []float64 // p × K, class-minor; 0 for an absent class
	base  [model.K]float64
	used  []int // columns with a coefficient
}

// init checks the state and prepares prediction.
func (f *Logistic) init() error {
	s := &f.state
	p, k := len(s.Names), len(s.Classes)
	bad := func(what string) error { return fmt.Errorf("linear: model has %s", what) }
	if p == 0 || k < 2 || k > model.K {
		return bad(fmt.Sprintf("%d columns and %d classes", p, k))
	}
	if len(s.Mean) != p || len(s.SD) != p || len(s.Missing) != p || len(s.Coef) != k || len(s.Intercept) != k || !(s.Clip >= 0 && s.Clip < noClip) {
		return bad("parts of unequal size")
	}
	f.scale = scaler{mean: s.Mean, sd: s.SD, inv: make([]float64, p), missing: s.Missing, clip: bound(s.Clip)}
	for j, sd := range s.SD {
		if !(sd == 0 || sd > 1e-300 && sd < 1e300) || !(math.Abs(s.Mean[j]) < 1e300) {
			return bad(fmt.Sprintf("mean %v and deviation %v in column %q", s.Mean[j], sd, s.Names[j]))
		}
		if sd > 0 {
			f.scale.inv[j] = 1 / sd
		}
	}
	for c := range f.base {
		f.base[c] = math.Inf(-1)
	}
	f.coef = make([]float64, p*model.K)
	last := int8(-2)
	for c, class := range s.Classes {
		if class <= last || class > 1 {
			return bad("classes out of order")
		}
		last = class
		if len(s.Coef[c]) != p {
			return bad("parts of unequal size")
		}
		at := model.ClassIndex(class)
		f.base[at] = s.Intercept[c]
		for j, b := range s.Coef[c] {
			f.coef[j*model.K+at] = b
			if !(math.Abs(b) < 1e100) || !(math.Abs(s.Intercept[c]) < 1e100) { // sums stay finite
				return bad(fmt.Sprintf("coefficient %v and intercept %v", b, s.Intercept[c]))
			}
		}
	}
	for j := range p {
		b := f.coef[j*model.K : (j+1)*model.K]
		if b[0] != 0 || b[1] != 0 || b[2] != 0 {
			f.used = append(f.used, j)
		}
	}
	return nil
}

// Predict writes the class probabilities of each row of v. It does not
// allocate once out has room. Missing values count as the training mean; ±Inf
// and other columns than those of the fit are errors. O(n·p).
func (f *Logistic) Predict(ctx context.Context, v view.View, out *model.Prediction) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := model.CheckColumns(f.state.Names, v); err != nil {
		return fmt.Errorf("linear: %w", err)
	}
	if err := model.CheckValues(v.Table, true); err != nil {
		return fmt.Errorf("linear: %w", err)
	}
	n := v.Table.N
	out.Resize(n, model.K)
	// Rows in blocks, so that their scores stay in the cache.
	for lo := 0; lo < n; lo += blockRows {
		hi := min(lo+blockRows, n)
		z := out.Prob[lo*model.K : hi*model.K]
		for i := 0; i < len(z); i += model.K {
			z[i], z[i+1], z[i+2] = f.base[0], f.base[1], f.base[2]
		}
		for _, j := range f.used {
			b0, b1, b2 := f.coef[j*model.K], f.coef[j*model.K+1], f.coef[j*model.K+2]
			for i, x := range v.Table.Col(j)[lo:hi] {
				u := float64(f.scale.value(j, x))
				zi := z[i*model.K : i*model.K+model.K : i*model.K+model.K]
				zi[0] += float64(u * b0)
				zi[1] += float64(u * b1)
				zi[2] += float64(u * b2)
			}
		}
		for i := 0; i < len(z); i += model.K {
			model.Softmax(z[i:i+model.K], z[i:i+model.K])
		}
	}
	return nil
}

const (
	kind    = "logistic"
	version = 1
)

// Encode writes the model.
func (f *Logistic) Encode(w io.Writer) error {
	payload, err := json.Marshal(&f.state)
	if err != nil {
		return fmt.Errorf("linear: encoding: %w", err)
	}
	return model.WriteArtifact(w, kind, version, payload)
}

// Decode reads what Encode wrote.
func Decode(r io.Reader) (*Logistic, error) {
	payload, err := model.ReadArtifact(r, kind, version)
	if err != nil {
		return nil, err
	}
	f := &Logistic{}
	dec := json.NewDecoder(bytes.NewReader(payload))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&f.state); err != nil {
		return nil, fmt.Errorf("linear: decoding: %w", err)
	}
	if err := f.init(); err != nil {
		return nil, err
	}
	return f, nil
}

func decodeFitted(r io.Reader) (model.Fitted, error) {
	f, err := Decode(r)
	if err != nil {
		return nil, err // not f: a nil *Logistic is not a nil Fitted
	}
	return f, nil
}

// Importance is, per column, |β|·σ averaged over the classes present: the
// change of the log-odds that one standard deviation of the column makes. The
// names share memory with the model.
func (f *Logistic) Importance() (names []string, value []float64) {
	value = make([]float64, len(f.state.Names))
	for j := range value {
		for c := range f.state.Coef {
			value[j] += math.Abs(f.state.Coef[c][j])
		}
		value[j] /= float64(len(f.state.Coef))
	}
	return f.state.Names, value
}

// Coefficients are the coefficients of the standardised inputs and the
// intercept, per class −1, 0, +1; nil for a class absent from training.
func (f *Logistic) Coefficients() (coef [model.K][]float64, intercept [model.K]float64) {
	for c, class := range f.state.Classes {
		at := model.ClassIndex(class)
		coef[at] = clone(f.state.Coef[c])
		intercept[at] = f.state.Intercept[c]
	}
	return coef, intercept
}

// Missing is the weighted share of missing training values per column.
func (f *Logistic) Missing() []float64 { return clone(f.state.Missing) }

// Converged says whether the optimiser reached its tolerance, and after how
// many passes.
func (f *Logistic) Converged() (bool, int) { return f.state.Converged, f.state.Iterations }
