package nn

import (
	"github.com/mlfactory/mlfactory/model"
	"github.com/mlfactory/mlfactory/model/nn/tape"
	"github.com/mlfactory/mlfactory/model/nn/trainer"
	"github.com/mlfactory/mlfactory/rng"
)

// TFT configures the temporal fusion transformer of Lim et al. (2021, figure 2).
// The bars of the window are its observed past; a table, where there is one, its
// static covariates; the known future, where there is one, the inputs of its
// decoder. Each kind goes through a variable selection network; four contexts of
// the static covariates steer the selection, the enrichment and the first state of
// the recurrent layer; a recurrent encoder and decoder, static enrichment,
// interpretable attention of several heads that share their values, and a gated
// feed-forward network follow, each with a gated way around it.
//
// The paper forecasts every step of the future. A decision has one outcome, known
// after all of them: the output is that of the last step of the future, or of the
// window where nothing of the future is known. So only this step asks the
// attention; it sees all steps, as the paper's mask lets it. The outputs are those
// of the task: classes, a value, or quantiles as in the paper.
type TFT struct {
	Common           `yaml:",inline"`
	Heads            int     `yaml:"heads" doc:"heads of attention" min:"1" max:"64" search:"int 1 8"`
	HeadWidth        int     `yaml:"head_width" doc:"channels of a head; the model is heads × head_width wide" min:"1" max:"512" search:"int 2 16"`
	Dropout          float64 `yaml:"dropout" doc:"share of the values that are set to zero while training: before every gate" min:"0" max:"0.95" search:"lin 0 0.5"`
	AttentionDropout float64 `yaml:"attention_dropout" doc:"share of the attention weights that are set to zero while training" min:"0" max:"0.95" search:"lin 0 0.3"`
}

// DefaultTFT has four heads, as the paper's models, and 16 channels where they
// have 160 and more, for windows of tens of noisy channels.
func DefaultTFT() TFT {
	return TFT{Common: DefaultCommon(), Heads: 4, HeadWidth: 4, Dropout: 0.1}
}

// tft is the network.
type tft struct {
	cfg          *TFT
	steps, ahead int // of the window, of the known future
	width        int

	static            *selection // nil: no static covariates
	choose, enrich    *grn       // contexts c_s and c_e
	hidden, cell      *grn       // contexts c_h and c_c
	past, known       *selection
	encode, decode    *tape.Recurrent
	afterLSTM         *gatedSkip
	enrichment        *grn
	query, key, value linear
	join              linear
	afterAttention    *gatedSkip
	feed              *grn
	beforeOut         *gatedSkip
	out               linear
	parts             []interface{ params() []*tape.Param } // in the order of the figure
}

func newTFT(cfg *TFT, in Shape, s rng.Stream) network {
	r, q, d := s.Rand(), in.Streams[0], cfg.Heads*cfg.HeadWidth
	n := &tft{cfg: cfg, steps: q.Steps, ahead: in.Known.Steps, width: d}
	static := in.Table > 0
	if static {
		n.static = newSelection("static_variable_selection", in.Table, d, false, cfg.Dropout, r)
		n.choose = newGRN("static_context_variable_selection", d, false, cfg.Dropout, r)
		n.hidden = newGRN("static_context_initial_hidden_lstm", d, false, cfg.Dropout, r)
		n.cell = newGRN("static_context_initial_cell_lstm", d, false, cfg.Dropout, r)
		n.enrich = newGRN("static_context_enrichment", d, false, cfg.Dropout, r)
		n.add(n.static, n.choose, n.hidden, n.cell, n.enrich)
	}
	n.past = newSelection("encoder_variable_selection", q.Channels, d, static, cfg.Dropout, r)
	n.encode = glorotLSTM("lstm_encoder", d, r)
	n.add(n.past, recurrent{n.encode})
	if n.ahead > 0 {
		n.known = newSelection("decoder_variable_selection", in.Known.Channels, d, static, cfg.Dropout, r)
		n.decode = glorotLSTM("lstm_decoder", d, r)
		n.add(n.known, recurrent{n.decode})
	}
	n.afterLSTM = newGatedSkip("post_lstm", d, cfg.Dropout, r)
	n.enrichment = newGRN("static_enrichment", d, static, cfg.Dropout, r)
	n.query, n.key = glorot("multihead_attn.q", d, d, r), glorot("multihead_attn.k", d, d, r)
	n.value, n.join = glorot("multihead_attn.v", d, cfg.HeadWidth, r), glorot("multihead_attn.out", cfg.HeadWidth, d, r)
	n.afterAttention = newGatedSkip("post_attn", d, cfg.Dropout, r)
	n.feed = newGRN("pos_wise_ff", d, false, cfg.Dropout, r)
	n.beforeOut = newGatedSkip("pre_output", d, 0, r)
	n.out = glorot("output_layer", d, in.Outputs, r)
	n.add(n.afterLSTM, n.enrichment, n.query, n.key, n.value, n.join, n.afterAttention, n.feed, n.beforeOut, n.out)
	return n
}

func (n *tft) add(parts ...interface{ params() []*tape.Param }) { n.parts = append(n.parts, parts...) }

func (n *tft) Params() []*tape.Param {
	var p []*tape.Param
	for _, part := range n.parts {
		p = append(p, part.params()...)
	}
	return p
}

// tftWeights are what can be read from a pass: how much each variable counted, a
// row for each row or step, and how much the last step attended to each.
type tftWeights struct {
	static, past, known *tape.Tensor
	attention           tape.Weights
}

func (n *tft) Logits(t *tape.Tape, in *trainer.Batch) *tape.Tensor {
	y, _ := n.forward(t, in)
	return y
}

func (n *tft) forward(t *tape.Tape, in *trainer.Batch) (*tape.Tensor, tftWeights) {
	var w tftWeights
	// Static covariates and their contexts.
	var choose, enrich *tape.Tensor
	h, c := t.Zeros(in.Rows, n.width), t.Zeros(in.Rows, n.width)
	if n.static != nil {
		var x *tape.Tensor
		x, w.static = n.static.apply(t, in.Table, nil, 1)
		choose, enrich = n.choose.apply(t, x, nil, 1), n.enrich.apply(t, x, nil, 1)
		h, c = n.hidden.apply(t, x, nil, 1), n.cell.apply(t, x, nil, 1)
	}
	// Past and future, selected and in order.
	x, steps := (*tape.Tensor)(nil), n.steps
	x, w.past = n.past.apply(t, in.Streams[0], choose, n.steps)
	y, c := t.LSTMFrom(x, n.steps, n.encode, h, c)
	if n.known != nil {
		var future *tape.Tensor
		future, w.known = n.known.apply(t, in.Known, choose, n.ahead)
		z, _ := t.LSTMFrom(future, n.ahead, n.decode, t.Step(y, n.steps, -1), c)
		x, y = t.Join(x, n.steps, future, n.ahead), t.Join(y, n.steps, z, n.ahead)
		steps += n.ahead
	}
	local := n.afterLSTM.apply(t, x, y)
	// From here on a step asks for itself: the last.
	rich := n.enrichment.apply(t, local, enrich, steps)
	last := t.Step(rich, steps, -1)
	width := n.cfg.HeadWidth
	y, w.attention = t.Attend(tape.Attention{
		Q:     tape.Heads{X: n.query.apply(t, last), Stride: width, Dim: width},
		K:     tape.Heads{X: n.key.apply(t, rich), Stride: width, Dim: width},
		V:     tape.Heads{X: n.value.apply(t, rich), Dim: width},
		Heads: n.cfg.Heads, QuerySteps: 1, KeySteps: steps, Mean: true, Dropout: n.cfg.AttentionDropout,
	})
	y = n.afterAttention.apply(t, last, n.join.apply(t, y))
	y = n.beforeOut.apply(t, t.Step(local, steps, -1), n.feed.apply(t, y, nil, 1))
	return n.out.apply(t, y), w
}

// recurrent lists the parameters of a layer.
type recurrent struct{ *tape.Recurrent }

func (l recurrent) params() []*tape.Param {
	return []*tape.Param{l.InputWeight, l.HiddenWeight, l.InputBias, l.HiddenBias}
}

// tftEntry is the registry entry of "tft".
func tftEntry() model.Entry {
	return entry("tft", "attention", model.InputWindows, model.Abilities{Static: true, Known: true}, "Temporal fusion transformer: variable selection for past, static and known future inputs, recurrent encoder and decoder, "+
		"interpretable attention, gates around each (Lim et al. 2021).", DefaultTFT, newTFT)
}
