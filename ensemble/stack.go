package ensemble

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"

	"gonum.org/v1/gonum/mat"

	"github.com/mlfactory/mlfactory/model"
	"github.com/mlfactory/mlfactory/param"
	"github.com/mlfactory/mlfactory/split"
	"github.com/mlfactory/mlfactory/stat"
)

// StackConfig sets the logistic stack.
type StackConfig struct {
	C     float64 `yaml:"c" doc:"prior variance of a base's weight around equal weights; smaller stays nearer to them" min:"1e-9" max:"1e9" search:"log 1e-3 10"`
	Floor float64 `yaml:"floor" doc:"probabilities are held above this before the logarithm" min:"1e-12" max:"0.1"`
}

// Validate reports every field outside the bounds of its tags.
func (c *StackConfig) Validate() error { return param.Check(c) }

func stackEntry() Entry {
	return Entry{
		Name: "stack_logistic",
		Doc: "Logistic regression on the bases' log-probabilities relative to the class shares they were trained on, one weight of at least 0 for each base " +
			"(Wolpert 1992; Breiman 1996; Genest & Zidek 1986 on logarithmic pools), fitted on out-of-fold predictions.",
		NeedsOOF: true,
		Default:  func() any { return &StackConfig{C: 0.25, Floor: 1e-4} },
		New: func(cfg any) (Method, error) {
			c, ok := cfg.(*StackConfig)
			if !ok || c == nil {
				return nil, fmt.Errorf("ensemble: stack config is a %T, want *ensemble.StackConfig", cfg)
			}
			if err := c.Validate(); err != nil {
				return nil, fmt.Errorf("ensemble: stack_logistic: %w", err)
			}
			return stackMethod{*c}, nil
		},
		Decode: func(r io.Reader) (Combiner, error) {
			s, err := decodeStack(r)
			if err != nil {
				return nil, err
			}
			return s, nil
		},
	}
}

type stackMethod struct{ cfg StackConfig }

// Fit fits the meta-learner on all rows of oof with a positive weight:
//
//	η_c = ln π_c + a_c + Σ_b w_b·z_bc,  z_bc = ln max(p_bc, floor) − ln π_bc,  q ∝ e^η
//
// π_b is the class shares of the rows that trained the model behind p_b (of the
// fold's training rows), π those of all rows of oof. It minimises
//
//	−Σ_i ω_i ln q_{i,y_i} + Σ_b (w_b − 1/B)²/2C + Σ_c a_c²/2C,  w_b ≥ 0
//
// by Newton steps with the weights at 0 held there.
//
// A base says something only where it differs from the shares it was trained
// on. Taking these out matters: in a fold whose test rows have many of a class
// the training rows have few, so that a base that has learnt nothing predicts the
// opposite of what happens, and a stack that sees its level learns to turn it
// round. One weight per base, and none below 0, keep what is left sturdy: with
// few rows the stack is near the logarithmic mean of the bases.
func (m stackMethod) Fit(ctx context.Context, env model.Env, bases []string, oof *OOF, use Provenance) (Combiner, error) {
	if oof == nil {
		return nil, errors.New("ensemble: stacking needs out-of-fold predictions")
	}
	if err := oof.For(use); err != nil {
		return nil, err
	}
	if !slices.Equal(bases, oof.Bases) {
		return nil, fmt.Errorf("ensemble: stacking %q on the out-of-fold predictions of %q", bases, oof.Bases)
	}
	if err := oof.Check(); err != nil {
		return nil, err
	}
	return m.fitRows(ctx, env, oof, nil)
}

// shares is the weighted class shares of rows, each class half a row to begin
// with, so that none is 0.
func shares(o *OOF, rows []int) [model.K]float64 {
	var s [model.K]float64
	total := 0.5 * model.K
	for c := range s {
		s[c] = 0.5
	}
	for _, r := range rows {
		s[model.ClassIndex(o.Class[r])] += o.Weight[r]
		total += o.Weight[r]
	}
	for c := range s {
		s[c] /= total
	}
	return s
}

// relative writes z of one base's probabilities.
func relative(z, p []float64, prior [model.K]float64, floor float64) {
	for c, x := range p {
		z[c] = stat.Log(math.Max(x, floor)) - stat.Log(prior[c])
	}
}

// fitRows fits on the given rows of oof; nil means all.
func (m stackMethod) fitRows(ctx context.Context, _ model.Env, oof *OOF, rows []int) (Combiner, error) {
	if rows == nil {
		rows = make([]int, len(oof.Rows))
		for i := range rows {
			rows[i] = i
		}
	}
	prior := shares(oof, rows)
	nb := len(oof.Bases)
	z := make([]float64, len(oof.Rows)*nb*model.K)
	for _, f := range oof.Folds {
		pf := shares(oof, f.Train)
		for _, r := range f.Test {
			for b, p := range oof.Prob {
				at := (r*nb + b) * model.K
				relative(z[at:at+model.K], p.Row(r), pf, m.cfg.Floor)
			}
		}
	}
	total := 0.0
	for _, r := range rows {
		total += oof.Weight[r]
	}
	if !(total > 0) {
		return nil, fmt.Errorf("ensemble: fitting the stack: %w", model.ErrNoRows)
	}
	p := &pool{z: z, rows: rows, oof: oof, nb: nb, c: m.cfg.C}
	for c := range prior {
		p.logPrior[c] = stat.Log(prior[c])
	}
	theta, err := p.solve(ctx)
	if err != nil {
		return nil, fmt.Errorf("ensemble: fitting the stack: %w", err)
	}
	s := &Stack{state: stackState{Bases: slices.Clone(oof.Bases), Floor: m.cfg.Floor, Use: oof.Provenance, Prior: prior, Weights: theta[:nb:nb]}}
	copy(s.state.Shift[:], theta[nb:])
	return s, nil
}

// pool is the problem of fitRows; θ is the weights of the bases, then the shifts
// of the classes.
type pool struct {
	z        []float64
	rows     []int
	oof      *OOF
	nb       int
	c        float64
	logPrior [model.K]float64
}

// eval is the loss, its gradient and its Hessian (the last two where not nil).
func (p *pool) eval(theta, grad []float64, hess *mat.SymDense) float64 {
	n := p.nb + model.K
	loss := 0.0
	for j := range theta {
		d := theta[j]
		if j < p.nb {
			d -= 1 / float64(p.nb)
		}
		loss += d * d / (2 * p.c)
		if grad != nil {
			grad[j] = d / p.c
		}
	}
	if hess != nil {
		for i := range n {
			for j := i; j < n; j++ {
				v := 0.0
				if i == j {
					v = 1 / p.c
				}
				hess.SetSym(i, j, v)
			}
		}
	}
	h := make([]float64, n*n)
	x := make([]float64, n*model.K) // derivative of η_c by θ_j
	mean := make([]float64, n)
	for c := range model.K {
		x[(p.nb+c)*model.K+c] = 1
	}
	for _, r := range p.rows {
		w := p.oof.Weight[r]
		if w == 0 {
			continue
		}
		z := p.z[r*p.nb*model.K : (r+1)*p.nb*model.K]
		copy(x, z)
		var eta [model.K]float64
		top := math.Inf(-1)
		for c := range eta {
			eta[c] = p.logPrior[c] + theta[p.nb+c]
			for b := range p.nb {
				eta[c] += float64(theta[b] * z[b*model.K+c])
			}
			top = math.Max(top, eta[c])
		}
		var q [model.K]float64
		sum := 0.0
		for c := range q {
			q[c] = stat.Exp(eta[c] - top)
			sum += q[c]
		}
		y := model.ClassIndex(p.oof.Class[r])
		loss -= w * (eta[y] - top - stat.Log(sum))
		if grad == nil {
			continue
		}
		for c := range q {
			q[c] /= sum
		}
		for j := range n {
			m := 0.0
			for c := range q {
				m += float64(q[c] * x[j*model.K+c])
			}
			mean[j] = m
			grad[j] += w * (m - x[j*model.K+y])
		}
		for i := range n {
			for j := i; j < n; j++ {
				m := 0.0
				for c := range q {
					m += float64(float64(q[c]*x[i*model.K+c]) * x[j*model.K+c])
				}
				h[i*n+j] += w * (m - float64(mean[i]*mean[j]))
			}
		}
	}
	if hess != nil {
		for i := range n {
			for j := i; j < n; j++ {
				hess.SetSym(i, j, hess.At(i, j)+h[i*n+j])
			}
		}
	}
	return loss
}

// solve runs Newton steps on the free coordinates: a weight at 0 whose gradient
// is not negative stays there. The problem is convex; the step is halved until
// the loss falls.
func (p *pool) solve(ctx context.Context) ([]float64, error) {
	n := p.nb + model.K
	theta, grad, next := make([]float64, n), make([]float64, n), make([]float64, n)
	for b := range p.nb {
		theta[b] = 1 / float64(p.nb)
	}
	hess := mat.NewSymDense(n, nil)
	for range 100 {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		loss := p.eval(theta, grad, hess)
		var free []int
		for j := range n {
			if j >= p.nb || theta[j] > 0 || grad[j] < 0 {
				free = append(free, j)
			}
		}
		h, g := mat.NewSymDense(len(free), nil), mat.NewVecDense(len(free), nil)
		for a, i := range free {
			g.SetVec(a, grad[i])
			for b := a; b < len(free); b++ {
				h.SetSym(a, b, hess.At(i, free[b]))
			}
		}
		var chol mat.Cholesky
		if !chol.Factorize(h) {
			return nil, errors.New("the Hessian is not positive definite")
		}
		var step mat.VecDense
		if err := chol.SolveVecTo(&step, g); err != nil {
			return nil, err
		}
		moved := 0.0
		for t := 1.0; t > 1e-10; t /= 2 {
			copy(next, theta)
			for a, i := range free {
				next[i] = theta[i] - float64(t*step.AtVec(a))
				if i < p.nb && next[i] < 0 {
					next[i] = 0
				}
			}
			if p.eval(next, nil, nil) < loss {
				for j := range n {
					moved = math.Max(moved, math.Abs(next[j]-theta[j]))
				}
				copy(theta, next)
				break
			}
		}
		if moved < 1e-9 {
			break
		}
	}
	return theta, nil
}

type stackState struct {
	Bases   []string         `json:"bases"`
	Floor   float64          `json:"floor"`
	Use     Provenance       `json:"use"`
	Prior   [model.K]float64 `json:"prior"`
	Weights []float64        `json:"weights"`
	Shift   [model.K]float64 `json:"shift"`
}

// Stack is a fitted logistic stack.
type Stack struct {
	state stackState
}

// Bases are the bases' names.
func (s *Stack) Bases() []string { return slices.Clone(s.state.Bases) }

// Provenance is the use of the out-of-fold predictions it was fitted on.
func (s *Stack) Provenance() Provenance { return s.state.Use }

// Weights is the weight of each base, in the order of [Stack.Bases].
func (s *Stack) Weights() []float64 { return slices.Clone(s.state.Weights) }

// Shift is a_c, what is added to the log-odds of each class.
func (s *Stack) Shift() [model.K]float64 { return s.state.Shift }

// Apply predicts from the bases' predictions, whose models must have been
// trained on the rows of the out-of-fold predictions, all of them. O(n·bases).
func (s *Stack) Apply(ctx context.Context, base []*model.Prediction, out *model.Prediction) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return s.apply(base, s.state.Prior, out)
}

// apply is Apply for bases trained on rows of the given class shares.
func (s *Stack) apply(base []*model.Prediction, prior [model.K]float64, out *model.Prediction) error {
	n, err := checkApply(s.state.Bases, base)
	if err != nil {
		return err
	}
	out.Resize(n, model.K)
	var level [model.K]float64
	for c := range level {
		level[c] = stat.Log(s.state.Prior[c]) + s.state.Shift[c]
	}
	var z [model.K]float64
	for i := range n {
		eta := level
		for b, p := range base {
			relative(z[:], p.Row(i), prior, s.state.Floor)
			for c := range eta {
				eta[c] += float64(s.state.Weights[b] * z[c])
			}
		}
		top := math.Max(eta[0], math.Max(eta[1], eta[2]))
		row, sum := out.Row(i), 0.0
		for c := range eta {
			row[c] = stat.Exp(eta[c] - top)
			sum += row[c]
		}
		for c := range row {
			row[c] /= sum
		}
	}
	return nil
}

// Encode writes the combiner.
func (s *Stack) Encode(w io.Writer) error {
	payload, err := json.Marshal(&s.state)
	if err != nil {
		return fmt.Errorf("ensemble: encoding: %w", err)
	}
	return model.WriteArtifact(w, "stack_logistic", 2, payload)
}

func decodeStack(r io.Reader) (*Stack, error) {
	payload, err := model.ReadArtifact(r, "stack_logistic", 2)
	if err != nil {
		return nil, err
	}
	s := &Stack{}
	dec := json.NewDecoder(bytes.NewReader(payload))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&s.state); err != nil {
		return nil, fmt.Errorf("ensemble: decoding: %w", err)
	}
	if err := checkBases(s.state.Bases); err != nil {
		return nil, err
	}
	if err := s.state.Use.check(); err != nil {
		return nil, err
	}
	if err := (&StackConfig{C: 1, Floor: s.state.Floor}).Validate(); err != nil {
		return nil, err
	}
	if len(s.state.Weights) != len(s.state.Bases) {
		return nil, fmt.Errorf("ensemble: decoding: a stack of %q with %d weights", s.state.Bases, len(s.state.Weights))
	}
	for b, w := range s.state.Weights {
		if !(w >= 0) || math.IsInf(w, 0) {
			return nil, fmt.Errorf("ensemble: decoding: base %q has weight %v", s.state.Bases[b], w)
		}
	}
	for c, p := range s.state.Prior {
		if !(p > 0 && p < 1) || math.IsNaN(s.state.Shift[c]) || math.IsInf(s.state.Shift[c], 0) {
			return nil, fmt.Errorf("ensemble: decoding: class %d has share %v and shift %v", c-1, p, s.state.Shift[c])
		}
	}
	return s, nil
}

// rowFitter is a method that can be fitted on some rows of a set.
type rowFitter interface {
	fitRows(ctx context.Context, env model.Env, oof *OOF, rows []int) (Combiner, error)
}

// CrossFit predicts every row of oof by a combiner that was fitted on the other
// folds' rows only, so that the ensemble's log-loss is not that of the rows it
// was fitted on. folds are positions in oof.Rows and are proved as by
// [Coverage]; oof.Folds may be given. A method that needs no out-of-fold
// predictions is applied as it is. The bases' predictions of the rows fitted on
// come from models that trained on rows of the fold predicted; that is the
// usual, small optimism of cross-fitting a stack and the reason why no gate
// reads this number.
func CrossFit(ctx context.Context, env model.Env, m Method, oof *OOF, folds []split.Fold) (*model.Prediction, error) {
	if err := oof.Check(); err != nil {
		return nil, err
	}
	if err := Coverage(oof.Spans, folds); err != nil {
		return nil, err
	}
	out := &model.Prediction{}
	out.Resize(len(oof.Rows), model.K)
	foldOf := make([]int, len(oof.Rows))
	for g, f := range oof.Folds {
		for _, r := range f.Test {
			foldOf[r] = g
		}
	}
	for f, fold := range folds {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		var c Combiner
		var err error
		if s, ok := m.(rowFitter); ok {
			fe := env
			fe.Stream = env.Stream.Stream("crossfit", f)
			c, err = s.fitRows(ctx, fe, oof, fold.Train)
		} else {
			c, err = m.Fit(ctx, env, oof.Bases, oof, oof.Provenance)
		}
		if err != nil {
			return nil, fmt.Errorf("ensemble: cross-fit fold %d: %w", f, err)
		}
		for g, origin := range oof.Folds {
			// The models behind these rows' predictions were trained on
			// the rows of the fold that predicted them.
			var test []int
			for _, r := range fold.Test {
				if foldOf[r] == g {
					test = append(test, r)
				}
			}
			if len(test) == 0 {
				continue
			}
			base := make([]*model.Prediction, len(oof.Bases))
			for b, p := range oof.Prob {
				q := &model.Prediction{}
				q.Resize(len(test), model.K)
				for i, r := range test {
					copy(q.Row(i), p.Row(r))
				}
				base[b] = q
			}
			var q model.Prediction
			if s, ok := c.(*Stack); ok {
				err = s.apply(base, shares(oof, origin.Train), &q)
			} else {
				err = c.Apply(ctx, base, &q)
			}
			if err != nil {
				return nil, fmt.Errorf("ensemble: cross-fit fold %d: %w", f, err)
			}
			for i, r := range test {
				copy(out.Row(r), q.Row(i))
			}
		}
	}
	return out, nil
}
