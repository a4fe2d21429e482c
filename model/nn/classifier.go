package nn

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
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
type builder[C any] func(cfg *C, in Shape, s rng.Stream) network

// kind and version of the artifacts.
const (
	kind    = "network"
	version = 2
)

// learner fits one architecture.
type learner[C any, P config[C]] struct {
	name  string
	input model.Input
	uses  model.Abilities
	cfg   C
	build builder[C]
}

// entry makes a registry entry out of a default and a builder. Of uses, Static
// and Known are what the architecture decides.
func entry[C any, P config[C]](name, family string, input model.Input, uses model.Abilities, doc string, def func() C, build builder[C]) model.Entry {
	uses.Weights, uses.Missing, uses.Stops = true, true, true
	return model.Entry{
		Name: name, Family: family, Doc: doc, Input: input,
		Abilities: uses,
		Default:   func() any { c := def(); return &c },
		New: func(cfg any) (model.Learner, error) {
			c, ok := cfg.(*C)
			if !ok || c == nil {
				return nil, fmt.Errorf("model/nn: the configuration is a %T, want *%T", cfg, *new(C))
			}
			if err := validate(c, P(c).common()); err != nil {
				return nil, err
			}
			return &learner[C, P]{name, input, uses, *c, build}, nil
		},
		Decode: func(r io.Reader) (model.Fitted, error) {
			f, err := decode[C, P](r, name, input, uses, def, build)
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
	train, err := l.take(train)
	if err != nil {
		return nil, err
	}
	rows, err := model.CheckInputs(train, true)
	if err != nil {
		return nil, err
	}
	for _, w := range train.Streams {
		if err := finite(w, rows); err != nil {
			return nil, err
		}
	}
	c := P(&l.cfg).common()
	s := newInputs(train, rows, c.InputClip)
	tr := data(s, train, rows)
	var st trainer.Data
	if stop.Len() > 0 {
		if stop, err = l.take(stop); err != nil {
			return nil, fmt.Errorf("model/nn: stop rows: %w", err)
		}
		if err := s.check(stop); err != nil {
			return nil, fmt.Errorf("model/nn: stop rows: %w", err)
		}
		stopRows, err := stopRows(stop)
		if err != nil {
			return nil, err
		}
		st = data(s, stop, stopRows)
	}
	f := &classifier{name: l.name, input: l.input, uses: l.uses, in: s}
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
		net := l.build(&l.cfg, s.shape(model.K), e.Stream.Stream("start"))
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

// take is the parts of v that the architecture uses.
func (l *learner[C, P]) take(v view.View) (view.View, error) {
	return take(v, l.input, l.uses)
}

// take drops the parts of v that an architecture does not use and misses those
// that it needs.
func take(v view.View, input model.Input, uses model.Abilities) (view.View, error) {
	if input == model.InputTable {
		if v.Table == nil {
			return v, errors.New("model/nn: the view has no table")
		}
		v.Streams, v.Known = nil, nil
		return v, nil
	}
	if len(v.Streams) == 0 {
		return v, errors.New("model/nn: the view has no windows")
	}
	if input == model.InputWindows && len(v.Streams) > 1 {
		return v, fmt.Errorf("model/nn: the view has windows of %d timeframes; this network takes one", len(v.Streams))
	}
	if !uses.Static {
		v.Table = nil
	}
	if !uses.Known {
		v.Known = nil
	}
	return v, nil
}

// stopRows checks stop rows and lists those of positive weight.
func stopRows(v view.View) ([]int, error) {
	if v.Class == nil {
		return nil, fmt.Errorf("model/nn: the stop view has no classes")
	}
	for _, w := range v.Streams {
		if err := finite(w, nil); err != nil {
			return nil, fmt.Errorf("model/nn: stop rows: %w", err)
		}
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
func data(s *inputs, v view.View, rows []int) trainer.Data {
	d := trainer.Data{Source: s.source(v, rows), Class: make([]int, len(rows))}
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
	input  model.Input
	uses   model.Abilities
	config []byte // JSON
	in     *inputs
	nets   []network
	bufs   *sync.Pool // of *buffer
}

func (f *classifier) finish() {
	f.bufs = &sync.Pool{New: func() any { return &buffer{tape: tape.New(0)} }}
}

// rowsAtOnce rows go through the networks together.
const rowsAtOnce = 64

// Predict fills out with the probabilities of −1, 0 and +1.
func (f *classifier) Predict(ctx context.Context, v view.View, out *model.Prediction) error {
	v, err := take(v, f.input, f.uses)
	if err != nil {
		return fmt.Errorf("model/nn: prediction: %w", err)
	}
	if err := f.in.check(v); err != nil {
		return fmt.Errorf("model/nn: prediction: %w", err)
	}
	for _, w := range v.Streams {
		if err := finite(w, nil); err != nil {
			return fmt.Errorf("model/nn: prediction: %w", err)
		}
	}
	n := v.Len()
	out.Resize(n, model.K)
	b := f.bufs.Get().(*buffer)
	defer f.bufs.Put(b)
	for lo := 0; lo < n; lo += rowsAtOnce {
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("model/nn: predicting row %d: %w", lo, err)
		}
		hi := min(lo+rowsAtOnce, n)
		f.block(b, v, lo, hi, out.Prob[lo*model.K:hi*model.K])
	}
	return nil
}

// PredictRow writes the probabilities of one row of a table to out.
func (f *classifier) PredictRow(x []float32, out []float64) error {
	if f.in.table == nil || len(f.in.streams) > 0 {
		return fmt.Errorf("model/nn: %q takes windows, not the rows of a table", f.name)
	}
	if len(out) != model.K {
		return fmt.Errorf("model/nn: room for %d probabilities, want %d", len(out), model.K)
	}
	if err := f.in.table.checkRow(x); err != nil {
		return err
	}
	b := f.bufs.Get().(*buffer)
	defer f.bufs.Put(b)
	b.table = view.Table{N: 1, P: len(x), Data: x}
	f.block(b, view.View{Table: &b.table}, 0, 1, out)
	return nil
}

// block predicts rows lo to hi−1 of v.
func (f *classifier) block(b *buffer, v view.View, lo, hi int, out []float64) {
	clear(out)
	var p [model.K]float64
	for _, net := range f.nets {
		b.tape.Reset(false, rng.Stream{})
		z := net.Logits(b.tape, f.in.put(b, v, lo, hi))
		for k := range hi - lo {
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
	Table   *tableHeader    `json:"table,omitempty"`
	Streams []windowHeader  `json:"streams,omitempty"`
	Known   *windowHeader   `json:"known,omitempty"`
	Seeds   int             `json:"seeds"`
}

type tableHeader struct {
	Columns []string `json:"columns"`
	Missing []int32  `json:"missing"`
}

type windowHeader struct {
	Timeframe string   `json:"timeframe"`
	Length    int      `json:"length"`
	Channels  []string `json:"channels"`
	Missing   bool     `json:"missing"`
}

// Encode writes the networks: a header, the scales and the weights, as one
// safetensors file inside an artifact.
func (f *classifier) Encode(w io.Writer) error {
	h := header{Name: f.name, Config: f.config, Seeds: len(f.nets)}
	var tensors []safetensors.Tensor
	scales := func(name string, mean, inv []float32) {
		tensors = append(tensors,
			safetensors.Tensor{Name: name + ".mean", Shape: []int{len(mean)}, Data: mean},
			safetensors.Tensor{Name: name + ".inverse_deviation", Shape: []int{len(inv)}, Data: inv})
	}
	if s := f.in.table; s != nil {
		h.Table = &tableHeader{s.names, s.missing}
		scales("scale", s.mean, s.inv)
	}
	for k, s := range f.in.streams {
		h.Streams = append(h.Streams, windowHeader{s.timeframe, s.length, s.names, s.missing})
		scales(fmt.Sprintf("stream.%d", k), s.mean, s.inv)
	}
	if s := f.in.known; s != nil {
		h.Known = &windowHeader{s.timeframe, s.length, s.names, s.missing}
		scales("known", s.mean, s.inv)
	}
	head, err := json.Marshal(h)
	if err != nil {
		return fmt.Errorf("model/nn: writing a model: %w", err)
	}
	for k, net := range f.nets {
		for _, p := range net.Params() {
			tensors = append(tensors, safetensors.Tensor{Name: fmt.Sprintf("seed.%d.%s", k, p.Name), Shape: p.Shape, Data: p.Value})
		}
	}
	var b bytes.Buffer
	if err := safetensors.Write(&b, tensors, map[string]string{"mlfactory": string(head)}); err != nil {
		return fmt.Errorf("model/nn: writing a model: %w", err)
	}
	if err := model.WriteArtifact(w, kind, version, b.Bytes()); err != nil {
		return fmt.Errorf("model/nn: writing a model: %w", err)
	}
	return nil
}

// decode reads what Encode wrote.
func decode[C any, P config[C]](r io.Reader, name string, input model.Input, uses model.Abilities, def func() C, build builder[C]) (*classifier, error) {
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
	if h.Seeds != c.Seeds {
		return nil, bad("%d networks, want %d", h.Seeds, c.Seeds)
	}
	f := &classifier{name: name, input: input, uses: uses, config: h.Config}
	if f.in, err = h.inputs(file, float32(c.InputClip)); err != nil {
		return nil, bad("%v", err)
	}
	if (f.in.table == nil) && (input == model.InputTable) || (len(f.in.streams) == 0) != (input == model.InputTable) {
		return nil, bad("the inputs are not those of a %q", name)
	}
	for k := range h.Seeds {
		net := build(&cfg, f.in.shape(model.K), rng.New(0))
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

// inputs reads the scales that a header describes.
func (h *header) inputs(file *safetensors.File, clip float32) (*inputs, error) {
	in := &inputs{}
	scales := func(name string, n int, mean, inv *[]float32) (err error) {
		if n == 0 {
			return fmt.Errorf("%s has no columns", name)
		}
		if *mean, err = file.Take(name+".mean", n); err != nil {
			return err
		}
		*inv, err = file.Take(name+".inverse_deviation", n)
		return err
	}
	windows := func(name string, w windowHeader) (*windowScale, error) {
		if w.Length < 1 {
			return nil, fmt.Errorf("%s has windows of %d bars", name, w.Length)
		}
		s := &windowScale{timeframe: w.Timeframe, length: w.Length, names: w.Channels, missing: w.Missing, clip: clip}
		return s, scales(name, len(w.Channels), &s.mean, &s.inv)
	}
	var err error
	if t := h.Table; t != nil {
		in.table = &scale{names: t.Columns, missing: t.Missing, clip: clip}
		for k, j := range t.Missing {
			if j < 0 || int(j) >= len(t.Columns) || k > 0 && j <= t.Missing[k-1] {
				return nil, fmt.Errorf("column %d of %d has missing values", j, len(t.Columns))
			}
		}
		if err = scales("scale", len(t.Columns), &in.table.mean, &in.table.inv); err != nil {
			return nil, err
		}
	}
	for k, w := range h.Streams {
		s, err := windows(fmt.Sprintf("stream.%d", k), w)
		if err != nil {
			return nil, err
		}
		in.streams = append(in.streams, s)
	}
	if h.Known != nil {
		if in.known, err = windows("known", *h.Known); err != nil {
			return nil, err
		}
	}
	return in, nil
}
