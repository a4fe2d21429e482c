package trainer

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"sync"

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

// Members is implemented by a network of several members: Logits returns so many
// rows for each row of the batch, next to each other. Each learns from its own loss;
// what they predict is averaged.
type Members interface{ Members() int }

// Neighbours is implemented by a source of windows. Near reports whether those of
// rows that follow each other have most of their bars in common.
type Neighbours interface{ Near() bool }

// Neighbourly is implemented by a network that is trained sooner, and no worse, where
// mini-batches hold windows that follow each other. Gains reports whether this one is.
type Neighbourly interface{ Gains() bool }

// Data are rows with their targets.
type Data struct {
	Source Source
	Class  []int     // 0 to classes−1, for the tasks classes and binary
	Target []float32 // for the others; the return of the long side for the loss sharpe
	Weight []float32 // > 0; nil: all 1
}

// Report is what a fit did.
type Report struct {
	model.Curve         // Best is 0 where the last weights were kept
	Loss        float64 // loss of the stop rows with the weights kept, NaN without stop rows
	Afresh      string  // why a state that was kept was not used, "" if none was or it was
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

// A network with a recurrence keeps the states of all steps. Where those of a shard
// would need more than so many bytes and the parameters are few, shards are half as
// large and twice as many, which also leaves whoever is done first less to wait.
const (
	fineRows   = 16
	fineShards = 16
	fineBytes  = 1 << 20
	fewValues  = 1 << 17
)

// manyValues is the number of parameters above which a shard's buffer costs more
// than its cache gains.
const manyValues = 1 << 18

// shardsOf is the number of shards of a mini-batch of n rows. It depends on nothing
// but the network and the sizes, so that sums of gradients do not depend on the
// workers.
func (f *fitter) shardsOf(n int) int {
	rows, most := shardRows, mostShards
	switch {
	case f.values > manyValues:
		most = 2
	case f.values <= fewValues && f.appetite.row*shardRows > fineBytes && !f.stepwise():
		rows, most = fineRows, fineShards
	}
	return max(1, min(most, n/rows))
}

// stepwise reports whether the network has no recurrence.
func (f *fitter) stepwise() bool {
	_, ok := f.net.(Stepwise)
	return ok
}

// fitter is the state of a fit.
type fitter struct {
	cfg      Config
	net      Network
	params   []*tape.Param
	values   int
	train    Data
	weight   []float32 // of each training row, class weights included, mean 1
	factor   []float64 // weight of each class, nil: all 1
	unit     float32   // returns are multiplied by it for the loss sharpe
	block    int       // rows that stay together in the order of an epoch, 0: none
	shards   int       // most of a mini-batch
	crew     *crew
	tapes    tapes
	appetite appetite // zero: shards stay whole
	m, v     [][]float32
	pieces   []piece // of all parameters
	ema      [][]float32
	best     [][]float32
	last     [][]float32 // after the last epoch, without stop rows
	before   [][]float32 // after the one before
	step     int
	steps    int // of the whole fit
	stream   rng.Stream
	env      model.Env
}

// tapes are those that nobody uses at the moment: there are as many as shards run
// at once, because a tape's memory is most of what a fit needs.
type tapes struct {
	mu   sync.Mutex
	idle []*tape.Tape
}

// take is a tape for a shard.
func (p *tapes) take(shard int) *tape.Tape {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := len(p.idle)
	if n == 0 {
		t := tape.New(shard)
		t.Keep()
		return t
	}
	t := p.idle[n-1]
	p.idle = p.idle[:n-1]
	t.Serve(shard)
	return t
}

// give takes a tape back.
func (p *tapes) give(t *tape.Tape) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.idle = append(p.idle, t)
}

// Fit trains the network's parameters in place. stop may have no rows. env.Stream
// orders the rows and drives dropout. classes is the number of classes, for the
// tasks that have any.
//
// Memory beside the rows: of each parameter the value, two moments, the best
// weights (two of them without stop rows), the average where ema is set and one
// gradient a shard (up to 16); and for each worker the activations of a portion of a
// shard, 32 MB or those of one row, whatever is more (of all shards with the loss
// sharpe, of a whole shard with batch norm), and its layouts of the weights
// ([tape.Tape.Keep]).
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
		p.Shards(1)
		f.m = append(f.m, make([]float32, len(p.Value)))
		f.v = append(f.v, make([]float32, len(p.Value)))
		if cfg.EMA > 0 {
			f.ema = append(f.ema, append([]float32(nil), p.Value...))
		}
	}
	defer func() {
		for _, p := range f.params {
			p.Shards(0)
		}
	}()
	f.block = f.blockRows()
	f.weigh(classes)
	f.weighRows()
	f.shards = f.shardsOf(min(cfg.Batch, n))
	for _, p := range f.params {
		p.Shards(f.shards)
	}
	f.crew = newCrew(min(env.Workers, f.shards))
	defer f.crew.dismiss()
	rows := cfg.Batch * cfg.Accumulate
	f.steps = cfg.Epochs * ((n + rows - 1) / rows)
	if stop.Source == nil || stop.Source.Len() == 0 {
		stop = Data{}
	}
	rep, err := f.run(ctx, stop)
	if err != nil {
		return rep, err
	}
	switch {
	case f.best != nil:
		f.restore(f.best)
	case f.ema != nil:
		f.swap()
	}
	return rep, nil
}

// run goes through the epochs.
func (f *fitter) run(ctx context.Context, stop Data) (Report, error) {
	rep := Report{Loss: math.NaN()}
	hasStop := stop.Source != nil
	keeper, done, err := f.resume(&rep, stop)
	if err != nil {
		return rep, err
	}
	for epoch := len(rep.Epochs) + 1; epoch <= f.cfg.Epochs && !done; epoch++ {
		e, err := f.epoch(ctx, epoch)
		if errors.Is(err, ErrDiverged) {
			return f.rescue(rep, e, err)
		}
		if err != nil {
			return rep, err
		}
		note := fmt.Sprintf("loss %.5f", e.Train)
		if hasStop {
			restore := f.useAverage()
			loss, err := f.loss(ctx, stop)
			if err == nil && loss-loss != 0 {
				restore()
				return f.rescue(rep, e, fmt.Errorf("model/nn: epoch %d: %w: that of the stop rows is %v (learning_rate %v: try a smaller one)", epoch, ErrDiverged, loss, f.cfg.LearningRate))
			}
			if err != nil {
				return rep, err
			}
			if rep.Best == 0 || loss < rep.Loss {
				rep.Best, rep.Loss = epoch, loss
				f.best = f.copyTo(f.best)
			}
			restore()
			e.Stop = &loss
			note += fmt.Sprintf(", stop loss %.5f", loss)
			done = f.cfg.Patience > 0 && epoch-rep.Best >= f.cfg.Patience
		} else {
			restore := f.useAverage()
			f.last, f.before = f.copyTo(f.before), f.last
			restore()
		}
		rep.Epochs = append(rep.Epochs, e.Epoch)
		done = done || epoch == f.cfg.Epochs
		if err := keeper.save(f, &rep, epoch, done); err != nil {
			return rep, err
		}
		if f.env.Progress != nil {
			f.env.Progress(epoch, f.cfg.Epochs, note)
		}
	}
	return rep, nil
}

// rescue ends a fit that diverged with the last good weights, if there are any.
func (f *fitter) rescue(rep Report, e epoch, cause error) (Report, error) {
	epoch := len(rep.Epochs) // the last one that ended well
	switch {
	case rep.Best > 0:
		epoch = rep.Best
	case f.last != nil && e.steps > 0: // a step from them went well
		f.best = f.last
	case f.before != nil:
		f.best = f.before
		epoch--
	default:
		return rep, cause
	}
	rep.Best = epoch
	rep.Note = fmt.Sprintf("%v; the weights of epoch %d are kept", cause, epoch)
	return rep, nil
}

// weigh sets the weight of every training row, mean 1, and the factors of classes
// and returns.
func (f *fitter) weigh(classes int) {
	n := f.train.Source.Len()
	f.weight = make([]float32, n)
	sum := make([]float64, classes)
	total, square := 0.0, 0.0
	for i := range f.weight {
		f.weight[i] = 1
		if f.train.Weight != nil {
			f.weight[i] = f.train.Weight[i]
		}
		w := float64(f.weight[i])
		total += w
		if f.train.Class != nil {
			sum[f.train.Class[i]] += w
		}
		if f.train.Target != nil {
			square += float64(w * float64(f.train.Target[i]) * float64(f.train.Target[i]))
		}
	}
	f.unit = 1
	if u := float32(math.Sqrt(total / square)); square > 0 && u-u == 0 {
		f.unit = u
	}
	if f.cfg.ClassWeight == "balanced" {
		present := 0
		for _, s := range sum {
			if s > 0 {
				present++
			}
		}
		f.factor = make([]float64, classes)
		for c, s := range sum {
			f.factor[c] = 1 // for stop rows of a class that was never seen
			if s > 0 {
				f.factor[c] = total / (float64(present) * s)
			}
		}
	}
	for i := range f.weight {
		w := float64(f.weight[i]) * float64(n) / total
		f.weight[i] = float32(w * f.classFactor(&f.train, i))
	}
}

// classFactor is the class weight of row i.
func (f *fitter) classFactor(d *Data, i int) float64 {
	if f.factor == nil {
		return 1
	}
	return f.factor[d.Class[i]]
}

// blockRows is the size of blocks of rows that stay together, 0 for none.
func (f *fitter) blockRows() int {
	whole := f.cfg.Batch * f.cfg.Accumulate
	switch f.cfg.Order {
	case "blocks":
		if f.cfg.Block > 0 {
			return f.cfg.Block
		}
		return whole
	case "auto":
		if f.cfg.Trained() == "sharpe" {
			return whole
		}
		source, ofWindows := f.train.Source.(Neighbours)
		net, neighbourly := f.net.(Neighbourly)
		if ofWindows && neighbourly && net.Gains() && source.Near() {
			return min(fineRows, whole)
		}
	}
	return 0
}

// order is the order of rows in an epoch.
func (f *fitter) order(epoch int) []int {
	n := f.train.Source.Len()
	r := f.stream.Stream("order", epoch).Rand()
	if f.block == 0 {
		return r.Perm(n)
	}
	return blocks(n, f.block, r)
}

// blocks is the rows in runs of size rows, which begin at a random place, in random
// order. The runs at both ends of the rows, which may be shorter, come last: so all
// others begin where a mini-batch or, if they are as large, a shard of it begins.
func blocks(n, size int, r *rand.Rand) []int {
	first := r.IntN(min(size, n))
	out := make([]int, 0, n)
	add := func(lo, hi int) {
		for i := lo; i < hi; i++ {
			out = append(out, i)
		}
	}
	whole := (n - first) / size
	for _, k := range r.Perm(whole) {
		add(first+k*size, first+(k+1)*size)
	}
	ends := [2][2]int{{0, first}, {first + whole*size, n}}
	for _, k := range r.Perm(2) {
		add(ends[k][0], ends[k][1])
	}
	return out
}

// epoch is what is known of an epoch under way.
type epoch struct {
	model.Epoch
	steps int // that went well
}

// epoch makes one pass.
func (f *fitter) epoch(ctx context.Context, number int) (e epoch, err error) {
	rows := f.order(number)
	total, weight := 0.0, 0.0
	size := f.cfg.Batch * f.cfg.Accumulate
	for lo := 0; lo < len(rows); lo += size {
		if err := ctx.Err(); err != nil {
			return e, fmt.Errorf("model/nn: epoch %d step %d: %w", number, e.steps+1, err)
		}
		e.Rate = f.rate(f.step)
		loss, w, norm, err := f.batch(rows[lo:min(len(rows), lo+size)])
		if err != nil {
			return e, fmt.Errorf("model/nn: epoch %d step %d: %w (learning_rate %v, clip_norm %v: try smaller ones)", number, e.steps+1, err, f.cfg.LearningRate, f.cfg.ClipNorm)
		}
		e.steps++
		e.GradNorm += norm
		total += float64(loss * w)
		weight += w
	}
	e.Train = total / weight
	e.GradNorm /= float64(e.steps)
	return e, nil
}

// batch makes one step and returns the loss and the sum of weights of its rows, and
// the length of the gradient.
func (f *fitter) batch(rows []int) (loss, weight, norm float64, err error) {
	for _, r := range rows {
		weight += float64(f.weight[r])
	}
	drop := f.stream.Stream("dropout", f.step)
	for lo, k := 0, 0; lo < len(rows); lo, k = lo+f.cfg.Batch, k+1 {
		if k > 0 {
			drop = f.stream.Stream("dropout", f.step, k)
		}
		loss += f.gradients(rows[lo:min(len(rows), lo+f.cfg.Batch)], weight, drop)
	}
	if math.IsNaN(loss) || math.IsInf(loss, 0) {
		return loss, weight, 0, fmt.Errorf("%w: it is %v", ErrDiverged, loss)
	}
	norm, err = f.update()
	return loss, weight, norm, err
}

// rate is the learning rate of a step.
func (f *fitter) rate(step int) float64 {
	warm := int(f.cfg.Warmup * float64(f.steps))
	if step < warm {
		return f.cfg.LearningRate * float64(step+1) / float64(warm)
	}
	at := float64(step-warm) / float64(max(1, f.steps-warm))
	if f.cfg.Schedule == "coslog4" { // Holzmüller et al. 2024, equation 1
		return f.cfg.LearningRate * (f.cfg.FinalRate + (1-f.cfg.FinalRate)*0.5*(1-math.Cos(2*math.Pi*math.Log2(1+15*at))))
	}
	return f.cfg.LearningRate * (f.cfg.FinalRate + (1-f.cfg.FinalRate)*0.5*(1+math.Cos(math.Pi*at)))
}

// evalRows is the number of rows that are evaluated at once.
const evalRows = shardRows

// loss is the weighted loss of rows that stops the training.
func (f *fitter) loss(ctx context.Context, d Data) (float64, error) {
	n := d.Source.Len()
	count := (n + evalRows - 1) / evalRows
	sums, weights := make([]float64, count), make([]float64, count)
	var positions []float32
	sharpe := f.cfg.Trained() == "sharpe"
	if sharpe {
		positions = make([]float32, n)
	}
	groups := f.shards
	f.crew.run(groups, func(g int) {
		t := f.tapes.take(0)
		defer f.tapes.give(t)
		for c := count * g / groups; c < count*(g+1)/groups; c++ {
			if ctx.Err() != nil {
				return
			}
			first, end := c*evalRows, min(n, (c+1)*evalRows)
			parts := f.portions(end - first)
			for k := range parts {
				lo, hi := first+(end-first)*k/parts, first+(end-first)*(k+1)/parts
				rows := make([]int, hi-lo)
				for i := range rows {
					rows[i] = lo + i
				}
				t.Reset(false, rng.Stream{})
				z := f.net.Logits(t, d.Source.Put(t, rows))
				if sharpe {
					copy(positions[lo:], t.Position(z, len(rows)).Value)
					continue
				}
				w := make([]float32, len(rows))
				for i, r := range rows {
					w[i] = float32(f.stopWeight(&d, r))
					weights[c] += float64(w[i])
				}
				sums[c] += f.measure(t, z, &d, rows, w, 1, false)
			}
		}
	})
	if err := ctx.Err(); err != nil {
		return 0, fmt.Errorf("model/nn: evaluating the stop rows: %w", err)
	}
	if sharpe {
		return f.sharpe(positions, &d, nil, nil), nil
	}
	sum, weight := 0.0, 0.0
	for c := range count {
		sum += sums[c]
		weight += weights[c]
	}
	return sum / weight, nil
}

// stopWeight is the weight of a stop row.
func (f *fitter) stopWeight(d *Data, i int) float64 {
	w := f.classFactor(d, i)
	if d.Weight != nil {
		w *= float64(d.Weight[i])
	}
	return w
}
