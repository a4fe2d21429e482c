package nn

import (
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/mlfactory/mlfactory/model"
	"github.com/mlfactory/mlfactory/model/nn/tape"
	"github.com/mlfactory/mlfactory/model/nn/trainer"
	"github.com/mlfactory/mlfactory/rng"
)

// TabM configures a perceptron that is many (Gorishniy et al. 2025, section 3,
// "TabM"; BatchEnsemble, Wen et al. 2020). Its k members share the weights W of
// each layer and differ in vectors: member m computes s[m]⊙(W·(r[m]⊙x)) + b[m],
// ReLU and dropout. In the first layer r is ±1 at random at the start, all other r
// and s are 1. Each member has a head of its own and learns from its own loss; what
// they predict is averaged: probabilities, not scores. Columns are taken as they
// are, without the embeddings of the variant TabM†.
type TabM struct {
	Common  `yaml:",inline"`
	Members int     `yaml:"members" doc:"members of the ensemble (k)" min:"1" max:"256"`
	Hidden  int     `yaml:"hidden" doc:"units of a layer" min:"1" max:"65536" search:"int 64 1024"`
	Layers  int     `yaml:"layers" doc:"hidden layers" min:"1" max:"64" search:"int 1 4"`
	Dropout float64 `yaml:"dropout" doc:"share of hidden values that are set to zero while training" min:"0" max:"0.95" search:"lin 0 0.5"`
}

// DefaultTabM has the paper's 32 members, two layers and learning rate 0.002, with
// 128 units instead of 512.
func DefaultTabM() TabM {
	c := TabM{Common: DefaultCommon(), Members: 32, Hidden: 128, Layers: 2, Dropout: 0.1}
	c.LearningRate, c.WeightDecay = 2e-3, 3e-4
	return c
}

// ensembleLayer is a layer of all members.
type ensembleLayer struct{ weight, r, s, bias *tape.Param }

// tabm is the network.
type tabm struct {
	cfg    *TabM
	layers []ensembleLayer
	out    linear // of member × output × unit
}

func newTabM(cfg *TabM, in Shape, s rng.Stream) network {
	r, width, k := s.Rand(), in.Table, cfg.Members
	n := &tabm{cfg: cfg}
	for i := range cfg.Layers {
		name := fmt.Sprintf("backbone.%d", i)
		l := ensembleLayer{tape.NewParam(name+".weight", cfg.Hidden, width), tape.NewParam(name+".r", k, width),
			tape.NewParam(name+".s", k, cfg.Hidden), tape.NewParam(name+".bias", k, cfg.Hidden)}
		bound := 1 / math.Sqrt(float64(width))
		uniform(l.weight.Value, bound, r)
		for j := range l.r.Value {
			if l.r.Value[j] = 1; i == 0 && r.IntN(2) == 0 {
				l.r.Value[j] = -1
			}
		}
		for j := range l.s.Value {
			l.s.Value[j] = 1
		}
		sameForAll(l.bias.Value, cfg.Hidden, bound, r)
		for _, p := range []*tape.Param{l.r, l.s, l.bias} {
			p.NoDecay = true
		}
		n.layers = append(n.layers, l)
		width = cfg.Hidden
	}
	n.out = linear{tape.NewParam("output.weight", k, in.Outputs, width), tape.NewParam("output.bias", k, in.Outputs)}
	n.out.bias.NoDecay = true
	bound := 1 / math.Sqrt(float64(width))
	uniform(n.out.weight.Value, bound, r)
	uniform(n.out.bias.Value, bound, r)
	return n
}

// sameForAll draws one row and repeats it.
func sameForAll(v []float32, n int, bound float64, r *rand.Rand) {
	uniform(v[:n], bound, r)
	for i := n; i < len(v); i += n {
		copy(v[i:], v[:n])
	}
}

// Members is the number of rows of Logits for each row.
func (n *tabm) Members() int { return n.cfg.Members }

func (n *tabm) Params() []*tape.Param {
	var p []*tape.Param
	for _, l := range n.layers {
		p = append(p, l.weight, l.r, l.s, l.bias)
	}
	return append(p, n.out.params()...)
}

func (n *tabm) Logits(t *tape.Tape, in *trainer.Batch) *tape.Tensor {
	k := n.cfg.Members
	x := t.Repeat(in.Table, k)
	for _, l := range n.layers {
		x = t.MulSteps(t.Linear(t.MulSteps(x, k, l.r), l.weight, nil), k, l.s)
		x = t.Dropout(t.Apply(t.AddSteps(x, k, l.bias), tape.ReLU), n.cfg.Dropout)
	}
	return t.StepLinear(x, k, n.out.weight, n.out.bias)
}

// tabmEntry is the registry entry of "tabm".
func tabmEntry() model.Entry {
	return entry("tabm", "neural", model.InputTable, model.Abilities{}, "A perceptron of many members that share their weights but for vectors that scale inputs and outputs; each learns from its own loss, probabilities are averaged "+
		"(Gorishniy, Kotelnikov & Babenko 2025; Wen, Tran & Ba 2020).", DefaultTabM, newTabM)
}

var _ trainer.Members = (*tabm)(nil)
