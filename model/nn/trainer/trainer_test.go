package trainer

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/mlfactory/mlfactory/model"
	"github.com/mlfactory/mlfactory/model/nn/tape"
	"github.com/mlfactory/mlfactory/rng"
)

// rowsOf is a source of rows of two values.
type rowsOf [][2]float32

func (s rowsOf) Len() int { return len(s) }

func (s rowsOf) Put(t *tape.Tape, rows []int) *Batch {
	x := t.Blank(len(rows), 2)
	for k, i := range rows {
		copy(x.Row(k), s[i][:])
	}
	return &Batch{Rows: len(rows), Table: x}
}

// small is a network of one hidden layer.
type small struct{ w1, b1, w2, b2 *tape.Param }

func newSmall(hidden int, seed uint64) *small {
	r := rand.New(rand.NewPCG(seed, 2))
	n := &small{tape.NewParam("w1", hidden, 2), tape.NewParam("b1", hidden), tape.NewParam("w2", 2, hidden), tape.NewParam("b2", 2)}
	for _, p := range n.Params() {
		for i := range p.Value {
			p.Value[i] = float32(r.NormFloat64() * 0.7)
		}
	}
	return n
}

func (n *small) Params() []*tape.Param { return []*tape.Param{n.w1, n.b1, n.w2, n.b2} }

func (n *small) Logits(t *tape.Tape, in *Batch) *tape.Tensor {
	return t.Linear(t.Apply(t.Linear(in.Table, n.w1, n.b1), tape.Tanh), n.w2, n.b2)
}

// exclusive has class 1 where the signs differ, which no linear model sees.
func exclusive(n int, seed uint64) Data {
	r := rand.New(rand.NewPCG(seed, 3))
	src, d := make(rowsOf, n), Data{Class: make([]int, n)}
	for i := range src {
		src[i] = [2]float32{float32(r.NormFloat64()), float32(r.NormFloat64())}
		if src[i][0]*src[i][1] < 0 {
			d.Class[i] = 1
		}
	}
	d.Source = src
	return d
}

func config() Config {
	c := Default()
	c.Epochs, c.Patience, c.Batch, c.LearningRate = 30, 0, 100, 0.02
	return c
}

func env(workers int) model.Env { return model.Env{Stream: rng.New(5), Workers: workers} }

func TestLearnsWhatNoLinearModelSees(t *testing.T) {
	rep, err := Fit(context.Background(), env(2), config(), newSmall(12, 1), 2, exclusive(2000, 1), exclusive(1000, 2))
	if err != nil {
		t.Fatal(err)
	}
	if !(rep.Loss < 0.15) {
		t.Errorf("log-loss %v on fresh rows; the prior has %v", rep.Loss, math.Ln2)
	}
}

func TestWeightsDoNotDependOnWorkers(t *testing.T) {
	var want [][]float32
	for _, workers := range []int{1, 2, 4, 7} {
		n := newSmall(12, 1)
		c := config()
		c.Epochs, c.EMA = 3, 0.9
		if _, err := Fit(context.Background(), env(workers), c, n, 2, exclusive(777, 1), exclusive(100, 2)); err != nil {
			t.Fatal(err)
		}
		var got [][]float32
		for _, p := range n.Params() {
			got = append(got, p.Value)
		}
		for i := range want {
			if !slices.Equal(got[i], want[i]) {
				t.Fatalf("%d workers: parameter %d differs", workers, i)
			}
		}
		want = got
	}
}

func TestBestEpochIsKept(t *testing.T) {
	c := config()
	c.Epochs, c.Patience, c.LearningRate, c.FinalRate = 60, 5, 0.1, 1
	train := exclusive(60, 1)
	r := rand.New(rand.NewPCG(9, 9))
	for i := range train.Class { // noise to overfit
		if r.IntN(3) == 0 {
			train.Class[i] = 1 - train.Class[i]
		}
	}
	stop := exclusive(500, 2)
	n := newSmall(40, 1)
	rep, err := Fit(context.Background(), env(1), c, n, 2, train, stop)
	if err != nil {
		t.Fatal(err)
	}
	if rep.Best < 1 || len(rep.Epochs) != rep.Best+5 {
		t.Fatalf("best epoch %d of %d, patience 5", rep.Best, len(rep.Epochs))
	}
	f := &fitter{cfg: c, net: n, env: env(1), shards: 1}
	loss, err := f.loss(context.Background(), stop)
	if err != nil || loss != rep.Loss {
		t.Errorf("the kept weights have loss %v (%v), the report says %v", loss, err, rep.Loss)
	}
}

func TestDivergenceIsAnErrorOrANote(t *testing.T) {
	c := config()
	d := exclusive(300, 1)
	src := d.Source.(rowsOf)
	src[17][0] = float32(math.NaN())
	n := newSmall(8, 1)
	_, err := Fit(context.Background(), env(1), c, n, 2, d, Data{})
	if !errors.Is(err, ErrDiverged) || !strings.Contains(err.Error(), "epoch 1 step") || !strings.Contains(err.Error(), "learning_rate") {
		t.Errorf("error %v", err)
	}
}

// The waves are RealMLP's schedule: at its top at log₂(1+15t) = 1/2, 3/2, 5/2, 7/2
// and at the bottom at 0, 1, 2, 3, 4.
func TestRateOfFourWaves(t *testing.T) {
	f := &fitter{cfg: Config{LearningRate: 2, Schedule: "coslog4"}, steps: 15 * 1024}
	for k := range 5 {
		at := int(1024 * (math.Pow(2, float64(k)) - 1))
		if got := f.rate(at); math.Abs(got) > 1e-12 {
			t.Errorf("step %d: %v, want 0", at, got)
		}
		if top := int(1024 * (math.Pow(2, float64(k)+0.5) - 1)); k < 4 && math.Abs(f.rate(top)-2) > 1e-5 {
			t.Errorf("step %d: %v, want 2", top, f.rate(top))
		}
	}
}

func TestRateWarmsUpAndFalls(t *testing.T) {
	f := &fitter{cfg: Config{LearningRate: 2, Warmup: 0.1, FinalRate: 0.25}, steps: 100}
	for _, c := range []struct {
		step int
		want float64
	}{{0, 0.2}, {4, 1}, {9, 2}, {10, 2}, {55, 2 * (0.25 + 0.75*0.5)}, {100, 0.5}} {
		if got := f.rate(c.step); math.Abs(got-c.want) > 1e-12 {
			t.Errorf("step %d: %v, want %v", c.step, got, c.want)
		}
	}
}

func TestBlocksHoldEachRowOnce(t *testing.T) {
	r := rand.New(rand.NewPCG(4, 4))
	for n := 1; n < 60; n++ {
		rows := blocks(n, 7, r)
		breaks := 0
		for i := 1; i < len(rows); i++ {
			if rows[i] != rows[i-1]+1 {
				breaks++
			}
		}
		if breaks > n/7+1 {
			t.Errorf("%d rows: %d breaks", n, breaks)
		}
		for i := 0; i+7 <= n-12; i += 7 { // at most 12 rows are in short runs, which come last
			if rows[i+6] != rows[i]+6 {
				t.Errorf("%d rows: no block of 7 begins at %d of %v", n, i, rows)
			}
		}
		slices.Sort(rows)
		for i, k := range rows {
			if i != k {
				t.Fatalf("%d rows: %v", n, rows)
			}
		}
	}
}

// nearRows and neighbourly say of small and its rows what those of windows say.
type nearRows struct {
	Source
	near bool
}

func (s nearRows) Near() bool { return s.near }

type neighbourly struct {
	*small
	gains bool
}

func (n neighbourly) Gains() bool { return n.gains }

// The order auto keeps rows together where a network gains by it.
func TestAutoKeepsNeighboursTogether(t *testing.T) {
	for _, c := range []struct {
		near, gains bool
		batch       int
		order       string
		block       int
	}{
		{true, true, 100, "blocks", 16}, {true, true, 10, "blocks", 10}, {false, true, 100, "shuffled", 0}, {true, false, 100, "shuffled", 0},
	} {
		fit := func(order string, block int) []float32 {
			cfg := config()
			cfg.Epochs, cfg.Batch, cfg.Order, cfg.Block = 2, c.batch, order, block
			net := newSmall(6, 1)
			train := exclusive(333, 1)
			train.Source = nearRows{train.Source, c.near}
			if _, err := Fit(context.Background(), env(1), cfg, neighbourly{net, c.gains}, 2, train, Data{}); err != nil {
				t.Fatal(err)
			}
			return net.w1.Value
		}
		if !slices.Equal(fit("auto", 0), fit(c.order, c.block)) {
			t.Errorf("%+v: other weights by auto", c)
		}
	}
	cfg := config()
	f := &fitter{cfg: cfg, net: newSmall(6, 1), train: exclusive(50, 1)}
	if n := f.blockRows(); n != 0 {
		t.Errorf("%d rows of a table stay together", n)
	}
	f.cfg.Loss = "sharpe"
	if n := f.blockRows(); n != cfg.Batch {
		t.Errorf("%d rows stay together where the Sharpe ratio is trained, want %d", n, cfg.Batch)
	}
}

func TestBalancedWeights(t *testing.T) {
	d := Data{Source: make(rowsOf, 4), Class: []int{0, 0, 0, 1}, Weight: []float32{1, 1, 2, 4}}
	f := &fitter{cfg: Config{ClassWeight: "balanced"}, train: d}
	f.weigh(3)
	if a, b := f.weight[0]+f.weight[1]+f.weight[2], f.weight[3]; math.Abs(float64(a-b)) > 1e-6 || math.Abs(float64(a+b)-4) > 1e-6 {
		t.Errorf("weights %v", f.weight)
	}
}

// Every parameter changes the weights that come out.
func TestEveryParameterHasAnEffect(t *testing.T) {
	run := func(change func(*Config)) []float32 {
		c := config()
		c.Epochs, c.Patience = 6, 6
		change(&c)
		n := newSmall(6, 1)
		train := exclusive(150, 1)
		train.Class[0], train.Class[1], train.Class[2] = 0, 0, 0
		if _, err := Fit(context.Background(), env(1), c, n, 2, train, exclusive(40, 2)); err != nil {
			t.Fatal(err)
		}
		return append(slices.Clone(n.w1.Value), n.b2.Value...)
	}
	base := run(func(*Config) {})
	for name, change := range map[string]func(*Config){
		"epochs":          func(c *Config) { c.Epochs = 7 },
		"patience":        func(c *Config) { c.Epochs, c.LearningRate, c.Patience = 60, 3, 1 },
		"batch":           func(c *Config) { c.Batch = 30 },
		"learning_rate":   func(c *Config) { c.LearningRate = 0.01 },
		"weight_decay":    func(c *Config) { c.WeightDecay = 0.5 },
		"beta1":           func(c *Config) { c.Beta1 = 0.5 },
		"beta2":           func(c *Config) { c.Beta2 = 0.9 },
		"epsilon":         func(c *Config) { c.Epsilon = 0.01 },
		"warmup":          func(c *Config) { c.Warmup = 0.5 },
		"final_rate":      func(c *Config) { c.FinalRate = 1 },
		"clip_norm":       func(c *Config) { c.ClipNorm = 1e-9; c.Epsilon = 1e-3 },
		"ema":             func(c *Config) { c.EMA = 0.99 },
		"label_smoothing": func(c *Config) { c.LabelSmoothing = 0.3 },
		"class_weight":    func(c *Config) { c.ClassWeight = "balanced" },
		"order":           func(c *Config) { c.Order = "blocks" },
		"accumulate":      func(c *Config) { c.Accumulate = 2 },
		"schedule":        func(c *Config) { c.Schedule = "coslog4" },
		"loss":            func(c *Config) { c.Loss = "focal" },
	} {
		if slices.Equal(run(change), base) {
			t.Errorf("%s has no effect", name)
		}
	}
	whole := run(func(c *Config) { c.Order = "blocks" })
	if short := run(func(c *Config) { c.Order, c.Block = "blocks", 3 }); slices.Equal(short, whole) {
		t.Error("block has no effect on the order blocks")
	}
}

// counted is small with a buffer: each shard measures its mean input,
// and a parameter with a rate of its own.
type counted struct {
	*small
	mean *tape.Param
}

func (n *counted) Params() []*tape.Param { return append(n.small.Params(), n.mean) }

func (n *counted) Logits(t *tape.Tape, in *Batch) *tape.Tensor {
	if t.Train() {
		s := float32(0)
		for i := range in.Rows {
			s += in.Table.Row(i)[0]
		}
		t.Measure(n.mean, []float32{s / float32(in.Rows)})
	}
	return n.small.Logits(t, in)
}

// Buffers absorb what shards measure, whatever the optimiser is set to, and a
// rate of a parameter's own is a factor.
func TestBuffersAndRates(t *testing.T) {
	d := exclusive(128, 1)
	sum := float32(0)
	for _, r := range d.Source.(rowsOf) {
		sum += r[0]
	}
	n := &counted{newSmall(6, 1), tape.NewParam("mean", 1)}
	n.mean.Absorb = func(x []float32) { n.mean.Value[0] += x[0] }
	n.w1.Rate = 1e-6
	before := slices.Clone(n.w1.Value)
	c := config()
	c.Batch, c.Epochs, c.LearningRate, c.WeightDecay, c.ClipNorm = 128, 3, 10, 0, 1e-3
	if _, err := Fit(context.Background(), env(2), c, n, 2, d, Data{}); err != nil {
		t.Fatal(err)
	}
	if want := 3 * sum / 128; math.Abs(float64(n.mean.Value[0]-want)) > 1e-5 {
		t.Errorf("the buffer is %v, want %v", n.mean.Value[0], want)
	}
	for i, v := range n.w1.Value {
		if d := math.Abs(float64(v - before[i])); d > 1e-4 {
			t.Fatalf("a weight with a rate of a millionth moved by %v", d)
		}
	}
}
