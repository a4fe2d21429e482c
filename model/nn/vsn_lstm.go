package nn

import (
	"github.com/mlfactory/mlfactory/model"
	"github.com/mlfactory/mlfactory/model/nn/tape"
	"github.com/mlfactory/mlfactory/model/nn/trainer"
	"github.com/mlfactory/mlfactory/rng"
)

// VSNLSTM configures a variable selection network before a long short-term memory
// (the recurrent part of the temporal fusion transformer, Lim et al. 2021,
// sections 4.2 and 4.5, on its own, as deep momentum networks use it: Lim, Zohren
// and Roberts 2019 for the recurrent network; Wood, Giegerich, Roberts and Zohren
// 2022 for the selection). Every bar's channels are weighed, the sum runs through
// the recurrent layer with a gated way around it, and its last step through a
// linear map. A table, where there is one, gives the selection its context and the
// recurrent layer its first state.
type VSNLSTM struct {
	Common  `yaml:",inline"`
	Width   int     `yaml:"width" doc:"channels of an embedded variable and units of the recurrent layer" min:"1" max:"2048" search:"int 8 64"`
	Dropout float64 `yaml:"dropout" doc:"share of the values that are set to zero while training: before every gate and before the output" min:"0" max:"0.95" search:"lin 0 0.5"`
}

// DefaultVSNLSTM is 16 channels wide.
func DefaultVSNLSTM() VSNLSTM { return VSNLSTM{Common: DefaultCommon(), Width: 16, Dropout: 0.1} }

// vsnLSTM is the network.
type vsnLSTM struct {
	cfg          *VSNLSTM
	steps        int
	static       *selection // nil: no table
	choose       *grn
	hidden, cell *grn
	past         *selection
	lstm         *tape.Recurrent
	around       *gatedSkip
	out          linear
}

func newVSNLSTM(cfg *VSNLSTM, in Shape, s rng.Stream) network {
	r, q, d := s.Rand(), in.Streams[0], cfg.Width
	n := &vsnLSTM{cfg: cfg, steps: q.Steps}
	if in.Table > 0 {
		n.static = newSelection("static_variable_selection", in.Table, d, false, cfg.Dropout, r)
		n.choose = newGRN("static_context_variable_selection", d, false, cfg.Dropout, r)
		n.hidden = newGRN("static_context_initial_hidden_lstm", d, false, cfg.Dropout, r)
		n.cell = newGRN("static_context_initial_cell_lstm", d, false, cfg.Dropout, r)
	}
	n.past = newSelection("variable_selection", q.Channels, d, in.Table > 0, cfg.Dropout, r)
	n.lstm = glorotLSTM("lstm", d, r)
	n.around = newGatedSkip("post_lstm", d, cfg.Dropout, r)
	n.out = glorot("out", d, in.Outputs, r)
	return n
}

func (n *vsnLSTM) Params() []*tape.Param {
	var p []*tape.Param
	if n.static != nil {
		p = append(n.static.params(), n.choose.params()...)
		p = append(append(p, n.hidden.params()...), n.cell.params()...)
	}
	p = append(append(p, n.past.params()...), recurrent{n.lstm}.params()...)
	return append(append(p, n.around.params()...), n.out.params()...)
}

func (n *vsnLSTM) Logits(t *tape.Tape, in *trainer.Batch) *tape.Tensor {
	y, _, _ := n.forward(t, in)
	return y
}

// forward returns the outputs and the weights of the variables of table and
// window.
func (n *vsnLSTM) forward(t *tape.Tape, in *trainer.Batch) (y, static, past *tape.Tensor) {
	if n.static == nil {
		x, past := n.past.apply(t, in.Streams[0], nil, n.steps)
		return n.head(t, x, t.LSTM(x, n.steps, n.lstm)), nil, past
	}
	s, static := n.static.apply(t, in.Table, nil, 1)
	x, past := n.past.apply(t, in.Streams[0], n.choose.apply(t, s, nil, 1), n.steps)
	h, _ := t.LSTMFrom(x, n.steps, n.lstm, n.hidden.apply(t, s, nil, 1), n.cell.apply(t, s, nil, 1))
	return n.head(t, x, h), static, past
}

// head reads the last step of the selected x and the states h.
func (n *vsnLSTM) head(t *tape.Tape, x, h *tape.Tensor) *tape.Tensor {
	return n.out.apply(t, t.Dropout(n.around.apply(t, t.Step(x, n.steps, -1), t.Step(h, n.steps, -1)), n.cfg.Dropout))
}

// vsnLSTMEntry is the registry entry of "vsn_lstm".
func vsnLSTMEntry() model.Entry {
	return entry("vsn_lstm", "recurrent", model.InputWindows, model.Abilities{Static: true}, "Variable selection network before a long short-term memory with a gated way around it (Lim et al. 2021; Wood et al. 2022).",
		DefaultVSNLSTM, newVSNLSTM)
}
