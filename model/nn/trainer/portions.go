package trainer

import "github.com/mlfactory/mlfactory/model/nn/tape"

// Stepwise is implemented by a network that has no recurrence: the rows of its
// products are the steps or channels of a window, so that a few windows at a time
// are as efficient as many. The trainer then gives it so few that what they leave
// on the tape stays in the cache.
type Stepwise interface{ Stepwise() }

// A shard goes through the network in portions whose tape needs no more memory
// than this, or of one row.
const (
	mostBytes     = 32 << 20
	stepwiseBytes = 4 << 20
)

// appetite is the memory of a tape: whatever the rows, and for each row.
type appetite struct{ fixed, row int }

// weighRows finds out what a training step needs, by steps of one row and of two.
func (f *fitter) weighRows() {
	for _, p := range f.params {
		if p.Absorb != nil {
			return // statistics of the rows of a shard: they stay together
		}
	}
	if f.cfg.Trained() == "sharpe" {
		return // the first gradient needs the last row
	}
	t := tape.New(0)
	used := func(rows ...int) int {
		t.Reset(true, f.stream.Stream("appetite"))
		z := f.net.Logits(t, f.train.Source.Put(t, rows))
		f.measure(t, z, &f.train, rows, pick(f.weight, rows), 1, true)
		t.Backward()
		return t.Used()
	}
	one, two := used(0), used(0, 0)
	f.appetite = appetite{max(0, 2*one-two), two - one}
	for _, p := range f.params {
		p.Forget()
	}
}

// portions is the number of parts in which so many rows of a shard go through the
// network. It depends on nothing but sizes.
func (f *fitter) portions(rows int) int {
	if f.appetite.row <= 0 {
		return 1
	}
	limit := mostBytes
	if f.stepwise() {
		limit = stepwiseBytes
	}
	most := max(1, (limit-f.appetite.fixed)/f.appetite.row)
	return (rows + most - 1) / most
}
