package format_test

import (
	"bytes"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/mlfactory/mlfactory/model/tree/ensemble"
	"github.com/mlfactory/mlfactory/model/tree/format"
)

// golden is a file of testdata/golden/gen_formats.py.
type golden struct {
	Reference, Version, Generator, Note, File string
	Seed                                      int
	Tolerance                                 struct{ Raw, Prob float64 }
	Params                                    map[string]any
	X                                         [][]*float64
	Raw, Prob                                 [][]float64
	Categories                                map[string][]string
	Classes                                   []int8
}

func goldens(t *testing.T) map[string]*golden {
	t.Helper()
	names, err := filepath.Glob("testdata/golden/*.json")
	if err != nil || len(names) == 0 {
		t.Fatal(names, err)
	}
	out := map[string]*golden{}
	for _, name := range names {
		if strings.HasSuffix(name, ".model.json") {
			continue
		}
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		g := &golden{}
		if err := json.Unmarshal(b, g); err != nil {
			t.Fatal(name, err)
		}
		out[strings.TrimSuffix(filepath.Base(name), ".json")] = g
	}
	return out
}

func (g *golden) bytes(t testing.TB) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata/golden", g.File))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func (g *golden) options(name string) format.Options {
	return format.Options{Best: name == "xgb_best", Categories: g.Categories}
}

// rows are the inputs; null is NaN.
func (g *golden) rows() [][]float32 {
	out := make([][]float32, len(g.X))
	for i, r := range g.X {
		for _, x := range r {
			v := float32(math.NaN())
			if x != nil {
				v = float32(*x)
			}
			out[i] = append(out[i], v)
		}
	}
	return out
}

// compare returns the largest difference of raw scores and of probabilities.
func (g *golden) compare(t testing.TB, e *ensemble.Ensemble) (raw, prob float64) {
	t.Helper()
	out := make([]float64, e.Scores())
	for i, x := range g.rows() {
		e.Score(x, out)
		want := g.Raw[i]
		if len(want) != len(out) {
			t.Fatalf("%d scores, the library gives %d", len(out), len(want))
		}
		for c, s := range out {
			raw = math.Max(raw, math.Abs(s-want[c])/math.Max(1, math.Abs(want[c])))
		}
		if g.Prob == nil {
			continue
		}
		p := probabilities(e.Link, out)
		if want := g.Prob[i]; len(want) == 1 {
			prob = math.Max(prob, math.Abs(p[0]-want[0]))
		} else {
			for c := range want {
				prob = math.Max(prob, math.Abs(p[c]-want[c]))
			}
		}
	}
	return raw, prob
}

// probabilities are P(1), or of all classes, by the definition of the link.
func probabilities(l ensemble.Link, s []float64) []float64 {
	out := make([]float64, len(s))
	sum := 0.0
	for c, x := range s {
		switch l {
		case ensemble.Logistic:
			return []float64{1 / (1 + math.Exp(-x))}
		case ensemble.Softmax:
			out[c] = math.Exp(x)
		case ensemble.OneVsAll:
			out[c] = 1 / (1 + math.Exp(-x))
		default:
			out[c] = x
		}
		sum += out[c]
	}
	for c := range out {
		out[c] /= sum
	}
	return out
}

// The library's files give the library's scores.
func TestGolden(t *testing.T) {
	for name, g := range goldens(t) {
		t.Run(name, func(t *testing.T) {
			data := g.bytes(t)
			f, ok := format.Detect(data)
			if !ok {
				t.Fatal("the format is not detected")
			}
			m, err := format.Import(data, f, g.options(name))
			if err != nil {
				t.Fatal(err)
			}
			raw, prob := g.compare(t, m.Ensemble)
			t.Logf("%s %s: raw %.2g, probability %.2g; %s %s, %d trees; %q", f, m.Version, raw, prob, m.Style, m.Objective, len(m.Trees), m.Notes)
			if raw > g.Tolerance.Raw || prob > g.Tolerance.Prob {
				t.Errorf("raw scores differ by %.3g (allowed %g), probabilities by %.3g (%g)", raw, g.Tolerance.Raw, prob, g.Tolerance.Prob)
			}
		})
	}
}

// Read, written and read again, an ensemble is the same, in its own format and
// both of XGBoost's.
func TestRoundTrip(t *testing.T) {
	for name, g := range goldens(t) {
		t.Run(name, func(t *testing.T) {
			data := g.bytes(t)
			f, _ := format.Detect(data)
			m, err := format.Import(data, f, g.options(name))
			if err != nil {
				t.Fatal(err)
			}
			formats := []format.Format{f}
			if m.Style == "xgboost" {
				formats = []format.Format{format.XGBoostJSON, format.XGBoostUBJ}
			}
			for _, f := range formats {
				var b bytes.Buffer
				if err := format.Export(&b, m.Ensemble, f); err != nil {
					t.Fatal(err)
				}
				if d, _ := format.Detect(b.Bytes()); d != f {
					t.Fatalf("%s is taken for %q", f, d)
				}
				again, err := format.Import(b.Bytes(), f, format.Options{})
				if err != nil {
					t.Fatal(err)
				}
				differ(t, m.Ensemble, again.Ensemble)
				var twice bytes.Buffer
				if err := format.Export(&twice, again.Ensemble, f); err != nil || !bytes.Equal(b.Bytes(), twice.Bytes()) {
					t.Errorf("written twice, %s differs (%v)", f, err)
				}
			}
		})
	}
}

// differ reports the first difference of two ensembles.
func differ(t *testing.T, a, b *ensemble.Ensemble) {
	t.Helper()
	if len(a.Trees) != len(b.Trees) {
		t.Fatalf("%d and %d trees", len(a.Trees), len(b.Trees))
	}
	for i := range a.Trees {
		if !reflect.DeepEqual(a.Trees[i], b.Trees[i]) {
			x, y := a.Trees[i], b.Trees[i]
			for j := range x.Nodes {
				if j < len(y.Nodes) && x.Nodes[j] != y.Nodes[j] {
					t.Fatalf("tree %d node %d:\n%+v\n%+v", i, j, x.Nodes[j], y.Nodes[j])
				}
			}
			x.Nodes, y.Nodes = nil, nil
			t.Fatalf("tree %d:\n%+v\n%+v", i, x, y)
		}
	}
	x, y := *a, *b
	x.Trees, y.Trees = nil, nil
	if !reflect.DeepEqual(x, y) {
		t.Errorf("\n%+v\n%+v", x, y)
	}
}
