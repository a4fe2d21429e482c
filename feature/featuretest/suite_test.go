package featuretest_test

import (
	"testing"

	"github.com/mlfactory/mlfactory/bar"
	"github.com/mlfactory/mlfactory/bar/calendar"
	"github.com/mlfactory/mlfactory/feature"
	"github.com/mlfactory/mlfactory/feature/featuretest"
	"github.com/mlfactory/mlfactory/internal/race"
)

func TestEveryRegisteredKernelKeepsTheLaws(t *testing.T) {
	r := &feature.Registry{}
	if err := feature.Register(r); err != nil {
		t.Fatal(err)
	}
	featuretest.Run(t, r)
}

func place(t *testing.T) feature.Env {
	t.Helper()
	c, err := calendar.ByName(calendar.Synth)
	if err != nil {
		t.Fatal(err)
	}
	return feature.Env{Timeframe: bar.Minute, Calendar: c}
}

// laws are the laws that an entry breaks.
func laws(t *testing.T, e feature.Entry) map[string]bool {
	t.Helper()
	out := map[string]bool{}
	for _, p := range featuretest.Check(e, e.Default(), place(t)) {
		out[p.Law] = true
	}
	return out
}

func TestLeakyBreaksTheLawsOfTime(t *testing.T) {
	got := laws(t, featuretest.Leaky())
	for _, law := range []string{"block", "prefix", "future"} {
		if !got[law] {
			t.Errorf("a kernel that reads one bar ahead keeps the law %s", law)
		}
	}
	for law := range got {
		if law != "block" && law != "prefix" && law != "future" {
			t.Errorf("the leak also breaks %s, so it is no longer a leak alone", law)
		}
	}
}

// broken is a kernel with one fault, made from a good one.
type broken struct {
	feature.Kernel
	n       int
	first   int
	memory  int
	push    func(k *broken, b *bar.Bar, out []float64)
	restore func(k *broken, src []byte) error
	kept    []byte
}

func (k *broken) First() int  { return k.first }
func (k *broken) Memory() int { return k.memory }

func (k *broken) Push(b *bar.Bar, out []float64) {
	k.Kernel.Push(b, out)
	if k.push != nil {
		k.push(k, b, out)
	}
	k.n++
}

func (k *broken) PushBlock(s *bar.Series, lo, hi int, out [][]float64) {
	var b bar.Bar
	row := make([]float64, len(out))
	for i := lo; i < hi; i++ {
		s.At(i, &b)
		k.Push(&b, row)
		for j, x := range row {
			out[j][i-lo] = x
		}
	}
}

func (k *broken) Restore(src []byte) error {
	if k.restore != nil {
		return k.restore(k, src)
	}
	return k.Kernel.Restore(src)
}

// TestSuiteFindsEachFault plants one fault at a time and asks for the law that
// names it.
func TestSuiteFindsEachFault(t *testing.T) {
	r := &feature.Registry{}
	if err := feature.Register(r); err != nil {
		t.Fatal(err)
	}
	base, _ := r.Entry("rsi")
	for _, v := range []struct {
		law   string
		fault func(k *broken)
	}{
		{"first", func(k *broken) { k.first-- }},
		{"first", func(k *broken) { k.first++ }},
		{"memory", func(k *broken) { k.memory = 100 }},
		{"state", func(k *broken) { k.restore = func(*broken, []byte) error { return nil } }},
		{"state", func(k *broken) {
			k.restore = func(k *broken, src []byte) error { // forgets to check
				if len(src) > 30 && k.Kernel.Restore(src) != nil {
					return nil
				}
				return k.Kernel.Restore(src)
			}
		}},
		{"reset", func(k *broken) { // a counter that Reset forgets
			k.push = func(k *broken, _ *bar.Bar, out []float64) {
				if k.n == 900 {
					out[0]++
				}
			}
		}},
		{"scale", func(k *broken) { k.push = func(_ *broken, b *bar.Bar, out []float64) { out[0] += b.Close } }},
		{"flat", func(k *broken) {
			k.push = func(_ *broken, b *bar.Bar, out []float64) { out[0] += 0 / (b.High - b.Low) }
		}},
		{"jump", func(k *broken) {
			k.push = func(_ *broken, b *bar.Bar, out []float64) { out[0] += 1 / max(0, 500-b.Close) }
		}},
		{"volume", func(k *broken) { k.push = func(_ *broken, b *bar.Bar, out []float64) { out[0] += b.Volume } }},
		{"allocation", func(k *broken) { k.push = func(k *broken, _ *bar.Bar, _ []float64) { k.kept = make([]byte, 100) } }},
	} {
		if race.Enabled && v.law == "allocation" {
			continue // not counted there
		}
		e := base
		e.New = func(cfg any, env feature.Env) (feature.Kernel, error) {
			good, err := base.New(cfg, env)
			if err != nil {
				return nil, err
			}
			k := &broken{Kernel: good, first: good.First(), memory: good.Memory()}
			v.fault(k)
			return k, nil
		}
		if !laws(t, e)[v.law] {
			t.Errorf("a fault against the law %s was not found", v.law)
		}
	}
}

// TestDefaultFeaturesKeepTheLaws runs the configs of the default set that are
// not an entry's own default.
func TestDefaultFeaturesKeepTheLaws(t *testing.T) {
	r := &feature.Registry{}
	if err := feature.Register(r); err != nil {
		t.Fatal(err)
	}
	for _, s := range feature.DefaultSpecs() {
		if s.Params == nil {
			continue
		}
		cfg, err := r.Config(s)
		if err != nil {
			t.Fatal(err)
		}
		e, _ := r.Entry(s.Name)
		if e.Scale != feature.ScaleNone {
			t.Errorf("%s changes with the level of prices and is a default feature", s.Name)
		}
		for _, p := range featuretest.Check(e, cfg, place(t)) {
			t.Errorf("%s %v: %v", s.Name, s.Params, p)
		}
	}
}
