package factory

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"

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

// fitted is a model with the columns it was fitted on.
type fitted struct {
	model.Fitted
	Columns []string
	Info    FitInfo
}

// trainRows thins the candidates and weighs what is left, from their own spans
// alone.
func trainRows(s *label.Set, candidates rows, cfg label.WeightConfig) (rows, label.Weights, error) {
	w, err := label.Weigh(spansOf(s, candidates), cfg)
	return through(candidates, w.Rows), w, err
}

// viewOf gathers the given decisions for a learner.
func viewOf(t *view.Table, cols []int, s *label.Set, r rows, weight []float64) view.View {
	v := view.View{Table: gather(t, cols, r), Rows: r, Weight: weight}
	v.Spans = spansOf(s, r)
	v.Class = make([]int8, len(r))
	v.NetLong, v.NetShort = make([]float64, len(r)), make([]float64, len(r))
	for i, d := range r {
		v.Class[i], v.NetLong[i], v.NetShort[i] = s.Class[d], s.Long.Net[d], s.Short.Net[d]
	}
	return v
}

// gather copies rows and columns of t, in the given order.
func gather(t *view.Table, cols []int, r rows) *view.Table {
	names := make([]string, len(cols))
	for k, j := range cols {
		names[k] = t.Names[j]
	}
	out := view.NewTable(len(r), names)
	for k, j := range cols {
		src, dst := t.Col(j), out.Col(k)
		for i, d := range r {
			dst[i] = src[d]
		}
	}
	return out
}

// usable drops the columns that are valid on less than minValid of the rows.
func usable(t *view.Table, cols []int, r rows, minValid float64) (keep []int, dropped []Dropped) {
	for _, j := range cols {
		col, n := t.Col(j), 0
		for _, d := range r {
			if x := col[d]; x == x {
				n++
			}
		}
		share := float64(n) / float64(max(1, len(r)))
		if n == 0 || share < minValid {
			dropped = append(dropped, Dropped{Column: t.Names[j], Valid: share,
				Reason: fmt.Sprintf("valid on %.1f %% of the training rows, less than %.0f %%", 100*share, 100*minValid)})
			continue
		}
		keep = append(keep, j)
	}
	return keep, dropped
}

// fitSpec is everything one fit depends on beside table, labels and folds; it is
// the parameters of its stage.
type fitSpec struct {
	Use      string             `yaml:"use"`
	Config   any                `yaml:"config"`
	Columns  []string           `yaml:"columns"`
	MinValid float64            `yaml:"min_valid"`
	Weights  label.WeightConfig `yaml:"weights"`
	Seed     uint64             `yaml:"seed"`
	Stream   string             `yaml:"stream"` // name of the random stream: the model's name
	Role     string             `yaml:"role"`   // which fold: wf/1/inner/2, wf/1/final, kfold/3
}

// fitFold fits one model on one fold.
func fitFold(ctx context.Context, reg *model.Registry, spec fitSpec, t *view.Table, s *label.Set, f fold, env model.Env) (*fitted, error) {
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
	routed, err := columnsOf(t, spec.Columns)
	if err != nil {
		return nil, err
	}
	cols, dropped := usable(t, routed, kept, spec.MinValid)
	if len(cols) == 0 {
		return nil, fmt.Errorf("%s: none of %d columns is valid on %.0f %% of the %d training rows; give more history before the first decision or fewer slow features", spec.Role, len(routed), 100*spec.MinValid, len(kept))
	}
	train := viewOf(t, cols, s, kept, weights.Weight)
	stop := viewOf(t, cols, s, nil, nil)
	if len(f.Stop) > 0 && e.Abilities.Stops {
		sr, sw, err := trainRows(s, f.Stop, spec.Weights)
		if err != nil {
			return nil, err
		}
		stop = viewOf(t, cols, s, sr, sw.Weight)
	}
	env.Stream = rng.New(spec.Seed).Stream("fit").Stream(spec.Stream).Stream(spec.Role)
	m, err := learner.Fit(ctx, env, train, stop)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", spec.Role, err)
	}
	out := &fitted{Fitted: m, Columns: train.Table.Names, Info: FitInfo{
		Role: spec.Role, Candidates: len(f.Train), Rows: len(kept), Every: weights.Every,
		EffectiveN: weights.Effective, Columns: len(cols), Dropped: dropped,
	}}
	return out, nil
}

// columnsOf finds columns by name.
func columnsOf(t *view.Table, names []string) ([]int, error) {
	at := make(map[string]int, t.P)
	for j, n := range t.Names {
		at[n] = j
	}
	cols := make([]int, len(names))
	for k, n := range names {
		j, ok := at[n]
		if !ok {
			return nil, fmt.Errorf("factory: the table has no column %q", n)
		}
		cols[k] = j
	}
	return cols, nil
}

// chunk is the number of rows predicted at a time.
const chunk = 1 << 14

// predictRows predicts decisions with a fitted model.
func predictRows(ctx context.Context, m *fitted, t *view.Table, r rows) (*probabilities, error) {
	cols, err := columnsOf(t, m.Columns)
	if err != nil {
		return nil, err
	}
	out := &probabilities{Row: r, Prob: make([]float64, 0, 3*len(r))}
	var p model.Prediction
	for lo := 0; lo < len(r); lo += chunk {
		part := r[lo:min(lo+chunk, len(r))]
		if err := m.Predict(ctx, view.View{Table: gather(t, cols, part)}, &p); err != nil {
			return nil, err
		}
		if err := p.Check(); err != nil {
			return nil, err
		}
		out.Prob = append(out.Prob, p.Prob...)
	}
	return out, nil
}

// saved is a model's columns and bytes as a stage keeps them.
type saved struct {
	Use     string   `json:"use"`
	Columns []string `json:"columns"`
	Info    FitInfo  `json:"info"`
}

func writeFit(t *flow.Task, use string, m *fitted) error {
	if err := t.Create("model", m.Encode); err != nil {
		return err
	}
	return writeJSON(t, "fit", saved{Use: use, Columns: m.Columns, Info: m.Info})
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
	return &fitted{Fitted: m, Columns: s.Columns, Info: s.Info}, nil
}
