package modeltest

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"math"

	"github.com/mlfactory/mlfactory/model"
	"github.com/mlfactory/mlfactory/view"
)

// WitnessConfig configures a [Witness].
type WitnessConfig struct {
	Salt int `yaml:"salt" doc:"makes another witness"`
}

// Witness is a learner for tests of what feeds learners: it finds nothing out, but
// its fitted bytes depend on every bit of its training and stop rows, and its
// probabilities of a row on every bit of that row's inputs and on nothing else of
// the view. Its entry takes the given input and claims the given abilities;
// values may be missing.
func Witness(name string, input model.Input, abilities model.Abilities) model.Entry {
	abilities.Weights, abilities.Missing, abilities.Stops = true, true, true
	e := model.Entry{Name: name, Family: "test", Doc: "Depends on every bit of its inputs.", Input: input, Abilities: abilities,
		Default: func() any { return &WitnessConfig{} }}
	e.New = func(cfg any) (model.Learner, error) {
		c, ok := cfg.(*WitnessConfig)
		if !ok || c == nil {
			return nil, fmt.Errorf("modeltest: the configuration is a %T", cfg)
		}
		return &witness{Salt: c.Salt, entry: e}, nil
	}
	e.Decode = func(r io.Reader) (model.Fitted, error) {
		b, err := model.ReadArtifact(r, "witness", 1)
		if err != nil {
			return nil, err
		}
		w := &witness{entry: e}
		if err := json.Unmarshal(b, w); err != nil {
			return nil, fmt.Errorf("modeltest: %w", err)
		}
		return w, nil
	}
	return e
}

type witness struct {
	Salt  int
	Seen  uint64 // digest of what was fitted on
	Shape string
	Prior [model.K]float64
	entry model.Entry
}

// parts is what the entry takes of a view, and its shape.
func (w *witness) parts(v view.View) (table *view.Table, windows []*view.Windows, shape string, err error) {
	if err := v.Check(); err != nil {
		return nil, nil, "", err
	}
	windows = v.Streams
	switch {
	case w.entry.Input == model.InputTable && v.Table == nil, w.entry.Input != model.InputTable && len(v.Streams) == 0, w.entry.Input == model.InputWindows && len(v.Streams) > 1:
		return nil, nil, "", errors.New("modeltest: the view lacks the inputs of the entry, or has too many")
	case w.entry.Input == model.InputTable:
		return v.Table, nil, fmt.Sprint(v.Table.Names), nil
	}
	if w.entry.Abilities.Static && v.Table != nil {
		table = v.Table
		shape = fmt.Sprint(table.Names)
	}
	if w.entry.Abilities.Known && v.Known != nil {
		windows = append(windows[:len(windows):len(windows)], v.Known)
		shape += " known"
	}
	for _, x := range windows {
		shape += fmt.Sprint(x.Timeframe, x.Length, x.Names)
	}
	return table, windows, shape, nil
}

// digest hashes row i.
func digest(table *view.Table, windows []*view.Windows, i int, buf *[]float32) uint64 {
	h := fnv.New64a()
	put := func(x float32) {
		if x != x {
			x = float32(math.NaN()) // one missing value is like another
		}
		var b [4]byte
		binary.LittleEndian.PutUint32(b[:], math.Float32bits(x))
		h.Write(b[:])
	}
	if table != nil {
		for j := range table.P {
			put(table.Col(j)[i])
		}
	}
	for _, w := range windows {
		n := w.Length * len(w.Columns)
		if cap(*buf) < n {
			*buf = make([]float32, n)
		}
		w.Copy(i, (*buf)[:n])
		for _, x := range (*buf)[:n] {
			put(x)
		}
	}
	return h.Sum64()
}

func (w *witness) Fit(ctx context.Context, _ model.Env, train, stop view.View) (model.Fitted, error) {
	rows, err := model.CheckInputs(train, true)
	if err != nil {
		return nil, err
	}
	out := *w
	h := fnv.New64a()
	note := func(v view.View, rows []int) error {
		table, windows, shape, err := w.parts(v)
		if err != nil {
			return err
		}
		out.Shape = shape
		var buf []float32
		for _, i := range rows {
			weight := 1.0
			if v.Weight != nil {
				weight = v.Weight[i]
			}
			var b [8]byte
			for _, u := range []uint64{digest(table, windows, i, &buf), uint64(model.ClassIndex(v.Class[i])), math.Float64bits(weight)} {
				binary.LittleEndian.PutUint64(b[:], u)
				h.Write(b[:])
			}
		}
		return ctx.Err()
	}
	if err := note(train, rows); err != nil {
		return nil, err
	}
	if stop.Len() > 0 {
		all := make([]int, stop.Len())
		for i := range all {
			all[i] = i
		}
		if err := note(stop, all); err != nil {
			return nil, err
		}
	}
	out.Seen, out.Prior = h.Sum64(), model.ClassPrior(train.Class, train.Weight)
	return &out, nil
}

// Predict moves the class prior by a little, as the row's digest says.
func (w *witness) Predict(ctx context.Context, v view.View, out *model.Prediction) error {
	table, windows, shape, err := w.parts(v)
	if err != nil {
		return err
	}
	if shape != w.Shape {
		return fmt.Errorf("modeltest: the view is of %s, the fit had %s", shape, w.Shape)
	}
	out.Resize(v.Len(), model.K)
	var buf []float32
	for i := range out.N {
		u := digest(table, windows, i, &buf) ^ w.Seen ^ uint64(w.Salt)
		sum := 0.0
		for c := range out.Row(i) {
			x := 0.9*w.Prior[c] + 0.1*float64(1+u>>(20*c)&0xfffff)/(1<<20)
			out.Row(i)[c] = x
			sum += x
		}
		for c := range out.Row(i) {
			out.Row(i)[c] /= sum
		}
	}
	return ctx.Err()
}

func (w *witness) Encode(to io.Writer) error {
	b, err := json.Marshal(w)
	if err != nil {
		return err
	}
	return model.WriteArtifact(to, "witness", 1, b)
}
