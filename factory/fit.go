package factory

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"

	"github.com/mlfactory/mlfactory/bundle"
	"github.com/mlfactory/mlfactory/flow"
	"github.com/mlfactory/mlfactory/label"
	"github.com/mlfactory/mlfactory/model"
	"github.com/mlfactory/mlfactory/rng"
	"github.com/mlfactory/mlfactory/view"
)

// Dropped is a column that a fit did not use.
type Dropped struct {
	Column string  `json:"column"`
	Valid  float64 `json:"valid"` // share of the training rows with a value
	Reason string  `json:"reason"`
}

// FitInfo is what there is to know about one fit beside the model.
type FitInfo struct {
	Role       string    `json:"role"`
	Candidates int       `json:"candidates"` // training rows after purge
	Rows       int       `json:"rows"`       // after thinning
	Every      int       `json:"every"`      // every k-th row was kept
	EffectiveN float64   `json:"effective_n"`
	Columns    int       `json:"columns"`
	Dropped    []Dropped `json:"dropped"`
}

// fitted is a model with the inputs it was fitted on.
type fitted struct {
	model.Fitted
	Inputs bundle.Inputs
	Info   FitInfo
}

// trainRows thins the candidates and weighs what is left, from their own spans
// alone.
func trainRows(s *label.Set, candidates rows, cfg label.WeightConfig) (rows, label.Weights, error) {
	w, err := label.Weigh(spansOf(s, candidates), cfg)
	return through(candidates, w.Rows), w, err
}

// fitSpec is everything one fit depends on beside table, features, labels and folds; it is
// the parameters of its stage.
type fitSpec struct {
	Use      string             `yaml:"use"`
	Config   any                `yaml:"config"`
	Inputs   bundle.Inputs      `yaml:"inputs"` // that its route lets through
	MinValid float64            `yaml:"min_valid"`
	Weights  label.WeightConfig `yaml:"weights"`
	Seed     uint64             `yaml:"seed"`
	Stream   string             `yaml:"stream"`  // name of the random stream: the model's name
	Role     string             `yaml:"role"`    // which fold: wf/1/inner/2, wf/1/final, kfold/3
	Permute  int                `yaml:"permute"` // test rows for permutation importance, where the model tells none of its own
}

// fitFold fits one model on one fold.
func fitFold(ctx context.Context, reg *model.Registry, spec fitSpec, src *source, s *label.Set, f fold, env model.Env) (*fitted, error) {
	e, ok := reg.Entry(spec.Use)
	if !ok {
		return nil, fmt.Errorf("factory: no learner is called %q", spec.Use)
	}
	learner, err := e.New(spec.Config)
	if err != nil {
		return nil, err
	}
	kept, weights, err := trainRows(s, f.Train, spec.Weights)
	if err != nil {
		return nil, err
	}
	in, dropped, err := src.usable(&spec.Inputs, kept, spec.MinValid)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", spec.Role, err)
	}
	if n, of := counted(&in), counted(&spec.Inputs); n == 0 || e.Input != model.InputTable && len(in.Streams) == 0 {
		return nil, fmt.Errorf("%s: none of %d columns is valid on %.0f %% of the %d training rows; give more history before the first decision or fewer slow features", spec.Role, of, 100*spec.MinValid, len(kept))
	}
	train, err := src.rows(&in, s, kept, weights.Weight)
	if err != nil {
		return nil, err
	}
	var stop view.View
	if len(f.Stop) > 0 && e.Abilities.Stops {
		sr, sw, err := trainRows(s, f.Stop, spec.Weights)
		if err != nil {
			return nil, err
		}
		if stop, err = src.rows(&in, s, sr, sw.Weight); err != nil {
			return nil, err
		}
	} else if stop, err = src.rows(&in, s, nil, nil); err != nil {
		return nil, err
	}
	env.Stream = rng.New(spec.Seed).Stream("fit").Stream(spec.Stream).Stream(spec.Role)
	m, err := learner.Fit(ctx, env, train, stop)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", spec.Role, err)
	}
	out := &fitted{Fitted: m, Inputs: in, Info: FitInfo{
		Role: spec.Role, Candidates: len(f.Train), Rows: len(kept), Every: weights.Every,
		EffectiveN: weights.Effective, Columns: counted(&in), Dropped: dropped,
	}}
	return out, nil
}

// counted is the number of columns and channels.
func counted(in *bundle.Inputs) int {
	n := len(in.Columns)
	for _, s := range in.Streams {
		n += len(s.Channels)
	}
	return n
}

// chunk is the number of rows predicted at a time.
const chunk = 1 << 14

// predictRows predicts decisions with a fitted model.
func predictRows(ctx context.Context, m *fitted, src *source, r rows) (*probabilities, error) {
	out := &probabilities{Row: r, Prob: make([]float64, 0, 3*len(r))}
	var p model.Prediction
	for lo := 0; lo < len(r); lo += chunk {
		v, err := src.inputs(&m.Inputs, r[lo:min(lo+chunk, len(r))])
		if err != nil {
			return nil, err
		}
		if err := m.Predict(ctx, v, &p); err != nil {
			return nil, err
		}
		if err := p.Check(); err != nil {
			return nil, err
		}
		out.Prob = append(out.Prob, p.Prob...)
	}
	return out, nil
}

// saved is what a stage keeps of a model beside its bytes.
type saved struct {
	Use string `json:"use"`
	bundle.Inputs
	Info FitInfo `json:"info"`
}

func writeFit(t *flow.Task, use string, m *fitted) error {
	if err := t.Create("model", m.Encode); err != nil {
		return err
	}
	return writeJSON(t, "fit", saved{Use: use, Inputs: m.Inputs, Info: m.Info})
}

func writeJSON(t *flow.Task, name string, v any) error {
	b, err := json.MarshalIndent(v, "", " ")
	if err != nil {
		return fmt.Errorf("factory: %s: %w", name, err)
	}
	return t.Create(name, func(w io.Writer) error {
		_, err := w.Write(append(b, '\n'))
		return err
	})
}

// readFit decodes a model of a stage.
func readFit(reg *model.Registry, meta, body []byte) (*fitted, error) {
	var s saved
	if err := json.Unmarshal(meta, &s); err != nil {
		return nil, fmt.Errorf("factory: stored fit: %w", err)
	}
	e, ok := reg.Entry(s.Use)
	if !ok {
		return nil, fmt.Errorf("factory: the stored model was made by %q, which this program does not know", s.Use)
	}
	m, err := e.Decode(bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	return &fitted{Fitted: m, Inputs: s.Inputs, Info: s.Info}, nil
}
