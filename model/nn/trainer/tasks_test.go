package trainer

import (
	"context"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/mlfactory/mlfactory/model/nn/tape"
	"github.com/mlfactory/mlfactory/rng"
)

// outputs is small with another number of outputs.
func outputs(hidden, k int, seed uint64) *small {
	n := newSmall(hidden, seed)
	r := rand.New(rand.NewPCG(seed, 4))
	n.w2, n.b2 = tape.NewParam("w2", k, hidden), tape.NewParam("b2", k)
	for i := range n.w2.Value {
		n.w2.Value[i] = float32(r.NormFloat64() * 0.3)
	}
	return n
}

// targets is a target of |x₀| with noise that grows with |x₁|.
func targets(n int, seed uint64) Data {
	r := rand.New(rand.NewPCG(seed, 13))
	src, d := make(rowsOf, n), Data{Target: make([]float32, n)}
	for i := range src {
		src[i] = [2]float32{float32(r.NormFloat64()), float32(r.NormFloat64())}
		d.Target[i] = float32(math.Abs(float64(src[i][0])) - 0.8 + r.NormFloat64()*0.3*(0.1+math.Abs(float64(src[i][1]))))
	}
	d.Source = src
	return d
}

// forward is a network's outputs for all rows.
func forward(net Network, d Data) *tape.Tensor {
	t := tape.New(0)
	t.Reset(false, rng.Stream{})
	rows := make([]int, d.Source.Len())
	for i := range rows {
		rows[i] = i
	}
	return net.Logits(t, d.Source.Put(t, rows))
}

func TestRegressionsLearn(t *testing.T) {
	for _, loss := range []string{"mse", "huber"} {
		c := config()
		c.Task, c.Loss, c.HuberDelta = "regression", loss, 0.5
		net := outputs(16, 1, 1)
		rep, err := Fit(context.Background(), env(2), c, net, 0, targets(2000, 1), targets(500, 2))
		if err != nil {
			t.Fatal(err)
		}
		test := targets(2000, 3)
		z, sum := forward(net, test), 0.0
		for i, y := range test.Target {
			sum += math.Pow(float64(z.Value[i]-y), 2) / 2000
		}
		// The noise has a variance of 0.09·(0.01 + 0.2·0.8 + 1) = 0.105, the target 0.47.
		if sum > 0.13 || rep.Loss > 0.13 {
			t.Errorf("%s: squared error %v, stop loss %v", loss, sum, rep.Loss)
		}
	}
}

// The share of targets below each quantile is its level.
func TestQuantilesCover(t *testing.T) {
	c := config()
	c.Task, c.Quantiles, c.Epochs = "quantiles", []float64{0.1, 0.5, 0.8}, 40
	net := outputs(24, 3, 1)
	if _, err := Fit(context.Background(), env(2), c, net, 0, targets(4000, 1), targets(1000, 2)); err != nil {
		t.Fatal(err)
	}
	test := targets(4000, 3)
	z := forward(net, test)
	var below [3]float64
	var wide, narrow [2]float64
	for i, y := range test.Target {
		for j := range below {
			if y < z.Row(i)[j] {
				below[j] += 1.0 / 4000
			}
		}
		band := float64(z.Row(i)[2] - z.Row(i)[0])
		if x := test.Source.(rowsOf)[i][1]; math.Abs(float64(x)) > 1 {
			wide[0] += band
			wide[1]++
		} else if math.Abs(float64(x)) < 0.3 {
			narrow[0] += band
			narrow[1]++
		}
	}
	for j, q := range c.Quantiles {
		if math.Abs(below[j]-q) > 0.04 { // three standard errors are 0.024
			t.Errorf("%v of the targets are below the quantile at %v", below[j], q)
		}
	}
	if wide[0]/wide[1] < 2*narrow[0]/narrow[1] {
		t.Errorf("the band is %v where the noise is large and %v where it is small", wide[0]/wide[1], narrow[0]/narrow[1])
	}
}

func TestBinaryLearns(t *testing.T) {
	for _, loss := range []string{"auto", "focal"} {
		c := config()
		c.Task, c.Loss = "binary", loss
		rep, err := Fit(context.Background(), env(2), c, outputs(12, 1, 1), 2, exclusive(2000, 1), exclusive(1000, 2))
		if err != nil {
			t.Fatal(err)
		}
		if !(rep.Loss < 0.25) {
			t.Errorf("%s: log-loss %v on fresh rows; the prior has %v", loss, rep.Loss, math.Ln2)
		}
	}
}

// trending is a market whose return, of deviation 0.01, is forecast by x₀.
func trending(n int, seed uint64) Data {
	r := rand.New(rand.NewPCG(seed, 17))
	src, d := make(rowsOf, n), Data{Target: make([]float32, n), Class: make([]int, n)}
	signal := 0.0
	for i := range src {
		signal = 0.7*signal + 0.7*r.NormFloat64()
		src[i] = [2]float32{float32(signal), float32(r.NormFloat64())}
		d.Target[i] = float32(0.01 * (0.3*signal + r.NormFloat64()))
		d.Class[i] = r.IntN(3)
	}
	d.Source = src
	return d
}

// Positions by the Sharpe loss earn more than always long, and trade less when it
// costs more.
func TestSharpeLearnsToTrade(t *testing.T) {
	fit := func(task string, outs int, cost float64) (loss, turnover float64) {
		c := config()
		c.Task, c.Loss, c.Order, c.SharpeCost, c.Epochs, c.Batch = task, "sharpe", "blocks", cost, 15, 250
		net := outputs(8, outs, 1)
		rep, err := Fit(context.Background(), env(2), c, net, 3, trending(4000, 1), trending(2000, 2))
		if err != nil {
			t.Fatal(err)
		}
		tp := tape.New(0)
		test := trending(2000, 3)
		p := tp.Position(forward(net, test), 2000)
		held := 0.0
		for i := 1; i < 2000; i++ {
			turnover += math.Abs(float64(p.Value[i] - p.Value[i-1]))
			held += math.Abs(float64(p.Value[i]))
		}
		return rep.Loss, turnover / held
	}
	for task, outs := range map[string]int{"classes": 3, "regression": 1} {
		free, much := fit(task, outs, 0)
		dear, little := fit(task, outs, 0.003)
		// Holding sign(x₀) earns 0.3·0.98·√(2/π) = 0.23 of a deviation a row.
		if free > -0.18 {
			t.Errorf("%s: Sharpe ratio %v without cost, want 0.2", task, -free)
		}
		if dear > -0.05 || dear < free || little > 0.95*much {
			t.Errorf("%s: Sharpe ratio %v with cost and %v without, turnover %v and %v", task, -dear, -free, little, much)
		}
	}
}

func TestSharpeDoesNotDependOnWorkers(t *testing.T) {
	var want []float32
	for _, workers := range []int{1, 2, 4} {
		c := config()
		c.Loss, c.Order, c.Epochs = "sharpe", "blocks", 3
		net := outputs(8, 3, 1)
		if _, err := Fit(context.Background(), env(workers), c, net, 3, trending(500, 1), trending(300, 2)); err != nil {
			t.Fatal(err)
		}
		if want != nil && !slices.Equal(net.w1.Value, want) {
			t.Fatalf("%d workers: other weights", workers)
		}
		want = net.w1.Value
	}
}

// Parameters of the losses have an effect.
func TestLossParametersHaveAnEffect(t *testing.T) {
	run := func(change func(*Config), outs int, d Data) []float32 {
		c := config()
		c.Epochs = 2
		change(&c)
		n := outputs(6, outs, 1)
		if _, err := Fit(context.Background(), env(1), c, n, 3, d, Data{}); err != nil {
			t.Fatal(err)
		}
		return n.w1.Value
	}
	for name, c := range map[string]struct {
		a, b func(*Config)
		outs int
		data Data
	}{
		"focal_gamma": {func(c *Config) { c.Loss = "focal" }, func(c *Config) { c.Loss, c.FocalGamma = "focal", 1 }, 3, exclusive(150, 1)},
		"huber_delta": {func(c *Config) { c.Task, c.Loss = "regression", "huber" }, func(c *Config) { c.Task, c.Loss, c.HuberDelta = "regression", "huber", 0.2 }, 1, targets(150, 1)},
		"sharpe_cost": {func(c *Config) { c.Loss, c.Order = "sharpe", "blocks" }, func(c *Config) { c.Loss, c.Order, c.SharpeCost = "sharpe", "blocks", 0.01 }, 3, trending(150, 1)},
		"quantiles":   {func(c *Config) { c.Task = "quantiles" }, func(c *Config) { c.Task, c.Quantiles = "quantiles", []float64{0.1, 0.5, 0.8} }, 3, targets(150, 1)},
		"task":        {func(c *Config) { c.Task = "quantiles" }, func(c *Config) {}, 3, func() Data { d := targets(150, 1); d.Class = make([]int, 150); return d }()},
	} {
		if slices.Equal(run(c.a, c.outs, c.data), run(c.b, c.outs, c.data)) {
			t.Errorf("%s has no effect", name)
		}
	}
}

func TestValidateNamesTheKey(t *testing.T) {
	for want, change := range map[string]func(*Config){
		"loss: mse is no":       func(c *Config) { c.Loss = "mse" },
		"loss: sharpe is":       func(c *Config) { c.Task, c.Loss, c.Order = "binary", "sharpe", "blocks" },
		"order: ":               func(c *Config) { c.Loss, c.Order = "sharpe", "shuffled" },
		"accumulate: ":          func(c *Config) { c.Loss, c.Order, c.Accumulate = "sharpe", "blocks", 2 },
		"block: the order auto": func(c *Config) { c.Block = 8 },
		"block: a block of":     func(c *Config) { c.Order, c.Block = "blocks", c.Batch+1 },
		"block: the Sharpe":     func(c *Config) { c.Loss, c.Order, c.Block = "sharpe", "blocks", 8 },
		"quantiles: level":      func(c *Config) { c.Quantiles = []float64{0.5, 0.5} },
		"quantiles: the":        func(c *Config) { c.Task, c.Quantiles = "quantiles", nil },
		"label_smoothing: ":     func(c *Config) { c.Loss, c.LabelSmoothing = "focal", 0.1 },
		"class_weight: ":        func(c *Config) { c.Task, c.ClassWeight = "regression", "balanced" },
		"task: ":                func(c *Config) { c.Task = "ranks" },
		"quantiles.1: ":         func(c *Config) { c.Quantiles = []float64{0.5, 1.5} },
	} {
		c := Default()
		change(&c)
		if err := c.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", want, err)
		}
	}
	for _, c := range []struct {
		task, loss string
		outputs    int
	}{{"classes", "cross_entropy", 3}, {"binary", "cross_entropy", 1}, {"regression", "mse", 1}, {"quantiles", "quantile", 3}} {
		x := Default()
		x.Task = c.task
		if err := x.Validate(); err != nil || x.Trained() != c.loss || x.Outputs(3) != c.outputs {
			t.Errorf("%s: loss %s, %d outputs, %v", c.task, x.Trained(), x.Outputs(3), err)
		}
	}
}

// Class weights and row weights count in what stops the training too.
func TestStopLossIsWeighted(t *testing.T) {
	c := config()
	c.Epochs, c.ClassWeight = 2, "balanced"
	train, stop := exclusive(300, 1), exclusive(200, 2)
	for i := range 100 {
		train.Class[i] = 0
	}
	stop.Weight = make([]float32, 200)
	for i := range stop.Weight {
		stop.Weight[i] = float32(1 + i%3)
	}
	var counts [2]float64
	for _, y := range train.Class {
		counts[y]++
	}
	net := newSmall(6, 1)
	rep, err := Fit(context.Background(), env(1), c, net, 2, train, stop)
	if err != nil {
		t.Fatal(err)
	}
	z, sum, total := forward(net, stop), 0.0, 0.0
	for i, y := range stop.Class {
		w := float64(stop.Weight[i]) * 300 / (2 * counts[y])
		sum += w * math.Log1p(math.Exp(float64(z.Row(i)[1-y]-z.Row(i)[y])))
		total += w
	}
	if math.Abs(rep.Loss-sum/total) > 1e-6 {
		t.Errorf("stop loss %v, want %v", rep.Loss, sum/total)
	}
}
