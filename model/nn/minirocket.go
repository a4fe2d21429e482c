package nn

import (
	"fmt"
	"math"
	"slices"

	"github.com/mlfactory/mlfactory/model"
	"github.com/mlfactory/mlfactory/model/nn/tape"
	"github.com/mlfactory/mlfactory/model/nn/trainer"
	"github.com/mlfactory/mlfactory/param"
	"github.com/mlfactory/mlfactory/rng"
)

// MiniRocket configures MINIROCKET (Dempster, Schmidt and Webb 2021) for several
// channels. Nothing of it is trained but a linear map: the features are the
// shares of a window's bars at which a convolution exceeds a bias. There are 84
// kernels of nine taps, all with three taps of 2 and six of −1 (section 3.1.2 of
// the paper); each is dilated by up to max_dilations factors, exponentially from
// 1 to (bars−1)/8 (3.1.4); each kernel and dilation sums up to nine channels
// drawn at random (the authors' multivariate form); the biases are quantiles,
// along the golden ratio, of the convolution of a training window drawn at
// random (3.1.3); every second kernel leaves the padded bars out (3.1.5).
//
// Features are scaled by the training rows and a linear map from zero is trained
// on them, as the paper does where rows are many (section 3.3); rows of training
// and stopping are kept as features, a byte each up to windows of 255 bars.
type MiniRocket struct {
	Common       `yaml:",inline"`
	Features     int `yaml:"features" doc:"features, rounded down to a multiple of the 84 kernels" min:"84" max:"100000"`
	MaxDilations int `yaml:"max_dilations" doc:"most dilations of a kernel" min:"1" max:"64"`
}

// DefaultMiniRocket is the paper's 9,996 features, and its step size of 1e-4.
func DefaultMiniRocket() MiniRocket {
	c := MiniRocket{Common: DefaultCommon(), Features: 9996, MaxDilations: 32}
	c.LearningRate = 1e-4
	return c
}

const (
	rocketTaps    = 9
	rocketKernels = 84 // ways to choose three of nine
)

func (c *MiniRocket) fits(steps int) error {
	if steps < rocketTaps {
		return &param.Error{Path: "features", Problem: fmt.Sprintf("kernels of %d taps need windows of as many bars", rocketTaps)}
	}
	return nil
}

// rocketDilations are the dilations for windows of so many bars and the number
// of features of each kernel with each.
func rocketDilations(steps, features, most int) (dilations, counts []int) {
	perKernel := features / rocketKernels
	n := min(perKernel, most)
	top := math.Log2(float64(steps-1) / (rocketTaps - 1))
	for k := range n {
		at := 0.0
		if n > 1 {
			at = top * float64(k) / float64(n-1)
		}
		d := int(math.Pow(2, at))
		if len(dilations) == 0 || dilations[len(dilations)-1] != d {
			dilations, counts = append(dilations, d), append(counts, 0)
		}
		counts[len(counts)-1]++
	}
	left := perKernel
	for i, c := range counts {
		counts[i] = int(float64(c) * (float64(perKernel) / float64(n)))
		left -= counts[i]
	}
	for i := 0; left > 0; i, left = (i+1)%len(counts), left-1 {
		counts[i]++
	}
	return dilations, counts
}

// rocketKernel is the places of the three taps of 2 in each kernel, in
// lexicographic order.
func rocketKernel() (k [rocketKernels][3]int) {
	i := 0
	for a := range rocketTaps {
		for b := a + 1; b < rocketTaps; b++ {
			for c := b + 1; c < rocketTaps; c++ {
				k[i] = [3]int{a, b, c}
				i++
			}
		}
	}
	return k
}

// miniRocket is the network.
type miniRocket struct {
	steps, channels int
	dilations       []int
	counts          []int // features of each kernel with a dilation
	width           int
	kernels         [rocketKernels][3]int
	// Buffers: channels of each dilation and kernel (−1: no more), the bias, mean
	// and inverse deviation of each feature.
	use, biases, mean, inverse *tape.Param
	out                        linear
}

func newMiniRocket(cfg *MiniRocket, in Shape, s rng.Stream) network {
	n := &miniRocket{steps: in.Streams[0].Steps, channels: in.Streams[0].Channels, kernels: rocketKernel()}
	n.dilations, n.counts = rocketDilations(n.steps, cfg.Features, cfg.MaxDilations)
	for _, c := range n.counts {
		n.width += rocketKernels * c
	}
	buffer := func(name string, shape ...int) *tape.Param {
		p := tape.NewParam(name, shape...)
		p.Absorb = func([]float32) {}
		return p
	}
	combinations := rocketKernels * len(n.dilations)
	n.use = buffer("features.channels", combinations, min(n.channels, rocketTaps))
	n.biases, n.mean, n.inverse = buffer("features.biases", n.width), buffer("features.mean", n.width), buffer("features.inverse_deviation", n.width)
	r := s.Rand()
	for k := range combinations {
		row := n.use.Value[k*n.use.Shape[1] : (k+1)*n.use.Shape[1]]
		count := int(math.Exp2(r.Float64() * math.Log2(float64(len(row)+1))))
		order := r.Perm(n.channels)[:max(1, min(count, len(row)))]
		for i := range row {
			row[i] = -1
			if i < len(order) {
				row[i] = float32(order[i])
			}
		}
	}
	n.out = newLinear("head", n.width, in.Outputs, r)
	clear(n.out.weight.Value)
	clear(n.out.bias.Value)
	n.out.bias.Rate = 100 // thousands of weights share what a bias does alone
	return n
}

func (n *miniRocket) Params() []*tape.Param {
	return append([]*tape.Param{n.use, n.biases, n.mean, n.inverse}, n.out.params()...)
}

// convolve is the convolution of a window (steps × channels) by a dilation and a
// kernel, and the number of bars on either side that its features leave out. It
// lies in work, which has room for workRoom values.
func (n *miniRocket) convolve(x, work []float32, dilation, kernel int) (c []float32, trim int) {
	d, taps, most := n.dilations[dilation], n.kernels[kernel], n.use.Shape[1]
	pad := (rocketTaps - 1) / 2 * d
	sum, c := work[:n.steps+2*pad], work[len(work)-n.steps:]
	clear(sum)
	at := (dilation*rocketKernels + kernel) * most
	for _, u := range n.use.Value[at : at+most] {
		if j := int(math.Round(float64(u))); j >= 0 {
			for s := range n.steps {
				sum[pad+s] += x[s*n.channels+j]
			}
		}
	}
	for s := range c {
		all := sum[s] + sum[s+d] + sum[s+2*d] + sum[s+3*d] + sum[s+4*d] + sum[s+5*d] + sum[s+6*d] + sum[s+7*d] + sum[s+8*d]
		c[s] = float32(3*(sum[s+taps[0]*d]+sum[s+taps[1]*d]+sum[s+taps[2]*d])) - all
	}
	if (dilation+kernel)%2 == 1 {
		trim = pad
	}
	return c, trim
}

// each calls do for every dilation and kernel with its first feature and the
// number of its features.
func (n *miniRocket) each(do func(dilation, kernel, first, count int)) {
	first := 0
	for i, count := range n.counts {
		for k := range rocketKernels {
			do(i, k, first, count)
			first += count
		}
	}
}

// workRoom is the room that each needs.
func (n *miniRocket) workRoom() int {
	return 2*n.steps + (rocketTaps-1)*n.dilations[len(n.dilations)-1]
}

// count counts for each feature the bars at which a window exceeds its bias and
// calls do with it and the number of bars.
func (n *miniRocket) count(x, work []float32, do func(f, above, of int)) {
	n.each(func(dilation, kernel, first, count int) {
		c, trim := n.convolve(x, work, dilation, kernel)
		c = c[trim : len(c)-trim]
		for f := first; f < first+count; f++ {
			do(f, above(c, n.biases.Value[f]), len(c))
		}
	})
}

// scaled is a feature as the linear map sees it.
func (n *miniRocket) scaled(f, above, of int) float32 {
	return float32(float32(above)/float32(of)-n.mean.Value[f]) * n.inverse.Value[f]
}

// above is the number of values of c that exceed b, without a branch: the
// difference of unequal numbers is never 0.
func above(c []float32, b float32) int {
	n := uint32(0)
	for _, v := range c {
		n += math.Float32bits(b-v) >> 31
	}
	return int(n)
}

func (n *miniRocket) Logits(t *tape.Tape, in *trainer.Batch) *tape.Tensor {
	x := in.Table // made by a rocketSource
	if len(in.Streams) > 0 {
		windows := in.Streams[0]
		x = t.Blank(in.Rows, n.width)
		work, size := t.Blank(1, n.workRoom()).Value, n.steps*n.channels
		for i := range in.Rows {
			row := x.Row(i)
			n.count(windows.Value[i*size:(i+1)*size], work, func(f, above, of int) { row[f] = n.scaled(f, above, of) })
		}
		t.TraceAs(x, func(tr *tape.Trace) string { return n.trace(tr, windows) })
	}
	return n.out.apply(t, x)
}

// prepare draws biases from the training windows, measures their features and
// returns the rows of train and stop as features.
func (n *miniRocket) prepare(train, stop trainer.Source, s rng.Stream, workers int) (trainTo, stopTo trainer.Source) {
	n.drawBiases(train, s)
	rows := newRocketRows(n, train, workers)
	rows.measure()
	if stop == nil || stop.Len() == 0 {
		return rows, stop
	}
	return rows, newRocketRows(n, stop, workers)
}

// drawBiases sets the biases of each dilation and kernel to quantiles of its
// convolution of one training window, along multiples of the golden ratio.
func (n *miniRocket) drawBiases(train trainer.Source, s rng.Stream) {
	r, t := s.Rand(), tape.New(0)
	work := make([]float32, n.workRoom())
	n.each(func(dilation, kernel, first, count int) {
		t.Reset(false, rng.Stream{})
		x := train.Put(t, []int{r.IntN(train.Len())}).Streams[0]
		c, _ := n.convolve(x.Value, work, dilation, kernel)
		slices.Sort(c)
		for f := first; f < first+count; f++ {
			_, q := math.Modf(float64(f+1) * math.Phi)
			n.biases.Value[f] = quantile(c, q)
		}
	})
}

// quantile is the linear interpolation between order statistics.
func quantile(sorted []float32, q float64) float32 {
	at, frac := math.Modf(q * float64(len(sorted)-1))
	i := int(at)
	lo, hi := float64(sorted[i]), float64(sorted[min(i+1, len(sorted)-1)])
	return float32(lo + float64(frac*(hi-lo)))
}

// miniRocketEntry is the registry entry of "minirocket".
func miniRocketEntry() model.Entry {
	return entry("minirocket", "convolutional", model.InputWindows, model.Abilities{}, "MINIROCKET: shares of bars at which 84 fixed dilated kernels exceed quantiles of training windows, and a linear map "+
		"(Dempster, Schmidt & Webb 2021).", DefaultMiniRocket, newMiniRocket)
}
