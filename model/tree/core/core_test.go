package core

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/mlfactory/mlfactory/internal/simd/hist"
	"github.com/mlfactory/mlfactory/view"
)

// These tests look inside, because the parts can be wrong in ways that a
// trained model hides.

func TestNewCuts(t *testing.T) {
	for _, tc := range []struct {
		name string
		s, w []float32
		k    int
		want []float32
	}{
		{"none", nil, nil, 4, nil},
		{"one value", []float32{3, 3, 3}, nil, 4, nil},
		{"few values", []float32{1, 2, 2, 5}, nil, 3, []float32{2, 5}},
		{"equal counts", []float32{1, 2, 3, 4, 5, 6, 7, 8}, nil, 4, []float32{3, 5, 7}},
		{"a heavy value", []float32{1, 2, 3, 3, 3, 3, 3, 3, 3, 4, 5}, nil, 4, []float32{3, 4, 5}},
		{"two heavy values", []float32{0, 0, 0, 0, 1, 2, 3, 9, 9, 9, 9, 9}, nil, 3, []float32{1, 9}},
		{"weights", []float32{1, 2, 3, 4}, []float32{1, 1, 1, 9}, 2, []float32{4}},
		{"weights of 2", []float32{1, 2, 3, 4, 5}, []float32{2, 1, 2, 1, 2}, 2, []float32{4}},
		{"the same rows twice", []float32{1, 1, 2, 3, 3, 4, 5, 5}, nil, 2, []float32{4}},
	} {
		c := NewCuts(tc.s, tc.w, tc.k)
		if !slices.Equal(c.Edge, tc.want) {
			t.Errorf("%s: edges %v, want %v", tc.name, c.Edge, tc.want)
		}
		if n := len(tc.s); n > 0 && !(c.Last > tc.s[n-1]) {
			t.Errorf("%s: the last threshold %v is not above %v", tc.name, c.Last, tc.s[n-1])
		}
	}
}

// walk is the greedy cut as a walk over all rows, which evenEdges spares.
func walk(s []float32, k int) []float32 {
	var edges []float32
	left, bins, held := len(s), k, 0
	for i := 0; i < len(s) && bins > 1; {
		j := i
		for j < len(s) && s[j] == s[i] {
			j++
		}
		if held > 0 && (held*bins >= left || (j-i)*bins >= left) {
			edges = append(edges, s[i])
			left, bins, held = left-held, bins-1, 0
		}
		held += j - i
		i = j
	}
	return edges
}

func TestEvenEdgesAreThoseOfTheWalk(t *testing.T) {
	r := rand.New(rand.NewPCG(8, 1))
	for range 3000 {
		n, levels, k := 1+r.IntN(300), 1+r.IntN(200), 1+r.IntN(60)
		s := make([]float32, n)
		heavy := r.IntN(4)
		for i := range s {
			s[i] = float32(r.IntN(levels))
			if r.IntN(5) < heavy {
				s[i] = float32(r.IntN(3) * levels / 3)
			}
		}
		slices.Sort(s)
		if a, b := evenEdges(s, k), walk(s, k); !slices.Equal(a, b) {
			t.Fatalf("%v in %d bins: %v, want %v", s, k, a, b)
		}
	}
}

// On continuous values no bin holds more than its share by more than one value.
func TestCutsAreEven(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	s := make([]float32, 10000)
	for i := range s {
		s[i] = float32(math.Exp(r.NormFloat64()))
	}
	slices.Sort(s)
	c := NewCuts(s, nil, 255)
	if len(c.Edge) != 254 {
		t.Fatalf("%d edges, want 254", len(c.Edge))
	}
	bins := make([]uint8, len(s))
	c.assign(s, bins)
	var count [256]int
	for _, b := range bins {
		count[b]++
	}
	for b, n := range count[1:] {
		if n < 35 || n > 45 { // 10000/255 = 39.2; float32 ties aside
			t.Errorf("bin %d holds %d rows", b+1, n)
		}
	}
}

func TestAssignCountsEdges(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 1))
	for _, edges := range []int{0, 1, 2, 3, 62, 63, 127, 128, 253, 254} {
		c := Cuts{}
		for range edges {
			c.Edge = append(c.Edge, float32(r.NormFloat64()))
		}
		slices.Sort(c.Edge)
		vals := []float32{0, float32(math.Copysign(0, -1)), math.MaxFloat32, -math.MaxFloat32, float32(math.NaN())}
		for range 300 {
			vals = append(vals, float32(r.NormFloat64()))
		}
		vals = append(vals, c.Edge...)
		got := make([]uint8, len(vals))
		if !c.assign(vals, got) {
			t.Errorf("%d edges: the missing value went unnoticed", edges)
		}
		for i, v := range vals {
			want := 1
			for _, e := range c.Edge {
				if e <= v {
					want++
				}
			}
			if v != v {
				want = MissingBin
			}
			if int(got[i]) != want {
				t.Fatalf("%d edges: %v has bin %d, want %d", edges, v, got[i], want)
			}
		}
	}
}

func TestOrderedKeyKeepsTheOrder(t *testing.T) {
	v := []float32{-math.MaxFloat32, -1e10, -1, -math.SmallestNonzeroFloat32, 0, math.SmallestNonzeroFloat32, 1e-30, 1, 7, math.MaxFloat32}
	for i, a := range v {
		if FromKey(OrderedKey(a)) != a {
			t.Errorf("%v became %v", a, FromKey(OrderedKey(a)))
		}
		if i > 0 && OrderedKey(v[i-1]) >= OrderedKey(a) {
			t.Errorf("%v and %v change places", v[i-1], a)
		}
	}
	if OrderedKey(float32(math.Copysign(0, -1))) != OrderedKey(0) {
		t.Error("−0 and 0 differ")
	}
}

func TestSorterAgreesWithASort(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 1))
	vals, w := make([]float32, 3000), make([]float32, 3000)
	for i := range vals {
		vals[i], w[i] = float32(r.NormFloat64()*1e3), 1
		if i%7 == 0 {
			vals[i] = float32(math.NaN())
		}
	}
	var finite []float32
	for _, v := range vals {
		if v == v {
			finite = append(finite, v)
		}
	}
	slices.Sort(finite)
	want := NewCuts(finite, nil, 100)
	var plain, weighted sorter
	for range 2 { // buffers are used again
		if got := plain.cuts(vals, nil, EqualWeight(100)); !slices.Equal(got.Edge, want.Edge) || got.Last != want.Last {
			t.Fatal("the edges are not those of the sorted values")
		}
		if got := weighted.cuts(vals, w, EqualWeight(100)); !slices.Equal(got.Edge, want.Edge) || got.Last != want.Last {
			t.Fatal("weights of 1 change the edges")
		}
	}
}

func TestMatrixHoldsTheSameBinsTwice(t *testing.T) {
	r := rand.New(rand.NewPCG(4, 1))
	for _, p := range []int{1, 7, 8, 9, 20, 70, 130} {
		x := view.NewTable(50, make([]string, p))
		for i := range x.Data {
			x.Data[i] = float32(r.IntN(40))
			if r.IntN(10) == 0 {
				x.Data[i] = float32(math.NaN())
			}
		}
		rows := []int{0, 3, 4, 10, 11, 12, 40, 49}
		for _, workers := range []int{1, 3} {
			m, err := NewMatrix(x, rows, nil, EqualWeight(15), NewPool(workers))
			if err != nil {
				t.Fatal(err)
			}
			o, err := m.Like(x, rows, NewPool(workers))
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(m.Words, o.Words) {
				t.Fatalf("%d columns: the same rows binned by the same edges differ", p)
			}
			for i := range rows {
				for j := range p {
					w := uint8(m.Words[i*m.Stride+j/8] >> (8 * (j % 8)))
					if w != m.Col[j][i] {
						t.Fatalf("row %d column %d of %d: %d in the words, %d in the column", i, j, p, w, m.Col[j][i])
					}
				}
			}
		}
	}
}

// No sum of quantised gradients may leave 32 bits, however they are spread.
func TestQuantisedSumsStayInRange(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 1))
	for _, spread := range []float64{0, 1, 5, 20} {
		for _, n := range []int{1, 2, 100, 30000} {
			g, h, rows, gh := make([]float32, n), make([]float32, n), make([]uint32, n), make([]uint64, n)
			sg, sh := 0.0, 0.0
			for i := range g {
				g[i] = float32(math.Exp(spread * r.NormFloat64()))
				h[i] = float32(math.Exp(spread * r.NormFloat64()))
				rows[i] = uint32(i)
				sg, sh = sg+float64(g[i]), sh+float64(h[i])
			}
			sc := NewScales(sg, sh, n)
			sum := sc.Quantise(rows, g, h, gh)
			var tg, th int64
			for _, p := range gh {
				a, b := hist.Unpack(p)
				tg, th = tg+a, th+b
			}
			a, b := hist.Unpack(sum)
			if a != tg || b != th || tg >= 1<<31 || th >= 1<<32 || tg < 1<<29 || th < 1<<30 {
				t.Errorf("n=%d spread=%v: sums %d and %d, packed %d and %d", n, spread, tg, th, a, b)
			}
			if d := float64(tg)/sc.G/sg - 1; math.Abs(d) > 1e-4 {
				t.Errorf("n=%d spread=%v: the gradient sum is off by %g", n, spread, d)
			}
		}
	}
	// All gradients zero: a fit that is perfect.
	if p := NewScales(0, 0, 5).Quantise([]uint32{0}, []float32{0}, []float32{0}, make([]uint64, 1)); p != 0 {
		t.Errorf("zero became %x", p)
	}
	if sc := NewScales(1e-44, 1e-44, 5); math.IsInf(float64(float32(sc.G)), 0) || math.IsInf(float64(float32(sc.H)), 0) {
		t.Errorf("tiny sums give scales %v that a float32 does not hold", sc)
	}
}

func TestRoutePartitionsStably(t *testing.T) {
	r := rand.New(rand.NewPCG(6, 1))
	col := make([]uint8, 500)
	for i := range col {
		col[i] = uint8(r.IntN(256))
		if i%9 == 0 {
			col[i] = MissingBin
		}
	}
	for _, bin := range []uint8{1, 100, 254, 255} {
		for _, missLeft := range []bool{false, true} {
			idx := make([]uint32, 0, 500)
			for i := range uint32(500) {
				if r.IntN(3) > 0 {
					idx = append(idx, i)
				}
			}
			var left, right []uint32
			for _, i := range idx {
				if col[i] == MissingBin && missLeft || col[i] != MissingBin && col[i] <= bin {
					left = append(left, i)
				} else {
					right = append(right, i)
				}
			}
			set := &BinSet{}
			for b := range bin {
				set.Add(b + 1)
			}
			if missLeft {
				set.Add(MissingBin)
			}
			for _, rule := range []*Rule{{Bin: bin, MissingLeft: missLeft}, {Set: set}} {
				into, buf := slices.Clone(idx), make([]uint32, len(idx))
				n := route(col, rule, into, into, buf)
				if !slices.Equal(into[:n], left) || !slices.Equal(buf[:len(idx)-n], right) {
					t.Errorf("bin %d, missing left %v, set %v: wrong division", bin, missLeft, rule.Set != nil)
				}
			}
		}
	}
	idx, out := []uint32{0, 1, 2, 9}, make([]uint32, 4)
	if n := route(col, &Rule{Set: &BinSet{1 << MissingBin}}, idx, idx, out); n != 2 || idx[0] != 0 || idx[1] != 9 || out[0] != 1 || out[1] != 2 {
		t.Errorf("missing values alone to the left: %v and %v", idx[:n], out)
	}
}

func TestExp32(t *testing.T) {
	for x := float32(-86); x < 87; x += 0.0371 {
		want := math.Exp(float64(x))
		if d := math.Abs(float64(Exp32(x))/want - 1); d > 3e-7 {
			t.Fatalf("Exp32(%v) is off by %.2g", x, d)
		}
	}
	if Exp32(-1000) != Exp32(-87) || Exp32(1000) != Exp32(88) || Exp32(0) != 1 {
		t.Error("the ends are not clamped, or e⁰ is not 1")
	}
}

// No wide sum leaves the 53 bits of a float64.
func TestWideSumsStayInRange(t *testing.T) {
	r := rand.New(rand.NewPCG(15, 1))
	for range 50 {
		n := 1 + r.IntN(3000)
		g, h, rows := make([]float32, n), make([]float32, n), make([]uint32, n)
		sumG, sumH := 0.0, 0.0
		for i := range g {
			scale := math.Exp2(float64(r.IntN(60) - 30))
			g[i], h[i], rows[i] = float32(r.NormFloat64()*scale), float32(r.Float64()*scale), uint32(i)
			sumG += math.Abs(float64(g[i]))
			sumH += float64(h[i])
		}
		sc := NewWideScales(sumG, sumH, n)
		wg, wh := make([]uint64, n), make([]uint64, n)
		a, b := sc.QuantiseWide(rows, g, h, wg, wh)
		up, down, total := int64(0), int64(0), int64(0)
		for i := range g {
			if v := int64(wg[i]); v > 0 {
				up += v
			} else {
				down += v
			}
			total += int64(wh[i])
			if d := math.Abs(float64(int64(wg[i]))/sc.G - float64(g[i])); d > 0.5/sc.G {
				t.Fatalf("gradient %v became %v", g[i], float64(int64(wg[i]))/sc.G)
			}
		}
		if up >= 1<<53 || down <= -(1<<53) || total >= 1<<53 || up+down != int64(a) || total != int64(b) {
			t.Fatalf("sums %d %d %d", up, down, total)
		}
	}
}

func TestNeedsWide(t *testing.T) {
	l := &Loss{Name: Softprob, K: 3}
	for _, tc := range []struct {
		name string
		tg   Targets
		want bool
		ok   bool
	}{
		{"plain", Targets{Y: make([]float32, 10)}, false, true},
		{"many rows", Targets{Y: make([]float32, wideRows+1)}, true, true},
		{"weights over 2³⁰", Targets{Y: make([]float32, 2), W: []float32{1 << 31, 1}}, true, true},
		{"weights over 2⁵⁰", Targets{Y: make([]float32, 2), W: []float32{1 << 51, 1}}, false, false},
	} {
		got, err := NeedsWide(l, &tc.tg)
		if got != tc.want || (err == nil) != tc.ok {
			t.Errorf("%s: %v, %v", tc.name, got, err)
		}
	}
}
