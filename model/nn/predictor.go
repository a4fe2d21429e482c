package nn

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/mlfactory/mlfactory/model"
	"github.com/mlfactory/mlfactory/model/nn/tape"
	"github.com/mlfactory/mlfactory/model/nn/trainer"
	"github.com/mlfactory/mlfactory/rng"
	"github.com/mlfactory/mlfactory/view"
)

// predictor predicts with the mean of several networks.
type predictor struct {
	name   string
	input  model.Input
	uses   model.Abilities
	config []byte // JSON
	in     *inputs
	task   *task
	nets   []network
	curves []model.Curve
	bufs   *sync.Pool // of *buffer
}

// Curves is how each network learnt.
func (f *predictor) Curves() []model.Curve { return f.curves }

// fit trains a network from each start. Several train at once where there are
// several workers, with the bytes of one after the other: memory is then that of so
// many fits (see [trainer.Fit]) beside one copy of the rows.
func (f *predictor) fit(ctx context.Context, env model.Env, c *Common, train, stop trainer.Data, build func(s rng.Stream) network) error {
	f.nets, f.curves = make([]network, c.Seeds), make([]model.Curve, c.Seeds)
	errs := make([]error, c.Seeds)
	var mu sync.Mutex // of progress
	done := make([]int, c.Seeds)
	one := func(ctx context.Context, k, workers int) error {
		e := env
		e.Stream, e.Workers = env.Stream.Stream("seed", k), workers
		if env.Checkpoint != nil {
			e.Checkpoint = prefixed{env.Checkpoint, fmt.Sprintf("seed.%d.", k)}
		}
		say := func(epochs int, note string) {
			if env.Progress == nil {
				return
			}
			mu.Lock()
			defer mu.Unlock()
			done[k] = epochs
			sum := 0
			for _, d := range done {
				sum += d
			}
			if c.Seeds > 1 {
				note = fmt.Sprintf("seed %d: %s", k+1, note)
			}
			env.Progress(sum, c.Seeds*c.Epochs, note)
		}
		e.Progress = func(epoch, _ int, note string) { say(epoch, note) }
		net, train, stop := build(e.Stream.Stream("start")), train, stop
		if p, ok := net.(preparer); ok {
			train.Source, stop.Source = p.prepare(train.Source, stop.Source, e.Stream.Stream("prepare"), workers)
		}
		f.task.startAtShares(net, f.in.shape(f.task.outputs()), &train)
		rep, err := trainer.Fit(ctx, e, c.Config, net, model.K, train, stop)
		if err != nil {
			return err
		}
		for _, note := range []string{rep.Afresh, rep.Note} {
			if note != "" {
				say(len(rep.Epochs), note)
			}
		}
		f.nets[k], f.curves[k] = net, rep.Curve
		return nil
	}
	groups := max(1, min(env.Workers, c.Seeds))
	shared := &untilError{Context: ctx}
	var wg sync.WaitGroup
	for g := range groups {
		wg.Go(func() {
			workers := max(1, env.Workers*(g+1)/groups-env.Workers*g/groups)
			for k := g; k < c.Seeds; k += groups {
				if errs[k] = one(shared, k, workers); errs[k] != nil {
					shared.failed.Store(true)
					return
				}
			}
		})
	}
	wg.Wait()
	// The first error that is not the end of the others.
	var first error
	for _, err := range errs {
		if err != nil && (first == nil || isCancelled(first) && !isCancelled(err)) {
			first = err
		}
	}
	return first
}

// untilError is a context that also ends when one of several fits fails.
type untilError struct {
	context.Context
	failed atomic.Bool
}

func (c *untilError) Err() error {
	if err := c.Context.Err(); err != nil {
		return err
	}
	if c.failed.Load() {
		return context.Canceled
	}
	return nil
}

// prefixed is a checkpoint with names of its own in another.
type prefixed struct {
	model.Checkpoint
	prefix string
}

func (p prefixed) Load(name string) ([]byte, error) { return p.Checkpoint.Load(p.prefix + name) }
func (p prefixed) Save(name string, state []byte) error {
	return p.Checkpoint.Save(p.prefix+name, state)
}

func (f *predictor) finish() {
	f.bufs = &sync.Pool{New: func() any {
		b := &buffer{tape: tape.New(0)}
		b.tape.Keep()
		return b
	}}
}

// rowsAtOnce rows go through the networks together.
const rowsAtOnce = 32

// Predict fills out with what the task predicts: the probabilities of −1, 0 and +1,
// a mean (with the loss sharpe the position, −1 to 1), or quantiles.
func (f *predictor) Predict(ctx context.Context, v view.View, out *model.Prediction) error {
	v, err := take(v, f.input, f.uses)
	if err != nil {
		return fmt.Errorf("model/nn: prediction: %w", err)
	}
	if err := f.in.check(v); err != nil {
		return fmt.Errorf("model/nn: prediction: %w", err)
	}
	for _, w := range v.Streams {
		if err := finite(w, nil); err != nil {
			return fmt.Errorf("model/nn: prediction: %w", err)
		}
	}
	n, k := v.Len(), f.task.width()
	f.task.resize(out, n)
	values := f.task.values(out)
	b := f.bufs.Get().(*buffer)
	defer f.bufs.Put(b)
	for lo := 0; lo < n; lo += rowsAtOnce {
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("model/nn: predicting row %d: %w", lo, err)
		}
		hi := min(lo+rowsAtOnce, n)
		f.block(b, v, lo, hi, values[lo*k:hi*k])
	}
	return nil
}

// PredictRow writes what is predicted for one row of a table to out: three
// probabilities, one mean, or the quantiles.
func (f *predictor) PredictRow(x []float32, out []float64) error {
	if f.in.table == nil || len(f.in.streams) > 0 {
		return fmt.Errorf("model/nn: %q takes windows, not the rows of a table", f.name)
	}
	if len(out) != f.task.width() {
		return fmt.Errorf("model/nn: room for %d values, want %d", len(out), f.task.width())
	}
	if err := f.in.table.checkRow(x); err != nil {
		return err
	}
	b := f.bufs.Get().(*buffer)
	defer f.bufs.Put(b)
	b.table = view.Table{N: 1, P: len(x), Data: x}
	f.block(b, view.View{Table: &b.table}, 0, 1, out)
	return nil
}

// block predicts rows lo to hi−1 of v.
func (f *predictor) block(b *buffer, v view.View, lo, hi int, out []float64) {
	clear(out)
	k := f.task.width()
	for _, net := range f.nets {
		b.tape.Reset(false, rng.Stream{})
		z := net.Logits(b.tape, f.in.put(b, v, lo, hi))
		members := z.Rows / (hi - lo)
		share := 1 / float64(len(f.nets)*members)
		for r := range z.Rows {
			i := r / members
			f.task.add(out[i*k:(i+1)*k], z.Row(r), share)
		}
	}
	for i := range hi - lo {
		f.task.settle(out[i*k : (i+1)*k])
	}
}
