package trainer

import (
	"context"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/mlfactory/mlfactory/model/nn/tape"
	"github.com/mlfactory/mlfactory/rng"
)

// watched computes everything once more on a tape that keeps nothing.
type watched struct {
	*small
	trains, evaluates, wrong atomic.Int32
}

func (n *watched) Logits(t *tape.Tape, in *Batch) *tape.Tensor {
	z := n.small.Logits(t, in)
	fresh := tape.New(0)
	fresh.Reset(false, rng.Stream{})
	want := n.small.Logits(fresh, &Batch{Rows: in.Rows, Table: fresh.Input(in.Rows, in.Table.Cols, in.Table.Value)})
	if !slices.Equal(z.Value, want.Value) {
		n.wrong.Add(1)
	}
	if t.Train() {
		n.trains.Add(1)
	} else {
		n.evaluates.Add(1)
	}
	return z
}

// What tapes keep of the weights is made anew after every step, and when averages
// take their place and leave it.
func TestKeptWeightsFollowTheFit(t *testing.T) {
	for _, workers := range []int{1, 2} {
		c := config()
		c.Epochs, c.Batch, c.EMA = 4, 512, 0.9
		n := &watched{small: newSmall(24, 1)}
		e := env(workers)
		e.Checkpoint = memory{}
		if _, err := Fit(context.Background(), e, c, n, 2, exclusive(1536, 1), exclusive(512, 2)); err != nil {
			t.Fatal(err)
		}
		if n.wrong.Load() > 0 {
			t.Errorf("%d workers: %d of %d passes used weights of before", workers, n.wrong.Load(), n.trains.Load()+n.evaluates.Load())
		}
		if n.trains.Load() < 4*3*8 || n.evaluates.Load() < 4*16 {
			t.Errorf("%d workers: %d passes in training and %d over stop rows", workers, n.trains.Load(), n.evaluates.Load())
		}
	}
}
