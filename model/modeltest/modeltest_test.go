package modeltest_test

import (
	"bytes"
	"context"
	"encoding/gob"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"testing"

	"github.com/mlfactory/mlfactory/internal/race"
	"github.com/mlfactory/mlfactory/model"
	"github.com/mlfactory/mlfactory/model/modeltest"
	"github.com/mlfactory/mlfactory/view"
)

// bayes is a Gaussian naive Bayes learner, honest unless a fault is set.
type bayes struct {
	fault string
	fits  int
}

type bayesConfig struct {
	Floor float64 `yaml:"floor" doc:"least variance"`
}

type bayesModel struct {
	Names     []string
	Prior     [3]float64
	Mean, Var [][3]float64 // Var 0: the column is not used
	Heat      float64
	Salt      int
	fault     string
}

func (l *bayes) Fit(ctx context.Context, env model.Env, train, stop view.View) (model.Fitted, error) {
	l.fits++
	missing := l.fault != "no-missing-claimed"
	if l.fault == "no-weights-claimed" && train.Weight != nil {
		return nil, errors.New("bayes: weights are not supported")
	}
	rows, err := model.CheckFit(train, missing)
	switch {
	case l.fault == "accepts-infinity" && err != nil && rows == nil && train.Table != nil && train.Check() == nil && train.Table.N > 0 && train.Table.P > 0:
		if !errors.Is(err, model.ErrOneClass) && !errors.Is(err, model.ErrNoRows) && train.Class != nil {
			for i := range train.Table.N {
				rows = append(rows, i)
			}
			err = nil
		}
	case l.fault == "anonymous-errors" && err != nil:
		err = errors.New("bad input")
	}
	if err != nil {
		return nil, err
	}
	t := train.Table
	weight := func(i int) float64 {
		if train.Weight == nil || l.fault == "ignores-weights" {
			return 1
		}
		if l.fault == "counts-zero-weights" {
			return math.Max(train.Weight[i], 1e-3)
		}
		return train.Weight[i]
	}
	if l.fault == "counts-zero-weights" {
		rows = rows[:0]
		for i := range t.N {
			rows = append(rows, i)
		}
	}
	m := &bayesModel{Names: slices.Clone(t.Names), Heat: 1, fault: l.fault}
	if l.fault == "keeps-training-table" {
		m.Names = t.Names
	}
	if l.fault == "not-repeatable" {
		m.Salt = l.fits
	}
	if l.fault == "worker-count" {
		m.Salt = env.Workers
	}
	class := func(i int) int8 { return train.Class[i] }
	total := 0.0
	for _, i := range rows {
		m.Prior[class(i)+1] += weight(i)
		total += weight(i)
	}
	for c := range m.Prior {
		m.Prior[c] /= total
	}
	for j := range t.P {
		if l.fault != "never-looks-at-ctx" || j == 0 {
			if err := ctx.Err(); err != nil {
				if l.fault == "swallows-cancel" && j > 0 {
					break
				}
				return nil, err
			}
		}
		var n, s, q [3]float64
		add := func(x float32, c int8, w float64) {
			if x != x {
				return
			}
			n[c+1] += w
			s[c+1] += w * float64(x)
			q[c+1] += w * float64(x) * float64(x)
		}
		for _, i := range rows {
			add(t.Col(j)[i], class(i), weight(i))
		}
		if l.fault == "trains-on-stop" {
			for i := range stop.Len() {
				add(stop.Table.Col(j)[i], stop.Class[i], 1)
			}
		}
		var mean, vr [3]float64
		lo, hi := math.Inf(1), math.Inf(-1)
		for c := range n {
			if n[c] > 0 {
				mean[c] = s[c] / n[c]
				vr[c] = q[c]/n[c] - mean[c]*mean[c]
				lo, hi = math.Min(lo, vr[c]), math.Max(hi, vr[c])
			}
		}
		if !(lo > 1e-6*(1+mean[0]*mean[0]+mean[2]*mean[2])) && l.fault != "trains-on-stop" {
			vr = [3]float64{}
		}
		for c := range n {
			if n[c] == 0 {
				mean[c], vr[c] = 0, hi
			}
			if l.fault == "trains-on-stop" {
				vr[c] = math.Max(vr[c], 1e-3)
			}
		}
		m.Mean, m.Var = append(m.Mean, mean), append(m.Var, vr)
	}
	if stop.Len() > 0 && (l.fault == "stops" || l.fault == "stops-unclaimed") {
		// Early stopping of a kind: the colder of two temperatures wins.
		best := math.Inf(1)
		heat := 1.0
		for _, h := range []float64{1, 0.1} {
			m.Heat = h
			var p model.Prediction
			if err := m.Predict(ctx, view.View{Table: stop.Table}, &p); err != nil {
				return nil, err
			}
			loss, err := model.LogLoss(&p, stop.Class, nil)
			if err != nil {
				return nil, err
			}
			if loss < best {
				best, heat = loss, h
			}
		}
		m.Heat = heat
	}
	if l.fault == "overfits-noise" {
		m.Heat = 60
	}
	if l.fault == "no-skill" {
		m.Heat = 1e-9
	}
	if l.fault == "changes-inputs" {
		t.Col(0)[0]++
	}
	return m, nil
}

func (m *bayesModel) Predict(ctx context.Context, v view.View, out *model.Prediction) error {
	if m.fault != "predict-ignores-ctx" {
		if err := ctx.Err(); err != nil {
			return err
		}
	}
	if m.fault != "ignores-columns" {
		if err := model.CheckColumns(m.Names, v); err != nil {
			return err
		}
	} else if v.Table == nil {
		return errors.New("no table")
	}
	if m.fault != "accepts-infinity" {
		if err := model.CheckValues(v.Table, m.fault != "no-missing-claimed"); err != nil {
			if m.fault == "anonymous-errors" {
				return errors.New("bad input")
			}
			return err
		}
	}
	if m.fault == "fresh-buffer" {
		out.Prob = nil
	}
	out.Resize(v.Table.N, 3)
	if m.fault == "allocates" {
		v.Table = v.Table.Columns([]int{0, 1, 2, 3, 4})
	}
	for i := range v.Table.N {
		p := out.Row(i)
		if m.fault == "adds-to-buffer" {
			for c := range p {
				p[c] += math.Log(m.Prior[c])
			}
		} else {
			for c := range p {
				p[c] = math.Log(m.Prior[c])
			}
		}
		for j := range m.Mean {
			if j >= v.Table.P {
				break
			}
			x := float64(v.Table.Col(j)[i])
			if x != x || m.Var[j][0] == 0 && m.Var[j][1] == 0 && m.Var[j][2] == 0 {
				continue
			}
			for c := range p {
				if va := m.Var[j][c]; va > 0 {
					d := math.Max(-30, math.Min(30, (x-m.Mean[j][c])/math.Sqrt(va)))
					p[c] -= m.Heat * 0.5 * (d*d + math.Log(va))
				}
			}
		}
		if m.fault == "row-by-row" {
			p[0] += float64(v.Table.N) * 1e-12
		}
		if m.fault == "not-a-simplex" {
			for c := range p {
				p[c] = math.Exp(p[c])
			}
			continue
		}
		model.Softmax(p, p)
	}
	return nil
}

func (m *bayesModel) Encode(w io.Writer) error {
	if m.fault == "no-digest" {
		return gob.NewEncoder(w).Encode(m)
	}
	b, err := json.Marshal(m)
	if err != nil {
		return err
	}
	return model.WriteArtifact(w, "bayes", 1, b)
}

func (m *bayesModel) GobEncode() ([]byte, error) { return json.Marshal(m) }
func (m *bayesModel) GobDecode(b []byte) error   { return json.Unmarshal(b, m) }

// entry is the fake with one fault; "" is honest.
func entry(fault string) model.Entry {
	shared := &bayes{fault: fault}
	return model.Entry{
		Name: "bayes", Family: "fake", Doc: "Gaussian naive Bayes.",
		Abilities: model.Abilities{
			Weights: fault != "no-weights-claimed",
			Missing: fault != "no-missing-claimed",
			Stops:   fault == "stops" || fault == "stops-claimed-only",
		},
		Default: func() any {
			if fault == "undocumented" {
				return &struct{ Floor float64 }{}
			}
			return &bayesConfig{}
		},
		New: func(cfg any) (model.Learner, error) {
			if c, ok := cfg.(*bayesConfig); !ok || c == nil {
				return nil, fmt.Errorf("config is a %T", cfg)
			}
			return shared, nil
		},
		Decode: func(r io.Reader) (model.Fitted, error) {
			m := &bayesModel{fault: fault}
			if fault == "no-digest" {
				if err := gob.NewDecoder(r).Decode(m); err != nil {
					return nil, err
				}
				return m, nil
			}
			b, err := model.ReadArtifact(r, "bayes", 1)
			if err != nil {
				return nil, err
			}
			if err := json.NewDecoder(bytes.NewReader(b)).Decode(m); err != nil {
				return nil, err
			}
			if fault == "forgets-on-save" {
				m.Prior = [3]float64{0.2, 0.3, 0.5}
			}
			return m, nil
		},
	}
}

func broken(fault string) []string {
	var out []string
	for _, law := range modeltest.Laws(entry(fault), modeltest.Options{DuplicateTol: 1e-9}) {
		if law.Check() != nil {
			out = append(out, law.Name)
		}
	}
	return out
}

func TestHonestLearnersPass(t *testing.T) {
	for _, variant := range []string{"", "stops", "no-missing-claimed", "no-weights-claimed"} {
		t.Run("variant "+variant, func(t *testing.T) {
			modeltest.Run(t, entry(variant), modeltest.Options{DuplicateTol: 1e-9})
		})
	}
}

// Each fault fails the law that forbids it.
func TestBrokenLearnersFail(t *testing.T) {
	for fault, law := range map[string]string{
		"undocumented":         "entry",
		"not-repeatable":       "fit-twice",
		"worker-count":         "workers",
		"forgets-on-save":      "save-load",
		"no-digest":            "damaged-bytes",
		"counts-zero-weights":  "weight-zero",
		"ignores-weights":      "weights",
		"accepts-infinity":     "infinite-refused",
		"anonymous-errors":     "infinite-refused",
		"ignores-columns":      "columns",
		"keeps-training-table": "inputs-untouched",
		"changes-inputs":       "inputs-untouched",
		"never-looks-at-ctx":   "cancel",
		"swallows-cancel":      "cancel",
		"predict-ignores-ctx":  "cancel",
		"trains-on-stop":       "stop-never-trains",
		"stops-unclaimed":      "stop-rows",
		"stops-claimed-only":   "stop-rows",
		"overfits-noise":       "noise",
		"no-skill":             "signal",
		"fresh-buffer":         "predict-buffers",
		"allocates":            "predict-buffers",
		"adds-to-buffer":       "predict-buffers",
		"row-by-row":           "row-by-row",
		"not-a-simplex":        "simplex",
	} {
		t.Run(fault, func(t *testing.T) {
			if race.Enabled && fault == "allocates" {
				t.Skip("allocations are not counted under the race detector")
			}
			got := broken(fault)
			if !slices.Contains(got, law) {
				t.Errorf("law %q holds for a learner that breaks it; it fails %v", law, got)
			}
		})
	}
}

func Example() {
	for _, law := range modeltest.Laws(entry("trains-on-stop"), modeltest.Options{}) {
		if law.Name == "stop-never-trains" {
			fmt.Println(law.Name, "holds:", law.Check() == nil)
		}
	}
	// Output: stop-never-trains holds: false
}
