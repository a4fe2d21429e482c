package trainer

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"sync"

	"github.com/mlfactory/mlfactory/internal/simd/vec"
	"github.com/mlfactory/mlfactory/model"
	"github.com/mlfactory/mlfactory/model/nn/tape"
	"github.com/mlfactory/mlfactory/rng"
)

// Source gives rows to a network.
type Source interface {
	// Len is the number of rows.
	Len() int
	// Put lays the given rows out on the tape.
	Put(t *tape.Tape, rows []int) *Batch
}

// Batch is what a network sees of some rows; parts that there are not are nil.
// A sequence has one row a step: row b·T+t is step t, the oldest first, of row b.
type Batch struct {
	Rows    int
	Table   *tape.Tensor   // Rows × columns
	Streams []*tape.Tensor // (Rows·T) × channels each, windows that end at the decision
	Known   *tape.Tensor   // (Rows·T) × channels, steps after the decision
}

// Network is what is trained. Logits must not depend on which rows share a call.
type Network interface {
	Params() []*tape.Param
	// Logits turns rows into one score a class.
	Logits(t *tape.Tape, x *Batch) *tape.Tensor
}

// Data are rows with their targets.
type Data struct {
	Source Source
	Class  []int     // 0 to Classes−1
	Weight []float32 // > 0; nil: all 1
}

// Report is what a fit did.
type Report struct {
	Epochs int     // passes made
	Best   int     // the epoch, from 1, whose weights were kept; 0: the last
	Loss   float64 // log-loss on the stop rows with these weights, NaN without stop rows
	Note   string  // what a user should know, "" if nothing
}

// ErrDiverged is wrapped when the loss is no longer finite before any epoch was
// worth keeping.
var ErrDiverged = errors.New("the loss is no longer finite")

// shardRows is the size of a shard where memory allows a choice: small enough for
// its activations to stay in the second-level cache, large enough for its
// products to be efficient.
const shardRows = 32

// mostShards bounds the gradient buffers.
const mostShards = 8

// manyValues is the number of parameters above which a shard's buffer costs more
// than its cache gains.
const manyValues = 1 << 18

// shards is the number of shards of a mini-batch of n rows. It depends on nothing
// but the sizes, so that sums of gradients do not depend on the workers.
func shards(n, values int) int {
	most := mostShards
	if values > manyValues {
		most = 2
	}
	return max(1, min(most, n/shardRows))
}

// fitter is the state of a fit.
type fitter struct {
	cfg    Config
	net    Network
	params []*tape.Param
	values int
	train  Data
	weight []float32 // of each training row, class weights included
	tapes  []*tape.Tape
	m, v   [][]float32
	ema    [][]float32
	best   [][]float32
	step   int
	steps  int // of the whole fit
	stream rng.Stream
	env    model.Env
}

// Fit trains the network's parameters in place. stop may have no rows. env.Stream
// orders the rows and drives dropout. classes is the number of classes.
func Fit(ctx context.Context, env model.Env, cfg Config, net Network, classes int, train, stop Data) (Report, error) {
	if err := cfg.Validate(); err != nil {
		return Report{}, fmt.Errorf("model/nn: %w", err)
	}
	n := train.Source.Len()
	if n == 0 {
		return Report{}, fmt.Errorf("model/nn: %w", model.ErrNoRows)
	}
	f := &fitter{cfg: cfg, net: net, params: net.Params(), train: train, stream: env.Stream, env: env}
	for _, p := range f.params {
		f.values += len(p.Value)
	}
	count := shards(min(cfg.Batch, n), f.values)
	for s := range count {
		f.tapes = append(f.tapes, tape.New(s))
	}
	for _, p := range f.params {
		p.Shards(count)
		f.m = append(f.m, make([]float32, len(p.Value)))
		f.v = append(f.v, make([]float32, len(p.Value)))
		if cfg.EMA > 0 {
			f.ema = append(f.ema, append([]float32(nil), p.Value...))
		}
	}
	f.weigh(classes)
	batches := (n + cfg.Batch - 1) / cfg.Batch
	f.steps = cfg.Epochs * batches

	rep := Report{Loss: math.NaN()}
	best := math.Inf(1)
	hasStop := stop.Source != nil && stop.Source.Len() > 0
	for epoch := 1; epoch <= cfg.Epochs; epoch++ {
		mean, err := f.epoch(ctx, epoch)
		if errors.Is(err, ErrDiverged) && rep.Best > 0 {
			rep.Note = fmt.Sprintf("%v; the weights of epoch %d are kept", err, rep.Best)
			break
		}
		if err != nil {
			return rep, err
		}
		rep.Epochs = epoch
		note := fmt.Sprintf("loss %.5f", mean)
		done := false
		if hasStop {
			restore := f.useAverage()
			loss, err := f.loss(ctx, stop)
			if err != nil {
				return rep, err
			}
			if loss < best {
				best = loss
				rep.Best, rep.Loss = epoch, loss
				f.keep()
			}
			restore()
			note += fmt.Sprintf(", stop loss %.5f", loss)
			done = cfg.Patience > 0 && epoch-rep.Best >= cfg.Patience
		}
		if env.Progress != nil {
			env.Progress(epoch, cfg.Epochs, note)
		}
		if done {
			break
		}
	}
	switch {
	case f.best != nil:
		for i, p := range f.params {
			copy(p.Value, f.best[i])
		}
	case f.ema != nil:
		f.useAverage()
	}
	for _, p := range f.params {
		p.Shards(0)
	}
	return rep, nil
}

// weigh sets the weight of every training row, mean 1.
func (f *fitter) weigh(classes int) {
	n := f.train.Source.Len()
	f.weight = make([]float32, n)
	sum := make([]float64, classes)
	total := 0.0
	for i := range f.weight {
		f.weight[i] = 1
		if f.train.Weight != nil {
			f.weight[i] = f.train.Weight[i]
		}
		sum[f.train.Class[i]] += float64(f.weight[i])
		total += float64(f.weight[i])
	}
	present := 0
	for _, s := range sum {
		if s > 0 {
			present++
		}
	}
	for i, c := range f.train.Class {
		w := float64(f.weight[i]) * float64(n) / total
		if f.cfg.ClassWeight == "balanced" {
			w *= total / (float64(present) * sum[c])
		}
		f.weight[i] = float32(w)
	}
}

// order is the order of rows in an epoch.
func (f *fitter) order(epoch int) []int {
	n := f.train.Source.Len()
	r := f.stream.Stream("order", epoch).Rand()
	if f.cfg.Order == "shuffled" {
		return r.Perm(n)
	}
	return blocks(n, f.cfg.Batch, r)
}

// blocks is the rows in runs of size rows, which begin at a random place, in
// random order.
func blocks(n, size int, r *rand.Rand) []int {
	first := r.IntN(min(size, n))
	starts := []int{}
	if first > 0 {
		starts = append(starts, 0)
	}
	for s := first; s < n; s += size {
		starts = append(starts, s)
	}
	out := make([]int, 0, n)
	for _, k := range r.Perm(len(starts)) {
		end := n
		if k+1 < len(starts) {
			end = starts[k+1]
		}
		for i := starts[k]; i < end; i++ {
			out = append(out, i)
		}
	}
	return out
}

// epoch makes one pass and returns the mean training loss.
func (f *fitter) epoch(ctx context.Context, epoch int) (float64, error) {
	rows := f.order(epoch)
	total, weight := 0.0, 0.0
	for lo, b := 0, 0; lo < len(rows); lo, b = lo+f.cfg.Batch, b+1 {
		if err := ctx.Err(); err != nil {
			return 0, fmt.Errorf("model/nn: epoch %d step %d: %w", epoch, b+1, err)
		}
		loss, w, err := f.batch(rows[lo:min(len(rows), lo+f.cfg.Batch)])
		if err != nil {
			return 0, fmt.Errorf("model/nn: epoch %d step %d: %w (learning_rate %v, clip_norm %v: try smaller ones)", epoch, b+1, err, f.cfg.LearningRate, f.cfg.ClipNorm)
		}
		total += float64(loss * w)
		weight += w
	}
	return total / weight, nil
}

// batch makes one step and returns the loss and the sum of weights of its rows.
func (f *fitter) batch(rows []int) (loss, weight float64, err error) {
	count := min(len(f.tapes), shards(len(rows), f.values))
	for _, r := range rows {
		weight += float64(f.weight[r])
	}
	losses := make([]float64, count)
	drop := f.stream.Stream("dropout", f.step)
	f.parallel(count, func(s int) {
		part := rows[len(rows)*s/count : len(rows)*(s+1)/count]
		t := f.tapes[s]
		t.Reset(true, drop.Stream("shard", s))
		z := f.net.Logits(t, f.train.Source.Put(t, part))
		classes, w := make([]int, len(part)), make([]float32, len(part))
		for i, r := range part {
			classes[i], w[i] = f.train.Class[r], f.weight[r]
		}
		losses[s] = t.CrossEntropy(z, classes, w, f.cfg.LabelSmoothing, weight)
		t.Backward()
	})
	for _, l := range losses {
		loss += l
	}
	if math.IsNaN(loss) || math.IsInf(loss, 0) {
		return loss, weight, fmt.Errorf("%w: it is %v", ErrDiverged, loss)
	}
	return loss, weight, f.update()
}

// rate is the learning rate of a step.
func (f *fitter) rate(step int) float64 {
	warm := int(f.cfg.Warmup * float64(f.steps))
	if step < warm {
		return f.cfg.LearningRate * float64(step+1) / float64(warm)
	}
	at := float64(step-warm) / float64(max(1, f.steps-warm))
	return f.cfg.LearningRate * (f.cfg.FinalRate + (1-f.cfg.FinalRate)*0.5*(1+math.Cos(math.Pi*at)))
}

// update adds up the gradients, clips them and takes a step.
func (f *fitter) update() error {
	norms := make([]float64, len(f.params))
	grads := make([][]float32, len(f.params))
	f.parallel(len(f.params), func(i int) {
		if f.params[i].Absorb != nil {
			return
		}
		g := f.params[i].SumGrads(0, len(f.params[i].Value))
		grads[i] = g
		norms[i] = float64(vec.Dot(g, g))
	})
	norm := 0.0
	for _, v := range norms {
		norm += v
	}
	norm = math.Sqrt(norm)
	if math.IsNaN(norm) || math.IsInf(norm, 0) {
		return fmt.Errorf("%w: the norm of the gradient is %v", ErrDiverged, norm)
	}
	scale := float32(1)
	if f.cfg.ClipNorm > 0 && norm > f.cfg.ClipNorm {
		scale = float32(f.cfg.ClipNorm / norm)
	}
	c := &f.cfg
	rate, n := f.rate(f.step), float64(f.step+1)
	f.step++
	for _, p := range f.params {
		if p.Absorb != nil {
			p.Settle()
		}
	}
	f.parallel(len(f.params), func(i int) {
		p, g := f.params[i], grads[i]
		if p.Absorb == nil {
			f.adamw(p, g, i, n, scale, rate)
		}
		if f.ema != nil {
			// The first steps would keep the start for long: count them evenly.
			d := float32(min(c.EMA, n/(n+9)))
			vec.Scale(f.ema[i], f.ema[i], d)
			vec.Axpy(1-d, p.Value, f.ema[i])
		}
		p.Forget()
	})
	return nil
}

// adamw takes step n, from 1, of parameter i with gradient g scaled by scale.
func (f *fitter) adamw(p *tape.Param, g []float32, i int, n float64, scale float32, rate float64) {
	if scale != 1 {
		vec.Scale(g, g, scale)
	}
	if p.Rate != 0 {
		rate *= p.Rate
	}
	c := &f.cfg
	decay := float32(1)
	if !p.NoDecay {
		decay = float32(1 - rate*c.WeightDecay)
	}
	root := float32(1 / math.Sqrt(1-math.Pow(c.Beta2, n)))
	step := float32(rate / (1 - math.Pow(c.Beta1, n)))
	vec.AdamW(p.Value, g, f.m[i], f.v[i], p.Value, f.m[i], f.v[i],
		float32(c.Beta1), float32(1-c.Beta1), float32(c.Beta2), float32(1-c.Beta2), root, float32(c.Epsilon), step, decay)
}

// useAverage puts the averaged weights in place, if there are any, and returns
// what puts the trained ones back.
func (f *fitter) useAverage() (restore func()) {
	if f.ema == nil {
		return func() {}
	}
	f.swap()
	return f.swap
}

func (f *fitter) swap() {
	for i, p := range f.params {
		p.Value, f.ema[i] = f.ema[i], p.Value
	}
}

// keep remembers the present weights.
func (f *fitter) keep() {
	if f.best == nil {
		for _, p := range f.params {
			f.best = append(f.best, make([]float32, len(p.Value)))
		}
	}
	for i, p := range f.params {
		copy(f.best[i], p.Value)
	}
}

// evalRows is the number of rows that are evaluated at once.
const evalRows = 128

// loss is the weighted log-loss of rows.
func (f *fitter) loss(ctx context.Context, d Data) (float64, error) {
	n := d.Source.Len()
	count := (n + evalRows - 1) / evalRows
	sums, weights := make([]float64, count), make([]float64, count)
	groups := len(f.tapes)
	f.parallel(groups, func(g int) {
		for c := count * g / groups; c < count*(g+1)/groups; c++ {
			if ctx.Err() != nil {
				return
			}
			rows := make([]int, 0, evalRows)
			for i := c * evalRows; i < min(n, (c+1)*evalRows); i++ {
				rows = append(rows, i)
			}
			t := f.tapes[g]
			t.Reset(false, rng.Stream{})
			z := f.net.Logits(t, d.Source.Put(t, rows))
			classes, w := make([]int, len(rows)), make([]float32, len(rows))
			for i, r := range rows {
				classes[i], w[i] = d.Class[r], 1
				if d.Weight != nil {
					w[i] = d.Weight[r]
				}
				weights[c] += float64(w[i])
			}
			sums[c] = t.CrossEntropy(z, classes, w, 0, 1)
		}
	})
	if err := ctx.Err(); err != nil {
		return 0, fmt.Errorf("model/nn: evaluating the stop rows: %w", err)
	}
	sum, weight := 0.0, 0.0
	for c := range count {
		sum += sums[c]
		weight += weights[c]
	}
	return sum / weight, nil
}

// parallel calls f for 0 to n−1 on up to env.Workers goroutines.
func (f *fitter) parallel(n int, do func(i int)) {
	workers := max(1, min(f.env.Workers, n))
	if workers == 1 {
		for i := range n {
			do(i)
		}
		return
	}
	var wg sync.WaitGroup
	for w := 1; w < workers; w++ {
		wg.Go(func() {
			for i := n * w / workers; i < n*(w+1)/workers; i++ {
				do(i)
			}
		})
	}
	for i := range n / workers {
		do(i)
	}
	wg.Wait()
}
