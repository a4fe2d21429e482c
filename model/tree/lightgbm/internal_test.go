package lightgbm

import (
	"context"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/mlfactory/mlfactory/internal/simd/hist"
	"github.com/mlfactory/mlfactory/model"
	"github.com/mlfactory/mlfactory/model/tree/core"
	"github.com/mlfactory/mlfactory/model/tree/ensemble"
	"github.com/mlfactory/mlfactory/rng"
	"github.com/mlfactory/mlfactory/view"
)

// These tests look inside, because the parts can be wrong in ways that a
// trained model hides.

// noisy makes rows of a numeric column, one with missing values and one of
// categories, with a target of two classes.
func noisy(n int, seed uint64) core.Data {
	r := rand.New(rand.NewPCG(seed, 3))
	d := core.Data{X: view.NewTable(n, []string{"a", "b", "c"}), Y: make([]float64, n)}
	for i := range n {
		a, b, c := r.NormFloat64(), r.NormFloat64(), r.IntN(9)
		if a*b+float64(c*5%9-4)/4+r.NormFloat64() > 0 {
			d.Y[i] = 1
		}
		if r.IntN(10) == 0 {
			b = math.NaN()
		}
		d.X.Col(0)[i], d.X.Col(1)[i], d.X.Col(2)[i] = float32(a), float32(b), float32(c)
	}
	return d
}

// The scores that training keeps, by adding, dropping and adding again, are
// those of the ensemble it returns, for rows in the bag and outside it.
func TestTrainingScoresAreTheEnsembles(t *testing.T) {
	for name, change := range map[string]func(c *Config){
		"gbdt":    func(*Config) {},
		"bagging": func(c *Config) { c.BaggingFraction, c.BaggingFreq = 0.5, 2 },
		"goss":    func(c *Config) { c.DataSampleStrategy = GOSS },
		"dart":    func(c *Config) { c.Boosting, c.SkipDrop, c.DropRate = DART, 0.1, 0.5 },
		"xgboost": func(c *Config) { c.Boosting, c.SkipDrop, c.DropRate, c.XGBoostDartMode = DART, 0.1, 0.5, true },
		"zeros":   func(c *Config) { c.ZeroAsMissing = true },
		"filled":  func(c *Config) { c.UseMissing = false },
	} {
		t.Run(name, func(t *testing.T) {
			d := noisy(900, 4)
			for i := range 200 {
				d.X.Col(0)[i] = 0
			}
			c := Default()
			c.Objective, c.NumIterations, c.LearningRate, c.NumLeaves, c.CategoricalFeature, c.MinDataPerGroup = Binary, 25, 0.3, 8, []string{"c"}, 20
			change(&c)
			e := model.Env{Stream: rng.New(2), Workers: 2}
			tr, err := newTrainer(e, d, c, Options{})
			if err != nil {
				t.Fatal(err)
			}
			if err := tr.boost(context.Background(), e, nil); err != nil {
				t.Fatal(err)
			}
			m, err := ensemble.NewModel(tr.out)
			if err != nil {
				t.Fatal(err)
			}
			raw, err := m.Raw(context.Background(), d.X, nil)
			if err != nil {
				t.Fatal(err)
			}
			for i, s := range tr.score {
				if math.Abs(float64(s)-raw[i]) > 2e-5 { // sums in float32
					t.Fatalf("row %d has the score %v in training, %v by the ensemble", i, s, raw[i])
				}
			}
			if tr.drop != nil && len(tr.drop.weight) != 25 {
				t.Errorf("%d weights for 25 rounds", len(tr.drop.weight))
			}
		})
	}
}

// The plain search and the general one with a penalty too small to matter find
// the same splits, with the same directions and ties.
func TestPlainAndGeneralSearchAgree(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 1))
	found := 0
	for round := range 300 {
		var h hist.Block
		nbin, tot, rows := make([]int, 1+r.IntN(8)), uint64(0), 200
		for k := range nbin {
			nbin[k] = 3 + r.IntN(60)
		}
		col := make([]column, len(nbin))
		for k := range col {
			col[k].missing = r.IntN(2) == 0
			col[k].residual = r.IntN(3) == 0
		}
		for range rows {
			p := hist.Pack(int64(r.IntN(200001)-100000), int64(50000+r.IntN(100000)))
			tot += p
			for k, nb := range nbin {
				b := 1 + r.IntN(nb-1)
				if col[k].missing && r.IntN(5) == 0 {
					b = core.MissingBin
				}
				h[b*hist.Lanes+k] += p
			}
		}
		c := Default()
		sc := core.Scales{G: 1 << 16, H: 1 << 16}
		plain := newSearch(&c, col, nil, false)
		c.LambdaL1 = 1e-12
		general := newSearch(&c, col, nil, false)
		plain.scale(sc)
		general.scale(sc)
		if plain.general || !general.general {
			t.Fatal("the two searches are of one kind")
		}
		mask := uint8(r.IntN(256)) & uint8(1<<len(nbin)-1)
		search := func(s *search) (split, uint8) {
			nd := node{tot: core.Sums{A: tot}, rows: rows, scanned: []uint8{mask}, alive: []uint8{0}}
			best := none
			s.block(0, core.Planes{G: &h}, core.Planes{}, slices.Max(nbin), nbin, &nd, &best)
			return best, nd.alive[0]
		}
		a, x := search(&plain)
		b, y := search(&general)
		if a.feature != b.feature || a.bin != b.bin || a.missLeft != b.missLeft || a.left != b.left || x != y {
			t.Fatalf("round %d: plain %+v %b, general %+v %b", round, a, x, b, y)
		}
		if a.feature >= 0 {
			found++
			if mask>>a.feature&1 == 0 {
				t.Fatalf("round %d: feature %d is masked", round, a.feature)
			}
			if math.Abs(a.gain-b.gain) > 1e-9*(1+a.gain) {
				t.Fatalf("round %d: gains %v and %v", round, a.gain, b.gain)
			}
		}
	}
	if found < 200 {
		t.Errorf("a split was found in %d of 300 rounds", found)
	}
}

// Bounds worked out by hand after LightGBM's rules; TestLightGBMParity holds
// whole columns to the library's.
func TestBounds(t *testing.T) {
	inf := math.Inf(1)
	up := func(x float64) float64 { return math.Nextafter(x, inf) }
	for _, tc := range []struct {
		name    string
		vals    []run
		k, held int
		least   int
		want    []float64
	}{
		{"few values", []run{{1, 5}, {2, 5}, {4, 5}}, 10, 15, 3, []float64{zero, up(1.5), up(3), inf}},
		{"zero apart", []run{{-1, 5}, {0, 5}, {2, 5}}, 10, 15, 3, []float64{-zero, zero, inf}},
		{"rare values join", []run{{1, 2}, {2, 2}, {4, 5}, {9, 1}}, 10, 10, 3, []float64{zero, up(3), up(6.5), inf}},
		{"only negative", []run{{-3, 4}, {-1, 4}}, 10, 8, 3, []float64{up(-2), -zero, inf}},
		{"equal counts", []run{{1, 2}, {2, 2}, {3, 2}, {4, 2}, {5, 2}, {6, 2}}, 4, 12, 1, []float64{zero, up(2.5), up(4.5), inf}},
		{"a heavy value", []run{{1, 1}, {2, 10}, {3, 1}, {4, 1}, {5, 1}, {6, 1}}, 4, 15, 1, []float64{zero, up(2.5), up(5.5), inf}},
		{"two bins", []run{{-1, 5}, {1, 5}}, 2, 10, 1, []float64{-zero, inf}},
	} {
		b := binner{cfg: &Config{MinDataInBin: tc.least}}
		if got := b.bounds(tc.vals, tc.k, tc.held, false); !slices.Equal(got, tc.want) {
			t.Errorf("%s: %v, want %v", tc.name, got, tc.want)
		}
	}
}

// A heap of leaves gives them back in the order of sooner.
func TestQueueOrder(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 1))
	var g grower
	var want []*leaf
	for i := range 200 {
		lf := &leaf{index: i, best: split{gain: float64(r.IntN(20)), feature: r.IntN(3)}}
		want = append(want, lf)
		g.push(lf)
	}
	slices.SortFunc(want, func(a, b *leaf) int {
		switch {
		case sooner(a, b):
			return -1
		case sooner(b, a):
			return 1
		}
		return 0
	})
	for i, w := range want {
		if got := g.pop(); got != w {
			t.Fatalf("leaf %d comes as number %d, want %d", got.index, i, w.index)
		}
	}
}

func TestPercentile(t *testing.T) {
	v := []float64{4, 1, 3, 2}
	at := func(i int) float64 { return v[i] }
	ones := func(int) float64 { return 1 }
	light := func(int) float64 { return 0.5 }
	for _, tc := range []struct {
		alpha  float64
		weight func(int) float64
		want   float64
	}{
		{0.5, nil, 2.5}, {0.9, nil, 3.7}, {0, nil, 1}, {1, nil, 4},
		{0.5, ones, 2}, {0.6, ones, 2.4}, {0.1, ones, 1}, {0.99, ones, 4},
		{0.6, light, 2}, // weights below one are not interpolated
	} {
		if got := percentile(4, at, tc.weight, tc.alpha); math.Abs(got-tc.want) > 1e-12 {
			t.Errorf("the %v quantile, weights %v: %v, want %v", tc.alpha, tc.weight != nil, got, tc.want)
		}
	}
}
