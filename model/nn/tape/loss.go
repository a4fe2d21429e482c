package tape

import (
	"fmt"
	"math"

	"github.com/mlfactory/mlfactory/model"
)

// CrossEntropy is the weighted softmax cross-entropy of the rows of logits with
// label smoothing: Σ w·((1−s)·(−log p[y]) + s/K·Σ −log p), divided by total, the
// sum of weights of the whole mini-batch. It writes the gradient of logits and
// returns its part of the mean loss. classes are 0 to K−1; weight nil is all 1.
func (t *Tape) CrossEntropy(logits *Tensor, classes []int, weight []float32, smoothing, total float64) float64 {
	if len(classes) != logits.Rows || weight != nil && len(weight) != logits.Rows {
		panic(fmt.Sprintf("tape: %d classes and %d weights for logits of %v", len(classes), len(weight), logits))
	}
	var g []float32
	add := false
	if t.train {
		g, add = t.gradOf(logits)
	}
	k := logits.Cols
	loss := 0.0
	p := make([]float64, k)
	for i, y := range classes {
		row := logits.Row(i)
		top := float64(row[0])
		for _, v := range row[1:] {
			top = max(top, float64(v))
		}
		sum, flat := 0.0, 0.0
		for j, v := range row {
			p[j] = model.Exp(float64(v) - top)
			sum += p[j]
			flat += float64(v)
		}
		w := 1 / total
		if weight != nil {
			w *= float64(weight[i])
		}
		log := math.Log(sum) + top
		loss += float64(w * ((1-smoothing)*(log-float64(row[y])) + smoothing*(log-flat/float64(k))))
		if g == nil {
			continue
		}
		for j := range row {
			target := smoothing / float64(k)
			if j == y {
				target += 1 - smoothing
			}
			d := float32(w * (p[j]/sum - target))
			if add {
				d += g[i*k+j]
			}
			g[i*k+j] = d
		}
	}
	return loss
}
