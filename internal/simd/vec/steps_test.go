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
			g := gates[4*units*t+panel*b:][:panel]
			of := w[panel*b*(units+1):]
			for k := range g {
				for j, v := range state {
					if before != nil || t > 0 {
						g[k] = fma(v, of[panel*(j+1)+k], g[k])
					}
				}
				g[k] += of[k]
			}
			i, f, u, o := g[:16], g[16:32], g[32:48], g[48:]
			cells := c[LSTMUnits*b:][:LSTMUnits]
			LSTM(i, f, u, o, cells, i, f, u, o, cells, make([]float32, LSTMUnits), next[LSTMUnits*b:][:LSTMUnits])
		}
		copy(h[units*t:], next)
		state = next
	}
}

// stepsAgree compares every path with the plain loop on drawn values.
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
	w, gates, cells := draw(4*units*(units+1), 0.2), draw(4*units*steps, 1), draw(units, 1)
	var before []float32
	if from {
		before = draw(units, 1)
	}
	run := func(f func(units, steps int, w, gates, before, c, h []float32)) [][]float32 {
		// A value more on both sides shows what is written beside them.
		g, c, h := append(slices.Clone(gates), 7), append([]float32{7}, append(slices.Clone(cells), 7)...), append(make([]float32, 1+steps*units), 7)
		b, v := slices.Clone(before), slices.Clone(w)
		f(units, steps, v, g[:len(g)-1], b, c[1:units+1], h[1:1+steps*units])
		if !slices.Equal(b, before) || !slices.Equal(v, w) {
			t.Errorf("%d units: weights or the state before have changed", units)
		}
		return [][]float32{g, c, h}
	}
	want := run(plainSteps)
	for _, p := range simd.Supported() {
		simd.Force(t, p)
		if p == simd.Generic {
			continue
		}
		got := run(LSTMSteps)
		for k, name := range []string{"gates", "cells", "states"} {
			if !slices.Equal(got[k], want[k]) {
				t.Fatalf("%v: %d units, %d steps, from a state: %v: %s differ", p, units, steps, from, name)
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
	for name, f := range map[string]func(){
		"weights": func() { LSTMSteps(16, 2, v(64*17-1), v(128), nil, v(16), v(32)) },
		"gates":   func() { LSTMSteps(16, 2, v(64*17), v(64), nil, v(16), v(32)) },
		"before":  func() { LSTMSteps(16, 2, v(64*17), v(128), v(15), v(16), v(32)) },
		"cells":   func() { LSTMSteps(16, 2, v(64*17), v(128), nil, v(15), v(32)) },
		"states":  func() { LSTMSteps(16, 2, v(64*17), v(128), nil, v(16), v(16)) },
		"units":   func() { LSTMSteps(24, 2, v(96*25), v(192), nil, v(24), v(48)) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s were taken", name)
				}
			}()
			f()
		}()
	}
	for _, p := range simd.Supported() {
		simd.Force(t, p)
		for _, units := range []int{0, 8, 16, 24, 64} {
			if fit := LSTMStepsFit(units); fit != (p != simd.Generic && (units == 16 || units == 64)) {
				t.Errorf("%v, %d units: a kernel: %v", p, units, fit)
			}
		}
	}
}
