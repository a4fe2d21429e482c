package vec

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/mlfactory/mlfactory/internal/simd"
)

// plainSteps is what LSTMSteps documents, value by value.
func plainSteps(units, steps int, w, gates, before, c, h []float32) {
	state := slices.Clone(before)
	if before == nil {
		state = make([]float32, units)
	}
	const panel = 4 * LSTMUnits
	for t := range steps {
		next := make([]float32, units)
		for b := range units / LSTMUnits {
			g := slices.Clone(gates[4*units*t+panel*b:][:panel])
			for k := range g {
				row := k/LSTMUnits*units + b*LSTMUnits + k%LSTMUnits
				for j, v := range state {
					if before != nil || t > 0 {
						g[k] = fma(v, w[units*row+j], g[k])
					}
				}
			}
			i, f, u, o := g[:16], g[16:32], g[32:48], g[48:]
			cells := c[LSTMUnits*b:][:LSTMUnits]
			LSTM(i, f, u, o, cells, i, f, u, o, cells, make([]float32, LSTMUnits), next[LSTMUnits*b:][:LSTMUnits])
		}
		copy(h[units*t:], next)
		state = next
	}
}

// stepsAgree compares every path with the plain loop on drawn values, with all states kept and with two rows for them.
func stepsAgree(t *testing.T, blocks, steps int, from bool, seed uint64) {
	t.Helper()
	r := rand.New(rand.NewPCG(uint64(blocks), seed))
	draw := func(n int, size float64) []float32 {
		v := make([]float32, n)
		for i := range v {
			v[i] = float32(size * r.NormFloat64())
		}
		return v
	}
	units := LSTMUnits * blocks
	w, gates, cells := draw(4*units*units, 0.2), draw(4*units*steps, 1), draw(units, 1)
	var before []float32
	if from {
		before = draw(units, 1)
	}
	wantCells, wantStates := slices.Clone(cells), make([]float32, units*steps)
	plainSteps(units, steps, w, gates, before, wantCells, wantStates)
	for _, p := range simd.Supported() {
		simd.Force(t, p)
		if p == simd.Generic {
			continue
		}
		for _, rows := range []int{steps, 2} {
			// A value more on both sides shows what is written beside them.
			beside := func(v []float32) []float32 { return slices.Concat([]float32{7}, v, []float32{7}) }
			inside := func(v []float32) []float32 { return v[1 : len(v)-1 : len(v)-1] }
			g, c, h, room := beside(gates), beside(cells), beside(make([]float32, rows*units)), beside(make([]float32, StepsRoom(units)))
			packed := PackSteps(units, w, inside(room))
			b, v := slices.Clone(before), slices.Clone(room)
			LSTMSteps(&packed, steps, inside(g), b, inside(c), inside(h))
			if !slices.Equal(b, before) || !slices.Equal(room, v) {
				t.Errorf("%v: %d units: weights or the state before have changed", p, units)
			}
			if !slices.Equal(c, beside(wantCells)) {
				t.Fatalf("%v: %d units, %d steps, from a state: %v: cells differ", p, units, steps, from)
			}
			want := beside(make([]float32, rows*units))
			for s := range steps {
				copy(want[1+s%rows*units:], wantStates[s*units:(s+1)*units])
			}
			if !slices.Equal(h, want) {
				t.Fatalf("%v: %d units, %d steps in %d rows, from a state: %v: states differ", p, units, steps, rows, from)
			}
			for _, v := range [][]float32{g, room} {
				if v[0] != 7 || v[len(v)-1] != 7 {
					t.Fatalf("%v: %d units, %d steps: written beside sums or weights", p, units, steps)
				}
			}
		}
	}
}

func TestLSTMSteps(t *testing.T) {
	for blocks := 1; blocks <= 5; blocks++ {
		for steps := range 5 {
			stepsAgree(t, blocks, steps, false, 1)
			stepsAgree(t, blocks, steps, true, 2)
		}
	}
}

func FuzzLSTMSteps(f *testing.F) {
	f.Add(uint8(1), uint8(2), true, uint64(1))
	f.Add(uint8(3), uint8(5), false, uint64(2))
	f.Fuzz(func(t *testing.T, blocks, steps uint8, from bool, seed uint64) {
		stepsAgree(t, int(blocks%6)+1, int(steps%9), from, seed)
	})
}

func TestLSTMStepsRefuses(t *testing.T) {
	v := func(n int) []float32 { return make([]float32, n) }
	pack := func(units int) *StepWeights {
		p := PackSteps(units, v(4*units*units), v(StepsRoom(units)))
		return &p
	}
	refused := func(name string, f func()) {
		t.Helper()
		defer func() {
			if recover() == nil {
				t.Errorf("%s: taken", name)
			}
		}()
		f()
	}
	for _, p := range simd.Supported() {
		simd.Force(t, p)
		for _, units := range []int{0, 8, 16, 24, 64} {
			if fit := LSTMStepsFit(units); fit != (p != simd.Generic && (units == 16 || units == 64)) {
				t.Errorf("%v, %d units: a kernel: %v", p, units, fit)
			}
		}
		refused("units", func() { PackSteps(24, v(96*24), v(StepsRoom(24))) })
		if p == simd.Generic {
			refused("a path without a kernel", func() { pack(16) })
			continue
		}
		for _, units := range []int{16, 64} {
			room := StepsRoom(units)
			refused("weights", func() { PackSteps(units, v(4*units*units-1), v(room)) })
			refused("room", func() { PackSteps(units, v(4*units*units), v(room-1)) })
			w, sums := pack(units), 4*units
			refused("gates", func() { LSTMSteps(w, 3, v(sums), nil, v(units), v(3*units)) })
			refused("before", func() { LSTMSteps(w, 3, v(3*sums), v(units-1), v(units), v(3*units)) })
			refused("cells", func() { LSTMSteps(w, 3, v(3*sums), nil, v(units-1), v(3*units)) })
			refused("states", func() { LSTMSteps(w, 3, v(3*sums), nil, v(units), v(units)) })
			simd.Force(t, simd.Generic)
			refused("weights of another path", func() { LSTMSteps(w, 3, v(3*sums), nil, v(units), v(3*units)) })
			simd.Force(t, p)
		}
	}
}
