package nn

import (
	"math"
	"math/cmplx"
	"testing"

	"github.com/mlfactory/mlfactory/rng"
	"github.com/mlfactory/mlfactory/view"
)

func TestS5Golden(t *testing.T) {
	checkGolden(t, "s5", func(in Shape) network {
		return newS5(&S5{Width: 7, Layers: 2, State: 12, Blocks: 2, Pool: "mean", DtMin: 1e-3, DtMax: 0.1}, in, rng.New(1))
	})
}

// The eigenvectors are those of the normal part of HiPPO-LegS, and at right angles.
func TestHiPPO(t *testing.T) {
	const n = 12
	omega, vectors := hippo(n)
	if len(omega) != n/2 {
		t.Fatalf("%d frequencies", len(omega))
	}
	for k, v := range vectors {
		for i := range n {
			var sum complex128
			for j := range n {
				a := -math.Sqrt(float64(2*i+1) * float64(2*j+1)) // LegS below its diagonal, plus p·pᵀ with p² = n + 1/2
				switch {
				case i == j:
					a = -float64(i + 1)
				case i < j:
					a = 0
				}
				sum += complex(a+math.Sqrt((float64(i)+0.5)*(float64(j)+0.5)), 0) * v[j]
			}
			if d := cmplx.Abs(sum - complex(-0.5, omega[k])*v[i]); d > 1e-10 {
				t.Fatalf("vector %d is off by %v in row %d", k, d, i)
			}
		}
		for m, w := range vectors {
			var dot complex128
			for i := range n {
				dot += cmplx.Conj(v[i]) * w[i]
			}
			if want := map[bool]complex128{true: 1}[m == k]; cmplx.Abs(dot-want) > 1e-10 {
				t.Errorf("vectors %d and %d have product %v", k, m, dot)
			}
		}
	}
	// Smith et al. 2023 and Gu et al. 2022 plot the imaginary parts: the largest grows like n²/π.
	if top := omega[len(omega)-1]; math.Abs(top/(n*n/math.Pi)-1) > 0.1 {
		t.Errorf("the highest frequency is %v, want about %v", top, n*n/math.Pi)
	}
}

func TestS5LearnsPatterns(t *testing.T) {
	notUnderRace(t)
	cfg := DefaultS5()
	quickly(&cfg.Common, 10)
	cfg.Width, cfg.State, cfg.Blocks, cfg.Dropout = 16, 16, 2, 0
	learnsPatterns(t, s5Entry(), &cfg, 0.35, map[string]func(int, uint64) view.View{"long range": longRange, "motif": motif})
	cfg.Discretise, cfg.Pool = "bilinear", "mean"
	learnsPatterns(t, s5Entry(), &cfg, 0.35, map[string]func(int, uint64) view.View{"regime flip": regimeFlip})
}

func TestS5RefusesOddStates(t *testing.T) {
	cfg := DefaultS5()
	cfg.State = 12
	if _, err := s5Entry().New(&cfg); err == nil {
		t.Error("12 states in 4 blocks of pairs pass")
	}
}

func BenchmarkS5Step(b *testing.B) {
	stepBenchmark(b, func(in Shape) network { c := DefaultS5(); return newS5(&c, in, rng.New(1)) })
}
