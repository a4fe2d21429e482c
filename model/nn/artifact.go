package nn

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"

	"github.com/mlfactory/mlfactory/model"
	"github.com/mlfactory/mlfactory/model/nn/safetensors"
	"github.com/mlfactory/mlfactory/rng"
)

// kind and version of the artifacts.
const (
	kind    = "network"
	version = 2
)

// header is the part of an artifact that is not weights.
type header struct {
	Name    string          `json:"name"`
	Config  json.RawMessage `json:"config"`
	Table   *tableHeader    `json:"table,omitempty"`
	Streams []windowHeader  `json:"streams,omitempty"`
	Known   *windowHeader   `json:"known,omitempty"`
	Seeds   int             `json:"seeds"`
	Task    *task           `json:"task,omitempty"`
	Curves  []model.Curve   `json:"curves,omitempty"`
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
func (f *predictor) Encode(w io.Writer) error {
	h := header{Name: f.name, Config: f.config, Seeds: len(f.nets), Task: f.task, Curves: f.curves}
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
func decode[C any, P config[C]](r io.Reader, name string, input model.Input, uses model.Abilities, def func() C, build builder[C]) (*predictor, error) {
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
	f := &predictor{name: name, input: input, uses: uses, config: h.Config, task: h.Task, curves: h.Curves}
	if err := f.task.bind(c); err != nil {
		return nil, bad("%v", err)
	}
	if f.in, err = h.inputs(file, c.bound()); err != nil {
		return nil, bad("%v", err)
	}
	if (f.in.table == nil) && (input == model.InputTable) || (len(f.in.streams) == 0) != (input == model.InputTable) {
		return nil, bad("the inputs are not those of a %q", name)
	}
	for k := range h.Seeds {
		net := build(&cfg, f.in.shape(f.task.outputs()), rng.New(0))
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
func (h *header) inputs(file *safetensors.File, b bound) (*inputs, error) {
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
		s := &windowScale{timeframe: w.Timeframe, length: w.Length, names: w.Channels, missing: w.Missing, bound: b}
		return s, scales(name, len(w.Channels), &s.mean, &s.inv)
	}
	var err error
	if t := h.Table; t != nil {
		in.table = &scale{names: t.Columns, missing: t.Missing, bound: b}
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
