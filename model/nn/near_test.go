package nn

import (
	"context"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/mlfactory/mlfactory/model"
	"github.com/mlfactory/mlfactory/view"
)

// neighbours has a window of length bars for each of n rows, which ends step bars after
// the one before. Its class is the sign of the last bar, or of any where all end alike.
func neighbours(n, length, step int) view.View {
	r := rand.New(rand.NewPCG(9, 1))
	w := view.NewWindows(1, length+step*(n-1), []string{"a", "b"})
	w.Timeframe, w.Length = "5m", length
	v := view.View{Streams: []*view.Windows{w}, Class: make([]int8, n)}
	for i := range w.Data {
		w.Data[i] = float32(r.NormFloat64())
	}
	w.Last = make([]int32, n)
	for i := range n {
		end := length - 1 + step*i
		w.Last[i] = int32(end)
		v.Class[i] = 1
		if w.Data[2*end] < 0 != (step == 0 && i%3 == 0) {
			v.Class[i] = -1
		}
	}
	return v
}

// By default lstm keeps sixteen neighbours together where windows share most of their
// bars, and shuffles them where they do not; others always shuffle.
func TestLSTMKeepsNeighboursTogether(t *testing.T) {
	for _, c := range []struct {
		e     model.Entry
		step  int
		order string
		block int
	}{
		{lstmEntry(), 1, "blocks", 16}, {lstmEntry(), 2, "blocks", 16}, {lstmEntry(), 3, "shuffled", 0}, {lstmEntry(), 10, "shuffled", 0}, {lstmEntry(), 0, "shuffled", 0},
		{gruEntry(), 1, "shuffled", 0}, {tcnEntry(), 1, "shuffled", 0},
	} {
		v := neighbours(300, 9, c.step)
		fit := func(order string, block int) []float64 {
			cfg := c.e.Default()
			common := cfg.(interface{ common() *Common }).common()
			common.Epochs, common.Batch = 1, 64
			if order != "" {
				common.Order, common.Block = order, block
			}
			var p model.Prediction
			if err := fitted(t, c.e, cfg, v, view.View{}).Predict(context.Background(), v, &p); err != nil {
				t.Fatal(err)
			}
			return p.Prob
		}
		if !slices.Equal(fit("", 0), fit(c.order, c.block)) {
			t.Errorf("%s, a window every %d bars: not the weights of the order %s, block %d", c.e.Name, c.step, c.order, c.block)
		}
	}
}
