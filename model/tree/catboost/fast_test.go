package catboost

import (
	"math"
	"testing"

	"github.com/mlfactory/mlfactory/rng"
	"github.com/mlfactory/mlfactory/stat"
)

func TestExpDown(t *testing.T) {
	r := rng.New(1).Rand()
	worst := 0.0
	for i := range 200_000 {
		x := -r.Float64() * []float64{1e-9, 0.01, 1, 30, 699}[i%5]
		want := math.Exp(x)
		worst = max(worst, math.Abs(expDown(x)-want)/want)
	}
	if worst > 1e-15 {
		t.Errorf("relative error %g", worst)
	}
	if expDown(0) != 1 || expDown(-701) != 0 || expDown(math.Inf(-1)) != 0 {
		t.Error("e^0, e^−701 and e^−∞ are", expDown(0), expDown(-701), expDown(math.Inf(-1)))
	}
}

func TestNormal(t *testing.T) {
	worst := 0.0
	for i := range 100_000 {
		u := uint64(i)<<47 + 1<<40
		p := (float64(u>>12) + 0.5) / (1 << 52)
		worst = max(worst, math.Abs(normal(u)-stat.NormalQuantile(p)))
	}
	for _, u := range []uint64{0, 1 << 20, math.MaxUint64} {
		p := (float64(u>>12) + 0.5) / (1 << 52)
		worst = max(worst, math.Abs(normal(u)-stat.NormalQuantile(p)))
	}
	if worst > 2e-6 {
		t.Errorf("off by %g", worst)
	}
}
