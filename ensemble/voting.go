package ensemble

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"slices"

	"github.com/mlfactory/mlfactory/model"
	"github.com/mlfactory/mlfactory/param"
)

// VotingConfig sets soft voting.
type VotingConfig struct {
	Weights []float64 `yaml:"weights" doc:"weight of each base in ascending order of name; empty means equal weights" min:"0"`
}

// Validate reports weights that are negative, not finite, or all zero.
func (c *VotingConfig) Validate() error {
	if err := param.Check(c); err != nil {
		return err
	}
	sum := 0.0
	for _, w := range c.Weights {
		sum += w
	}
	if len(c.Weights) > 0 && !(sum > 0 && sum <= math.MaxFloat64) {
		return &param.Error{Path: "weights", Problem: fmt.Sprintf("they sum to %v, which cannot be normalised", sum)}
	}
	return nil
}

func votingEntry() Entry {
	return Entry{
		Name:    "voting",
		Doc:     "Weighted mean of the bases' probabilities (soft voting): no parameter is learnt, so it needs no out-of-fold predictions.",
		Default: func() any { return &VotingConfig{Weights: []float64{}} },
		New: func(cfg any) (Method, error) {
			c, ok := cfg.(*VotingConfig)
			if !ok || c == nil {
				return nil, fmt.Errorf("ensemble: voting config is a %T, want *ensemble.VotingConfig", cfg)
			}
			if err := c.Validate(); err != nil {
				return nil, fmt.Errorf("ensemble: voting: %w", err)
			}
			return votingMethod{slices.Clone(c.Weights)}, nil
		},
		Decode: func(r io.Reader) (Combiner, error) {
			v, err := decodeVoting(r)
			if err != nil {
				return nil, err
			}
			return v, nil
		},
	}
}

type votingMethod struct{ weights []float64 }

func (m votingMethod) Fit(ctx context.Context, env model.Env, bases []string, oof *OOF, use Provenance) (Combiner, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := use.check(); err != nil {
		return nil, err
	}
	v := &Voting{state: votingState{Bases: slices.Clone(bases), Weights: slices.Clone(m.weights), Use: use}}
	if len(m.weights) == 0 {
		v.state.Weights = make([]float64, len(bases))
		for i := range v.state.Weights {
			v.state.Weights[i] = 1
		}
	}
	if err := v.state.check(); err != nil {
		return nil, err
	}
	sum := 0.0
	for _, w := range v.state.Weights {
		sum += w
	}
	for i := range v.state.Weights {
		v.state.Weights[i] /= sum
	}
	return v, nil
}

type votingState struct {
	Bases   []string   `json:"bases"`
	Weights []float64  `json:"weights"`
	Use     Provenance `json:"use"`
}

func (s *votingState) check() error {
	if err := checkBases(s.Bases); err != nil {
		return err
	}
	if len(s.Weights) != len(s.Bases) {
		return fmt.Errorf("ensemble: %d voting weights for bases %q", len(s.Weights), s.Bases)
	}
	if err := (&VotingConfig{Weights: s.Weights}).Validate(); err != nil {
		return err
	}
	return s.Use.check()
}

// Voting is soft voting: P(c) = Σ_b v_b·P_b(c) with Σ v_b = 1.
type Voting struct{ state votingState }

// Bases are the bases' names.
func (v *Voting) Bases() []string { return slices.Clone(v.state.Bases) }

// Provenance is the use it was made for.
func (v *Voting) Provenance() Provenance { return v.state.Use }

// Weights are the normalised weights.
func (v *Voting) Weights() []float64 { return slices.Clone(v.state.Weights) }

// Apply writes the weighted mean, each row divided by its sum so that rounding
// leaves it a distribution.
func (v *Voting) Apply(ctx context.Context, base []*model.Prediction, out *model.Prediction) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	n, err := checkApply(v.state.Bases, base)
	if err != nil {
		return err
	}
	out.Resize(n, model.K)
	for i := range n {
		row := out.Row(i)
		sum := 0.0
		for c := range row {
			x := 0.0
			for b, p := range base {
				x += float64(v.state.Weights[b] * p.Prob[i*model.K+c])
			}
			row[c] = x
			sum += x
		}
		for c := range row {
			row[c] /= sum
		}
	}
	return nil
}

// Encode writes the combiner.
func (v *Voting) Encode(w io.Writer) error {
	payload, err := json.Marshal(&v.state)
	if err != nil {
		return fmt.Errorf("ensemble: encoding: %w", err)
	}
	return model.WriteArtifact(w, "voting", 1, payload)
}

func decodeVoting(r io.Reader) (*Voting, error) {
	payload, err := model.ReadArtifact(r, "voting", 1)
	if err != nil {
		return nil, err
	}
	v := &Voting{}
	dec := json.NewDecoder(bytes.NewReader(payload))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&v.state); err != nil {
		return nil, fmt.Errorf("ensemble: decoding: %w", err)
	}
	if err := v.state.check(); err != nil {
		return nil, err
	}
	return v, nil
}
