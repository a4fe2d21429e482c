package nn

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/mlfactory/mlfactory/model"
	"github.com/mlfactory/mlfactory/model/nn/trainer"
	"github.com/mlfactory/mlfactory/param"
	"github.com/mlfactory/mlfactory/rng"
	"github.com/mlfactory/mlfactory/view"
)

// Common is what the configuration of every architecture contains.
type Common struct {
	trainer.Config `yaml:",inline"`
	InputClip      float64 `yaml:"input_clip" doc:"standardised inputs are cut at plus and minus this; 0 cuts nothing" min:"0" max:"1000"`
	InputScale     string  `yaml:"input_scale" doc:"standard: inputs in deviations from the mean; robust: in distances of the quartiles from the median, with input_clip approached smoothly instead of cut" enum:"standard,robust"`
	Seeds          int     `yaml:"seeds" doc:"networks that are fitted from different starts and averaged" min:"1" max:"100"`
}

// DefaultCommon is the trainer's default, inputs cut at 5 deviations, one seed.
func DefaultCommon() Common {
	return Common{Config: trainer.Default(), InputClip: 5, InputScale: "standard", Seeds: 1}
}

func (c *Common) common() *Common { return c }

// bound is how inputs are scaled and bounded.
func (c *Common) bound() bound { return bound{float32(c.InputClip), c.InputScale == "robust"} }

// config is a pointer to an architecture's configuration.
type config[C any] interface {
	*C
	common() *Common
}

// windowed is a configuration that not every length of windows suits.
type windowed interface{ fits(steps int) error }

// network is a trainer.Network.
type network = trainer.Network

// builder makes a network with weights drawn from a stream.
type builder[C any] func(cfg *C, in Shape, s rng.Stream) network

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
		Presets:   presets(name),
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
	whole, ok := cfg.(interface{ Validate() error }) // an architecture's own, which includes the common one
	if !ok {
		whole = common
	}
	if err := whole.Validate(); err != nil {
		return fmt.Errorf("model/nn: %w", err)
	}
	return nil
}

// Fit trains on the inputs, the targets and the weights of train and stops early on
// those of stop.
func (l *learner[C, P]) Fit(ctx context.Context, env model.Env, train, stop view.View) (model.Fitted, error) {
	train, err := l.take(train)
	if err != nil {
		return nil, err
	}
	rows, err := checkRows(P(&l.cfg).common(), train)
	if err != nil {
		return nil, err
	}
	for _, w := range train.Streams {
		if err := finite(w, rows); err != nil {
			return nil, err
		}
	}
	if w, ok := any(&l.cfg).(windowed); ok {
		for _, x := range train.Streams {
			if err := w.fits(x.Length); err != nil {
				return nil, fmt.Errorf("model/nn: windows of %d bars: %w", x.Length, err)
			}
		}
	}
	c := P(&l.cfg).common()
	s := newInputs(train, rows, c.bound())
	tk, err := newTask(c, train, rows)
	if err != nil {
		return nil, err
	}
	tr := trainer.Data{Source: s.source(train, rows)}
	if err := tk.data(&tr, train, rows); err != nil {
		return nil, fmt.Errorf("model/nn: %w", err)
	}
	var st trainer.Data
	if stop.Len() > 0 {
		if stop, err = l.take(stop); err != nil {
			return nil, fmt.Errorf("model/nn: stop rows: %w", err)
		}
		if err := s.check(stop); err != nil {
			return nil, fmt.Errorf("model/nn: stop rows: %w", err)
		}
		stopRows, err := tk.stopRows(stop)
		if err != nil {
			return nil, err
		}
		st.Source = s.source(stop, stopRows)
		if err := tk.data(&st, stop, stopRows); err != nil {
			return nil, fmt.Errorf("model/nn: stop rows: %w", err)
		}
	}
	f := &predictor{name: l.name, input: l.input, uses: l.uses, in: s, task: tk}
	if f.config, err = json.Marshal(l.cfg); err != nil {
		return nil, fmt.Errorf("model/nn: writing the configuration: %w", err)
	}
	err = f.fit(ctx, env, c, tr, st, func(s rng.Stream) network { return l.build(&l.cfg, f.in.shape(tk.outputs()), s) })
	if err != nil {
		return nil, err
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

// isCancelled reports an error of a context that ended.
func isCancelled(err error) bool {
	return errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}
