package tape

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/mlfactory/mlfactory/internal/simd"
	"github.com/mlfactory/mlfactory/rng"
)

// everyUse is a network that uses weights in every way in which they are laid out.
type everyUse struct {
	in, add, out, bias *Param
	lstm, upper, gru   *Recurrent
	reach, far, point  Conv
	direction, length  *Param
	aLog, skip, enter  *Param // of a scan of four states
	variables          *Variables
	leave, shares      *Param
	steps, channels    int
}

func newEveryUse(r *rand.Rand) *everyUse {
	n := &everyUse{steps: 6, channels: 20}
	param := func(shape ...int) *Param {
		p := NewParam("p", shape...)
		copy(p.Value, draw(r, len(p.Value), 0.2))
		return p
	}
	c := n.channels
	n.in, n.add, n.out, n.bias = param(c, c), param(c, c), param(c, c), param(c)
	n.lstm, n.upper, n.gru = layerOf(r, 4, c, 24), layerOf(r, 4, 24, 24), layerOf(r, 3, 24, c)
	n.reach = Conv{Weight: param(c, c, 3), Left: 2}
	n.far = Conv{Weight: param(c, c/2, 3), Left: 4, Dilation: 2, Groups: 2}
	n.point = Conv{Weight: param(c, c, 1)}
	n.direction, n.length = param(c, c, 3), param(c, 1, 1)
	n.aLog, n.skip, n.enter = param(c, 4), param(c), param(4, c)
	n.variables, n.leave, n.shares = variablesOf(c, 5, param), param(c, 5), param(c, 5*c)
	return n
}

// variablesOf is the parameters of so many variables in d channels.
func variablesOf(vars, d int, param func(shape ...int) *Param) *Variables {
	return &Variables{
		Embed: param(vars, d), EmbedBias: param(vars, d), Fc1: param(vars, d, d), Fc1Bias: param(vars, d), Fc2: param(vars, d, d), Fc2Bias: param(vars, d),
		Gate: param(vars, 2*d, d), GateBias: param(vars, 2*d), Gain: param(vars, d), Bias: param(vars, d),
	}
}

func (n *everyUse) params() []*Param {
	ps := []*Param{n.in, n.add, n.out, n.bias, n.reach.Weight, n.far.Weight, n.point.Weight, n.direction, n.length, n.aLog, n.skip, n.enter, n.leave, n.shares}
	ps = append(ps, n.variables.Params()...)
	for _, l := range []*Recurrent{n.lstm, n.upper, n.gru} {
		ps = append(ps, l.InputWeight, l.HiddenWeight, l.InputBias, l.HiddenBias)
	}
	return ps
}

// run is the output and, in training, the gradients of all parameters.
func (n *everyUse) run(t *Tape, x []float32, samples int, train bool) []float32 {
	for _, p := range n.params() {
		p.Shards(1)
	}
	t.Reset(train, rng.New(1))
	y := t.Input(samples*n.steps, n.channels, x)
	y = t.Linear(y, n.in, n.bias)
	y = t.LinearApply(y, n.out, n.bias, ReLU)
	y = t.LinearAdd(y, n.add, n.bias, y)
	y = t.Conv(y, n.steps, &n.reach, None)
	y = t.Conv(y, n.steps, &n.far, None)
	y = t.Conv(y, n.steps, &n.point, None)
	y = t.Conv(y, n.steps, &Conv{Weight: t.WeightNorm(n.direction, n.length), Left: 2}, None)
	y = t.SelectiveScan(y, t.Linear(y, n.in, nil), t.Linear(y, n.enter, nil), t.Linear(y, n.enter, nil), n.steps, n.aLog, n.skip)
	y = t.Linear(t.SelectVariables(y, t.Softmax(t.EmbeddedLinear(y, n.variables, n.shares, n.bias)), n.variables, 1e-5, 0), n.leave, n.bias)
	y = t.LSTM(y, n.steps, n.lstm)
	y = t.LSTM(y, n.steps, n.upper)
	y = t.GRULast(y, n.steps, n.gru)
	y = t.Linear(y, n.out, n.bias) // of a few rows
	all := slices.Clone(y.Value)
	if train {
		t.CrossEntropy(y, make([]int, samples), nil, 0, 1)
		t.Backward()
		for _, p := range n.params() {
			all = append(all, p.ShardGrad(0)...)
		}
	}
	return all
}

// A tape that keeps what it makes of weights has the bits of one that does not,
// however often they are used and change, on every kernel path.
func TestKeepingHasNoEffectOnBits(t *testing.T) {
	r := rand.New(rand.NewPCG(14, 1))
	n := newEveryUse(r)
	kept := New(0)
	kept.Keep()
	uses := 0
	for change := range 4 {
		for _, path := range simd.Supported() {
			t.Run(path.String(), func(t *testing.T) {
				simd.Force(t, path)
				for pass := range 6 {
					samples := []int{9, 8, 3, 1, 17, 9}[pass]
					x, train := draw(r, samples*n.steps*n.channels, 1), pass%3 != 1
					if got, want := n.run(kept, x, samples, train), n.run(New(0), x, samples, train); !slices.Equal(got, want) {
						t.Fatalf("change %d, pass %d of %d samples: other bits", change, pass, samples)
					}
				}
			})
		}
		if change > 0 && len(kept.keeps) != uses {
			t.Errorf("change %d: %d uses are kept, were %d", change, len(kept.keeps), uses)
		}
		uses = len(kept.keeps)
		for _, p := range n.params() {
			copy(p.Value, draw(r, len(p.Value), 0.2))
			p.Changed()
		}
	}
}

// Without word of it, a change goes unseen: layouts are kept indeed.
func TestKeptUntilChanged(t *testing.T) {
	r := rand.New(rand.NewPCG(15, 1))
	const rows, in, out, steps = 32, 20, 20, 8
	w, l, x := NewParam("w", out, in), layerOf(r, 4, in, 16), draw(r, rows*in, 1)
	c := Conv{Weight: NewParam("c", out, in, 3), Left: 2}
	param := func(shape ...int) *Param {
		p := NewParam("p", shape...)
		copy(p.Value, draw(r, len(p.Value), 0.2))
		return p
	}
	aLog, skip, variables, shares, bias := param(in, in), param(in), variablesOf(in, 5, param), param(out, 5*in), param(out)
	kept := New(0)
	kept.Keep()
	for name, f := range map[string]struct {
		p  *Param
		op func(t *Tape, x *Tensor) *Tensor
	}{
		"linear":     {w, func(t *Tape, x *Tensor) *Tensor { return t.Linear(x, w, nil) }},
		"lstm":       {l.InputWeight, func(t *Tape, x *Tensor) *Tensor { return t.LSTM(x, steps, l) }},
		"bias":       {l.HiddenBias, func(t *Tape, x *Tensor) *Tensor { return t.LSTM(x, steps, l) }},
		"conv":       {c.Weight, func(t *Tape, x *Tensor) *Tensor { return t.Conv(x, steps, &c, None) }},
		"a row":      {w, func(t *Tape, x *Tensor) *Tensor { return t.Linear(t.Step(x, rows, 0), w, nil) }},
		"scan":       {aLog, func(t *Tape, x *Tensor) *Tensor { return t.SelectiveScan(x, x, x, x, steps, aLog, skip) }},
		"variables":  {variables.Gate, func(t *Tape, x *Tensor) *Tensor { return t.SelectVariables(x, x, variables, 1e-5, 0) }},
		"their bias": {variables.Fc1Bias, func(t *Tape, x *Tensor) *Tensor { return t.SelectVariables(x, x, variables, 1e-5, 0) }},
		"embedding":  {variables.EmbedBias, func(t *Tape, x *Tensor) *Tensor { return t.EmbeddedLinear(x, variables, shares, bias) }},
		"its map":    {shares, func(t *Tape, x *Tensor) *Tensor { return t.EmbeddedLinear(x, variables, shares, bias) }},
	} {
		run := func() []float32 {
			kept.Reset(false, rng.Stream{})
			return slices.Clone(f.op(kept, kept.Input(rows, in, x)).Value)
		}
		for range oftenUsed {
			run()
		}
		before := run()
		f.p.Value[0]++
		if !slices.Equal(run(), before) {
			t.Errorf("%s: the layout was not kept", name)
		}
		f.p.Changed()
		if slices.Equal(run(), before) {
			t.Errorf("%s: the layout was not made anew", name)
		}
	}
}
