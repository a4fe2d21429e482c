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

	"github.com/mlfactory/mlfactory/model"
	"github.com/mlfactory/mlfactory/model/linear"
	"github.com/mlfactory/mlfactory/param"
	"github.com/mlfactory/mlfactory/split"
	"github.com/mlfactory/mlfactory/stat"
	"github.com/mlfactory/mlfactory/view"
)

// StackConfig sets the logistic stack.
type StackConfig struct {
	C     float64 `yaml:"c" doc:"prior variance of a coefficient of a standardised log-probability; smaller trusts the bases less" min:"1e-9" max:"1e9" search:"log 1e-3 10"`
	Floor float64 `yaml:"floor" doc:"probabilities are held above this before the logarithm" min:"1e-12" max:"0.1"`
}

// Validate reports every field outside the bounds of its tags.
func (c *StackConfig) Validate() error { return param.Check(c) }

func stackEntry() Entry {
	return Entry{
		Name: "stack_logistic",
		Doc: "Multinomial logistic regression with a ridge penalty on the bases' centred log-probabilities, fitted on out-of-fold predictions " +
			"(Wolpert 1992; Ting & Witten 1999).",
		NeedsOOF: true,
		Default:  func() any { return &StackConfig{C: 0.1, Floor: 1e-4} },
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

// Fit fits the meta-learner on all rows of oof with a positive weight. With few
// rows the ridge wins and the stack predicts the class shares of oof; it has
// 3·(3·bases + 1) coefficients, of which 2·(2·bases + 1) are free.
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

// fitRows fits on the given rows of oof; nil means all.
func (m stackMethod) fitRows(ctx context.Context, env model.Env, oof *OOF, rows []int) (Combiner, error) {
	cfg := *linear.DefaultConfig()
	cfg.C = m.cfg.C
	l, err := linear.New(cfg)
	if err != nil {
		return nil, err
	}
	v := view.View{Table: features(oof.Bases, oof.Prob, m.cfg.Floor), Class: oof.Class, Weight: oof.Weight}
	if rows != nil {
		v = view.View{Table: v.Table.Select(rows)}
		for _, r := range rows {
			v.Class = append(v.Class, oof.Class[r])
			v.Weight = append(v.Weight, oof.Weight[r])
		}
	}
	f, err := l.Fit(ctx, env, v, view.View{})
	if err != nil {
		return nil, fmt.Errorf("ensemble: fitting the stack: %w", err)
	}
	return &Stack{
		state: stackState{Bases: slices.Clone(oof.Bases), Floor: m.cfg.Floor, Use: oof.Provenance},
		meta:  f.(*linear.Logistic),
	}, nil
}

// features is, per base and class, the centred log-ratio
//
//	ln max(p_c, floor) − mean_d ln max(p_d, floor)
//
// (Aitchison 1982): the log-odds against the geometric mean, without a
// favoured class.
func features(bases []string, p []*model.Prediction, floor float64) *view.Table {
	n := p[0].N
	t := view.NewTable(n, featureNames(bases))
	for b, q := range p {
		for i := range n {
			var z [model.K]float64
			mean := 0.0
			for c, x := range q.Row(i) {
				z[c] = stat.Log(math.Max(x, floor))
				mean += z[c]
			}
			mean /= model.K
			for c, x := range z {
				t.Data[(b*model.K+c)*n+i] = float32(x - mean)
			}
		}
	}
	return t
}

func featureNames(bases []string) []string {
	var out []string
	for _, b := range bases {
		out = append(out, b+" -1", b+" 0", b+" +1")
	}
	return out
}

type stackState struct {
	Bases []string   `json:"bases"`
	Floor float64    `json:"floor"`
	Use   Provenance `json:"use"`
	Meta  []byte     `json:"meta"`
}

// Stack is a fitted logistic stack.
type Stack struct {
	state stackState
	meta  *linear.Logistic
}

// Bases are the bases' names.
func (s *Stack) Bases() []string { return slices.Clone(s.state.Bases) }

// Provenance is the use of the out-of-fold predictions it was fitted on.
func (s *Stack) Provenance() Provenance { return s.state.Use }

// Meta is the fitted meta-learner; its columns are "base -1", "base 0" and
// "base +1" for each base.
func (s *Stack) Meta() *linear.Logistic { return s.meta }

// Apply predicts from the bases' predictions. O(n·bases).
func (s *Stack) Apply(ctx context.Context, base []*model.Prediction, out *model.Prediction) error {
	if _, err := checkApply(s.state.Bases, base); err != nil {
		return err
	}
	return s.meta.Predict(ctx, view.View{Table: features(s.state.Bases, base, s.state.Floor)}, out)
}

// Encode writes the combiner.
func (s *Stack) Encode(w io.Writer) error {
	var meta bytes.Buffer
	if err := s.meta.Encode(&meta); err != nil {
		return err
	}
	st := s.state
	st.Meta = meta.Bytes()
	payload, err := json.Marshal(&st)
	if err != nil {
		return fmt.Errorf("ensemble: encoding: %w", err)
	}
	return model.WriteArtifact(w, "stack_logistic", 1, payload)
}

func decodeStack(r io.Reader) (*Stack, error) {
	payload, err := model.ReadArtifact(r, "stack_logistic", 1)
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
	if s.meta, err = linear.Decode(bytes.NewReader(s.state.Meta)); err != nil {
		return nil, err
	}
	s.state.Meta = nil
	if names, _ := s.meta.Importance(); !slices.Equal(names, featureNames(s.state.Bases)) {
		return nil, fmt.Errorf("ensemble: decoding: a stack of %q with a meta-learner of columns %q", s.state.Bases, names)
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
		base := make([]*model.Prediction, len(oof.Bases))
		for b, p := range oof.Prob {
			q := &model.Prediction{}
			q.Resize(len(fold.Test), model.K)
			for i, r := range fold.Test {
				copy(q.Row(i), p.Row(r))
			}
			base[b] = q
		}
		var q model.Prediction
		if err := c.Apply(ctx, base, &q); err != nil {
			return nil, fmt.Errorf("ensemble: cross-fit fold %d: %w", f, err)
		}
		for i, r := range fold.Test {
			copy(out.Row(r), q.Row(i))
		}
	}
	return out, nil
}
