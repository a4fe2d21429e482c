package catboost_test

import (
	"fmt"
	"math"

	"github.com/mlfactory/mlfactory/view"
)

// lcg is Knuth's MMIX generator, as in gen_catboost.py.
type lcg uint64

func (r *lcg) next() int {
	*r = *r*6364136223846793005 + 1442695040888963407
	return int(*r >> 33)
}

// rows are made by the formula of gen_catboost.py.
type rows struct {
	x    *view.Table
	z, w []float64
}

func formula(n, permille int) rows {
	levels := []int{2, 5, 20, 60, 120, 200, 3000}
	names := make([]string, len(levels))
	for j := range names {
		names[j] = fmt.Sprint("x", j)
	}
	d := rows{view.NewTable(n, names), make([]float64, n), make([]float64, n)}
	r := lcg(1)
	v := make([]float64, len(levels))
	for i := range n {
		for j, l := range levels {
			v[j] = float64(r.next()%l - l/2)
			x := float32(v[j]) / 8
			if r.next()%1000 < permille {
				x = float32(math.NaN())
			}
			d.x.Col(j)[i] = x
		}
		noise := 0.0
		for range 4 {
			noise += float64(r.next() % 1001)
		}
		noise = noise/1000 - 2
		c := v[2] / 10
		if v[4] > 10 {
			c = -v[2] / 5
		}
		d.z[i] = v[5]*v[6]/60000 + v[3]/20 + c + v[0]*v[1]/4 + noise
		d.w[i] = float64(1+r.next()%16) / 8
	}
	return d
}
