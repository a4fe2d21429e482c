package nn

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"sync"

	"github.com/mlfactory/mlfactory/model"
	"github.com/mlfactory/mlfactory/model/nn/safetensors"
	"github.com/mlfactory/mlfactory/model/nn/tape"
	"github.com/mlfactory/mlfactory/model/nn/trainer"
	"github.com/mlfactory/mlfactory/param"
	"github.com/mlfactory/mlfactory/rng"
	"github.com/mlfactory/mlfactory/view"
)

// Common is what the configuration of every architecture contains.
type Common struct {
	trainer.Config `yaml:",inline"`
	InputClip      float64 `yaml:"input_clip" doc:"standardised inputs are cut at plus and minus this; 0 cuts nothing" min:"0" max:"1000"`
	Seeds          int     `yaml:"seeds" doc:"networks that are fitted from different starts and averaged" min:"1" max:"100"`
}

// DefaultCommon is the trainer's default, inputs cut at 5 deviations, one seed.
func DefaultCommon() Common { return Common{Config: trainer.Default(), InputClip: 5, Seeds: 1} }

func (c *Common) common() *Common { return c }

// config is a pointer to an architecture's configuration.
type config[C any] interface {
	*C
	common() *Common
}

// network is a trainer.Network.
type network = trainer.Network

// builder makes a network with weights drawn from a stream.
type builder[C any] func(cfg *C, inputs, classes int, s rng.Stream) network

// kind and version of the artifacts.
const (
	kind    = "network"
	version = 1
)

// learner fits one architecture.
type learner[C any, P config[C]] struct {
	name  string
	cfg   C
	build builder[C]
}

// entry makes a registry entry out of a default and a builder.
func entry[C any, P config[C]](name, family, doc string, def func() C, build builder[C]) model.Entry {
	return model.Entry{
		Name: name, Family: family, Doc: doc, Input: model.InputTable,
		Abilities: model.Abilities{Weights: true, Missing: true, Stops: true},
		Default:   func() any { c := def(); return &c },
		New: func(cfg any) (model.Learner, error) {
			c, ok := cfg.(*C)
			if !ok || c == nil {
				return nil, fmt.Errorf("model/nn: the configuration is a %T, want *%T", cfg, *new(C))
			}
			if err := validate(c, P(c).common()); err != nil {
				return nil, err
			}
			return &learner[C, P]{name, *c, build}, nil
		},
		Decode: func(r io.Reader) (model.Fitted, error) {
			f, err := decode[C, P](r, name, def, build)
			if err != nil {
				return nil, err
			}
			return f, nil
		},
	}
}

func validate(cfg any, common *Common) error {
	if err := param.Check(cfg); err != nil {
		return fmt.Errorf("model/nn: %w", err)
	}
	if err := common.Validate(); err != nil {
		return fmt.Errorf("model/nn: %w", err)
	}
	return nil
}

// Fit trains on table, class and weight of train and stops early on those of
// stop.
func (l *learner[C, P]) Fit(ctx context.Context, env model.Env, train, stop view.View) (model.Fitted, error) {
	rows, err := model.CheckFit(train, true)
	if err != nil {
		return nil, err
	}
	c := P(&l.cfg).common()
	s := newScale(train.Table, rows, train.Weight, c.InputClip)
	tr := data(s, train, rows)
	var st trainer.Data
	if stop.Len() > 0 {
		if err := model.CheckColumns(s.names, stop); err != nil {
			return nil, fmt.Errorf("model/nn: stop rows: %w", err)
		}
		stopRows, err := stopRows(stop)
		if err != nil {
			return nil, err
		}
		st = data(s, stop, stopRows)
	}
	f := &classifier{name: l.name, scale: s}
	if f.config, err = json.Marshal(l.cfg); err != nil {
		return nil, fmt.Errorf("model/nn: writing the configuration: %w", err)
	}
	for k := range c.Seeds {
		e := env
		e.Stream = env.Stream.Stream("seed", k)
		if env.Progress != nil {
			e.Progress = func(done, total int, note string) {
				env.Progress(k*total+done, c.Seeds*total, note)
			}
		}
		net := l.build(&l.cfg, s.width(), model.K, e.Stream.Stream("start"))
		rep, err := trainer.Fit(ctx, e, c.Config, net, model.K, tr, st)
		if err != nil {
			return nil, err
		}
		if rep.Note != "" && e.Progress != nil {
			e.Progress(rep.Epochs, c.Epochs, rep.Note)
		}
		f.nets = append(f.nets, net)
	}
	f.finish()
	return f, nil
}

// stopRows checks stop rows and lists those of positive weight.
func stopRows(v view.View) ([]int, error) {
	if v.Class == nil {
		return nil, fmt.Errorf("model/nn: the stop view has no classes")
	}
	if err := model.CheckValues(v.Table, true); err != nil {
		return nil, fmt.Errorf("model/nn: stop rows: %w", err)
	}
	var rows []int
	for i, c := range v.Class {
		if c < -1 || c > 1 {
			return nil, fmt.Errorf("model/nn: stop row %d has class %d; classes are -1, 0 and +1", i, c)
		}
		if v.Weight == nil {
			rows = append(rows, i)
			continue
		}
		if w := v.Weight[i]; !(w >= 0) || w-w != 0 {
			return nil, fmt.Errorf("model/nn: stop row %d has weight %v; weights are finite and at least 0", i, w)
		} else if w > 0 {
			rows = append(rows, i)
		}
	}
	return rows, nil
}

// data lays out rows for the trainer.
func data(s *scale, v view.View, rows []int) trainer.Data {
	d := trainer.Data{Source: s.source(v.Table, rows), Class: make([]int, len(rows))}
	if v.Weight != nil {
		d.Weight = make([]float32, len(rows))
	}
	for k, i := range rows {
		d.Class[k] = model.ClassIndex(v.Class[i])
		if v.Weight != nil {
			d.Weight[k] = float32(v.Weight[i])
		}
	}
	return d
}

// classifier predicts −1, 0 and +1 with the mean of several networks.
type classifier struct {
	name   string
	config []byte // JSON
	scale  *scale
	nets   []network
	bufs   *sync.Pool // of *buffer
}

// buffer is what predicting needs.
type buffer struct {
	tape *tape.Tape
	x    []float32
}

func (f *classifier) finish() {
	p := len(f.scale.names)
	f.bufs = &sync.Pool{New: func() any { return &buffer{tape.New(0), make([]float32, p)} }}
}

// rowsAtOnce rows go through the networks together.
const rowsAtOnce = 64

// Predict fills out with the probabilities of −1, 0 and +1.
func (f *classifier) Predict(ctx context.Context, v view.View, out *model.Prediction) error {
	if err := model.CheckColumns(f.scale.names, v); err != nil {
		return fmt.Errorf("model/nn: prediction: %w", err)
	}
	if err := model.CheckValues(v.Table, true); err != nil {
		return fmt.Errorf("model/nn: prediction: %w", err)
	}
	out.Resize(v.Table.N, model.K)
	b := f.bufs.Get().(*buffer)
	defer f.bufs.Put(b)
	for lo := 0; lo < v.Table.N; lo += rowsAtOnce {
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("model/nn: predicting row %d: %w", lo, err)
		}
		n := min(rowsAtOnce, v.Table.N-lo)
		f.block(b, n, func(k int) []float32 {
			for j := range b.x {
				b.x[j] = v.Table.Data[j*v.Table.N+lo+k]
			}
			return b.x
		}, out.Prob[lo*model.K:(lo+n)*model.K])
	}
	return nil
}

// PredictRow writes the probabilities of one row to out.
func (f *classifier) PredictRow(x []float32, out []float64) error {
	if len(out) != model.K {
		return fmt.Errorf("model/nn: room for %d probabilities, want %d", len(out), model.K)
	}
	if err := f.scale.checkRow(x); err != nil {
		return err
	}
	b := f.bufs.Get().(*buffer)
	defer f.bufs.Put(b)
	f.block(b, 1, func(int) []float32 { return x }, out)
	return nil
}

// block predicts n rows.
func (f *classifier) block(b *buffer, n int, row func(k int) []float32, out []float64) {
	clear(out)
	var p [model.K]float64
	for _, net := range f.nets {
		b.tape.Reset(false, rng.Stream{})
		x := b.tape.Blank(n, f.scale.width())
		for k := range n {
			f.scale.put(row(k), x.Row(k))
		}
		z := net.Logits(b.tape, x)
		for k := range n {
			for c, v := range z.Row(k) {
				p[c] = float64(v)
			}
			model.Softmax(p[:], p[:])
			for c, v := range p {
				out[k*model.K+c] += v / float64(len(f.nets))
			}
		}
	}
}

// header is the part of an artifact that is not weights.
type header struct {
	Name    string          `json:"name"`
	Config  json.RawMessage `json:"config"`
	Columns []string        `json:"columns"`
	Missing []int32         `json:"missing"`
	Seeds   int             `json:"seeds"`
}

// Encode writes the networks: a header, the scales and the weights, as one
// safetensors file inside an artifact.
func (f *classifier) Encode(w io.Writer) error {
	h, err := json.Marshal(header{f.name, f.config, f.scale.names, f.scale.missing, len(f.nets)})
	if err != nil {
		return fmt.Errorf("model/nn: writing a model: %w", err)
	}
	tensors := []safetensors.Tensor{
		{Name: "scale.mean", Shape: []int{len(f.scale.mean)}, Data: f.scale.mean},
		{Name: "scale.inverse_deviation", Shape: []int{len(f.scale.inv)}, Data: f.scale.inv},
	}
	for k, net := range f.nets {
		for _, p := range net.Params() {
			tensors = append(tensors, safetensors.Tensor{Name: fmt.Sprintf("seed.%d.%s", k, p.Name), Shape: p.Shape, Data: p.Value})
		}
	}
	var b bytes.Buffer
	if err := safetensors.Write(&b, tensors, map[string]string{"mlfactory": string(h)}); err != nil {
		return fmt.Errorf("model/nn: writing a model: %w", err)
	}
	if err := model.WriteArtifact(w, kind, version, b.Bytes()); err != nil {
		return fmt.Errorf("model/nn: writing a model: %w", err)
	}
	return nil
}

// decode reads what Encode wrote.
func decode[C any, P config[C]](r io.Reader, name string, def func() C, build builder[C]) (*classifier, error) {
	body, err := model.ReadArtifact(r, kind, version)
	if err != nil {
		return nil, fmt.Errorf("model/nn: %w", err)
	}
	bad := func(format string, a ...any) error {
		return fmt.Errorf("model/nn: reading a model: %s: %w", fmt.Sprintf(format, a...), model.ErrDamaged)
	}
	file, err := safetensors.Read(body)
	if err != nil {
		return nil, bad("%v", err)
	}
	var h header
	if err := json.Unmarshal([]byte(file.Metadata["mlfactory"]), &h); err != nil {
		return nil, bad("the header: %v", err)
	}
	if h.Name != name {
		return nil, fmt.Errorf("model/nn: the file holds a %q, not a %q", h.Name, name)
	}
	cfg := def()
	if err := json.Unmarshal(h.Config, &cfg); err != nil {
		return nil, bad("the configuration: %v", err)
	}
	c := P(&cfg).common()
	if err := validate(&cfg, c); err != nil {
		return nil, bad("the configuration: %v", err)
	}
	if len(h.Columns) == 0 || h.Seeds != c.Seeds {
		return nil, bad("%d columns and %d networks of %d", len(h.Columns), h.Seeds, c.Seeds)
	}
	f := &classifier{name: name, config: h.Config}
	f.scale = &scale{names: h.Columns, missing: h.Missing, clip: float32(c.InputClip)}
	for k, j := range h.Missing {
		if j < 0 || int(j) >= len(h.Columns) || k > 0 && j <= h.Missing[k-1] {
			return nil, bad("column %d of %d has missing values", j, len(h.Columns))
		}
	}
	if f.scale.mean, err = file.Take("scale.mean", len(h.Columns)); err != nil {
		return nil, bad("%v", err)
	}
	if f.scale.inv, err = file.Take("scale.inverse_deviation", len(h.Columns)); err != nil {
		return nil, bad("%v", err)
	}
	for k := range h.Seeds {
		net := build(&cfg, f.scale.width(), model.K, rng.New(0))
		for _, p := range net.Params() {
			v, err := file.Take(fmt.Sprintf("seed.%d.%s", k, p.Name), p.Shape...)
			if err != nil {
				return nil, bad("%v", err)
			}
			copy(p.Value, v)
		}
		f.nets = append(f.nets, net)
	}
	if left := file.Left(); left != "" {
		return nil, bad("an unknown tensor %q", left)
	}
	f.finish()
	return f, nil
}

// Entries are the registry entries of all architectures.
func Entries() []model.Entry { return []model.Entry{mlpEntry()} }

// Register adds [Entries] to a registry.
func Register(r *model.Registry) error {
	for _, e := range Entries() {
		if err := r.Add(e); err != nil {
			return err
		}
	}
	return nil
}
