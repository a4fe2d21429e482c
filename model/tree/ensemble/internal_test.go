package ensemble

import (
	"bytes"
	"errors"
	"runtime"
	"testing"

	"github.com/mlfactory/mlfactory/model"
)

func tiny() *Ensemble {
	return &Ensemble{
		Style: "test", Objective: "o", Link: Softmax, Columns: []string{"a", "b"}, Classes: []int8{-1, 0, 1}, Categorical: []int{1},
		Base: []float64{0, 0.1, -1}, Extra: map[string]float64{"x": 1, "y": 2},
		Trees: []Tree{
			{Width: 1, Class: 2, Nodes: []Node{
				{Feature: 0, Left: 1, Threshold: 0.5, DefaultLeft: true, Gain: 3, Cover: 10, Count: 40},
				{Feature: 1, Left: 3, Set: 1, Gain: 0.1, Cover: 6, Count: 20}, {Value: 0.25, Cover: 4, Count: 20}, {Value: -0.1, Cover: 3}, {Value: 1, Cover: 3},
			}, Sets: []Set{{5, 1}}},
			{Width: 3, Symmetric: true, Nodes: []Node{{Left: 1, Threshold: 1, ZeroMissing: true}, {}, {}}, Values: []float64{0, 0, 0, 1, 2, 3, 0.1, 0.2, 0.3}},
		},
	}
}

// FuzzDecodeBody: bytes that are no payload give an error, never a panic, an
// ensemble that does not pass Check or memory out of proportion; bytes that
// are one give an ensemble that predicts and is written as something that is
// read again as the same.
func FuzzDecodeBody(f *testing.F) {
	body := tiny().appendBody(nil)
	f.Add(body)
	f.Add(body[:len(body)/2])
	f.Add([]byte{})
	for i := 0; i < len(body); i += 5 {
		c := bytes.Clone(body)
		c[i] ^= 0xff
		f.Add(c)
	}
	f.Fuzz(func(t *testing.T, d []byte) {
		e, err := decodeBody(d)
		if err != nil {
			if !errors.Is(err, model.ErrDamaged) {
				t.Fatalf("error is not of damage: %v", err)
			}
			return
		}
		if err := e.Check(); err != nil {
			t.Fatalf("accepted: %v", err)
		}
		m, err := NewModel(e)
		if err != nil {
			t.Fatal(err)
		}
		if err := m.RawRow(make([]float32, len(e.Columns)), make([]float64, len(e.Base))); err != nil {
			t.Fatal(err)
		}
		again := e.appendBody(nil)
		e2, err := decodeBody(again)
		if err != nil || !bytes.Equal(again, e2.appendBody(nil)) {
			t.Fatalf("not read again: %v", err)
		}
	})
}

// TestDecodeAllocation: counts that promise more than the file holds are
// refused before memory is taken.
func TestDecodeAllocation(t *testing.T) {
	body := tiny().appendBody(nil)
	for i := range body {
		c := bytes.Clone(body)
		for j := i; j < min(i+4, len(c)); j++ {
			c[j] = 0x7f
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, _ = decodeBody(c) // whether it is refused depends on the byte; memory is what is tested
		runtime.ReadMemStats(&after)
		if got := after.TotalAlloc - before.TotalAlloc; got > 1<<20 {
			t.Fatalf("byte %d: %d bytes allocated for a payload of %d", i, got, len(c))
		}
	}
}
