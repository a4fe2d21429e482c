package ensemble_test

import (
	"bytes"
	"errors"
	"math"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mlfactory/mlfactory/model"
	"github.com/mlfactory/mlfactory/model/tree/ensemble"
)

func encode(t *testing.T, e *ensemble.Ensemble) []byte {
	t.Helper()
	var b bytes.Buffer
	check(t, e.Encode(&b))
	return b.Bytes()
}

func TestRoundTrip(t *testing.T) {
	for i, s := range shapes {
		t.Run(s.name, func(t *testing.T) {
			e := s.make(random(uint64(i)))
			raw := encode(t, e)
			got, err := ensemble.Decode(bytes.NewReader(raw))
			check(t, err)
			if !reflect.DeepEqual(e, got) {
				t.Errorf("other than written:\n%s", cmp.Diff(e, got))
			}
			if again := encode(t, got); !bytes.Equal(raw, again) {
				t.Error("other bytes the second time")
			}
			nodes := 0
			for i := range e.Trees {
				nodes += len(e.Trees[i].Nodes)
			}
			if s.single && !s.vector && nodes > 1000 && len(raw) > 36*nodes {
				t.Errorf("%d bytes for %d nodes", len(raw), nodes)
			}
		})
	}
}

// TestRoundTripBits: what floats mean is not enough, their bits come back.
func TestRoundTripBits(t *testing.T) {
	e := shapes[0].make(random(1))
	e.Trees[0].Nodes[0].Value = math.Copysign(0, -1)
	e.Trees[0].Nodes[0].Threshold = float32(math.Copysign(0, -1))
	e.Trees[0].Nodes[1].Value = math.SmallestNonzeroFloat64
	got, err := ensemble.Decode(bytes.NewReader(encode(t, e)))
	check(t, err)
	a, b := &got.Trees[0].Nodes[0], &got.Trees[0].Nodes[1]
	if !math.Signbit(a.Value) || !math.Signbit(float64(a.Threshold)) || b.Value != math.SmallestNonzeroFloat64 {
		t.Errorf("-0, -0 and 5e-324 came back as %v, %v and %v", a.Value, a.Threshold, b.Value)
	}
}

func TestDecodeNoticesDamage(t *testing.T) {
	s := shapes[3]
	s.trees = 1
	raw := encode(t, s.make(random(2)))
	for n := 0; n < len(raw); n += 7 {
		if _, err := ensemble.Decode(bytes.NewReader(raw[:n])); !errors.Is(err, model.ErrDamaged) {
			t.Fatalf("first %d bytes: %v", n, err)
		}
		c := bytes.Clone(raw)
		c[n] ^= 4
		if _, err := ensemble.Decode(bytes.NewReader(c)); !errors.Is(err, model.ErrDamaged) {
			t.Fatalf("byte %d changed: %v", n, err)
		}
	}
}

// TestCheckRefuses changes one thing at a time in a sound ensemble; neither
// Encode nor Decode lets it pass.
func TestCheckRefuses(t *testing.T) {
	nan := math.NaN()
	for _, c := range []struct {
		want  string
		spoil func(e *ensemble.Ensemble)
	}{
		{"no columns", func(e *ensemble.Ensemble) { e.Columns = nil }},
		{"both named", func(e *ensemble.Ensemble) { e.Columns[3] = e.Columns[1] }},
		{"no scores", func(e *ensemble.Ensemble) { e.Base = nil }},
		{"scores for a logistic link", func(e *ensemble.Ensemble) { e.Link = ensemble.Logistic }},
		{"unknown link", func(e *ensemble.Ensemble) { e.Link = 99 }},
		{"base score 1 is NaN", func(e *ensemble.Ensemble) { e.Base[1] = nan }},
		{"classes for", func(e *ensemble.Ensemble) { e.Classes = []int8{-1, 1} }},
		{"in that order", func(e *ensemble.Ensemble) { e.Classes = []int8{-1, 1, 0} }},
		{"in that order", func(e *ensemble.Ensemble) { e.Classes = []int8{0, 1, 2} }},
		{"categorical column 20 of 20", func(e *ensemble.Ensemble) { e.Categorical = []int{20} }},
		{"alpha is NaN", func(e *ensemble.Ensemble) { e.Extra["alpha"] = nan }},
		{"not in float32", func(e *ensemble.Ensemble) { e.Mean = true }},
		{"adds to score 3 of 3", func(e *ensemble.Ensemble) { e.Trees[4].Class = 3 }},
		{"leaves of 2 values", func(e *ensemble.Ensemble) { e.Trees[4].Width = 2 }},
		{"126 nodes", func(e *ensemble.Ensemble) { e.Trees[4].Nodes = e.Trees[4].Nodes[:126] }},
		{"nodes are reached", func(e *ensemble.Ensemble) { e.Trees[4].Nodes = append(e.Trees[4].Nodes, make([]ensemble.Node, 2)...) }},
		{"has children at 1", func(e *ensemble.Ensemble) { e.Trees[4].Nodes[1].Left = 1 }},
		{"splits column 20 of 20", func(e *ensemble.Ensemble) { e.Trees[4].Nodes[7].Feature = 20 }},
		{"uses set 1 of 0", func(e *ensemble.Ensemble) { e.Trees[4].Nodes[7].Set = 1 }},
		{"not categorical", func(e *ensemble.Ensemble) { e.Trees[4].Sets, e.Trees[4].Nodes[7].Set = []ensemble.Set{{1}}, 1 }},
		{"not finite", func(e *ensemble.Ensemble) { e.Trees[4].Nodes[7].Cover = nan }},
		{"not finite", func(e *ensemble.Ensemble) { e.Trees[4].Nodes[7].Threshold = float32(nan) }},
		{"not symmetric", func(e *ensemble.Ensemble) { e.Trees[4].Symmetric = true }},
	} {
		e := shapes[0].make(random(3))
		c.spoil(e)
		var b bytes.Buffer
		if err := e.Encode(&b); err == nil || !strings.Contains(err.Error(), c.want) || b.Len() > 0 {
			t.Errorf("%s: %d bytes written, error %v", c.want, b.Len(), err)
		}
		if _, err := ensemble.NewModel(e); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: a model is made, error %v", c.want, err)
		}
	}
}
