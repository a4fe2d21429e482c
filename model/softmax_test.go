package model_test

import (
	"math"
	"testing"

	"github.com/mlfactory/mlfactory/model"
	"github.com/mlfactory/mlfactory/rng"
	"github.com/mlfactory/mlfactory/stat"
)

// math.Exp is within 1 ulp as well, so the two lie within 2.
func TestExpAgainstLibrary(t *testing.T) {
	r := rng.New(1).Rand()
	for range 200_000 {
		x := (r.Float64() - 0.5) * 1400
		if r.IntN(4) == 0 {
			x = r.NormFloat64() * math.Pow(10, float64(r.IntN(12)-10))
		}
		got, want := model.Exp(x), math.Exp(x)
		if d := math.Abs(got - want); d > 2*(math.Nextafter(want, math.Inf(1))-want) {
			t.Fatalf("Exp(%v) = %v, want %v", x, got, want)
		}
		if got != stat.Exp(x) && math.Abs(x) > 0x1p-28 && math.Abs(x) < 708 {
			t.Fatalf("Exp(%v) = %v, stat.Exp gives %v", x, got, stat.Exp(x))
		}
	}
	for x, want := range map[float64]float64{0: 1, math.Inf(1): math.Inf(1), math.Inf(-1): 0, -709: 0, 710: math.Inf(1)} {
		if got := model.Exp(x); got != want {
			t.Errorf("Exp(%v) = %v, want %v", x, got, want)
		}
	}
	if got := model.Exp(math.NaN()); got == got {
		t.Errorf("Exp(NaN) = %v", got)
	}
}

func TestSoftmax(t *testing.T) {
	for _, c := range []struct {
		name string
		z    []float64
		want []float64
		lse  float64
	}{
		{"logs", []float64{math.Log(1), math.Log(2), math.Log(5)}, []float64{0.125, 0.25, 0.625}, math.Log(8)},
		{"large", []float64{1000, 1000, -1000}, []float64{0.5, 0.5, 0}, 1000 + math.Log(2)},
		{"impossible", []float64{math.Inf(-1), 3, 3}, []float64{0, 0.5, 0.5}, 3 + math.Log(2)},
	} {
		dst := make([]float64, 3)
		lse := model.Softmax(dst, c.z)
		if math.Abs(lse-c.lse) > 1e-12 {
			t.Errorf("%s: log-sum %v, want %v", c.name, lse, c.lse)
		}
		for i := range dst {
			if math.Abs(dst[i]-c.want[i]) > 1e-15 {
				t.Errorf("%s: %v, want %v", c.name, dst, c.want)
			}
		}
	}
}

func TestLogLoss(t *testing.T) {
	p := &model.Prediction{N: 3, K: 3, Prob: []float64{0.5, 0.25, 0.25, 1, 0, 0, 0.2, 0.2, 0.6}}
	got, err := model.LogLoss(p, []int8{-1, -1, 1}, []float64{1, 5, 3})
	want := -(math.Log(0.5) + 3*math.Log(0.6)) / 9
	if err != nil || math.Abs(got-want) > 1e-15 {
		t.Errorf("LogLoss = %v, %v; want %v", got, err, want)
	}
	// An impossible outcome costs −ln 1e-15, the floor.
	got, err = model.LogLoss(p, []int8{-1, 1, 1}, []float64{0, 1, 0})
	if err != nil || math.Abs(got+math.Log(1e-15)) > 1e-12 {
		t.Errorf("LogLoss of an impossible outcome = %v, %v", got, err)
	}
	for name, f := range map[string]func() error{
		"class":  func() error { _, err := model.LogLoss(p, []int8{0, 2, 0}, nil); return err },
		"length": func() error { _, err := model.LogLoss(p, []int8{0}, nil); return err },
		"weight": func() error { _, err := model.LogLoss(p, []int8{0, 0, 0}, []float64{0, 0, 0}); return err },
		"nan": func() error {
			_, err := model.LogLoss(&model.Prediction{N: 1, K: 3, Prob: []float64{math.NaN(), 0, 0}}, []int8{-1}, nil)
			return err
		},
	} {
		if f() == nil {
			t.Errorf("bad %s is accepted", name)
		}
	}
}
