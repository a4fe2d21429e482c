package tree

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

func TestCuts(t *testing.T) {
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
		c := newCuts(tc.s, tc.w, tc.k)
		if !slices.Equal(c.edge, tc.want) {
			t.Errorf("%s: edges %v, want %v", tc.name, c.edge, tc.want)
		}
		if n := len(tc.s); n > 0 && !(c.last > tc.s[n-1]) {
			t.Errorf("%s: the last threshold %v is not above %v", tc.name, c.last, tc.s[n-1])
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
	c := newCuts(s, nil, 255)
	if len(c.edge) != 254 {
		t.Fatalf("%d edges, want 254", len(c.edge))
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
		c := cuts{}
		for range edges {
			c.edge = append(c.edge, float32(r.NormFloat64()))
		}
		slices.Sort(c.edge)
		vals := []float32{0, float32(math.Copysign(0, -1)), math.MaxFloat32, -math.MaxFloat32, float32(math.NaN())}
		for range 300 {
			vals = append(vals, float32(r.NormFloat64()))
		}
		vals = append(vals, c.edge...)
		got := make([]uint8, len(vals))
		if !c.assign(vals, got) {
			t.Errorf("%d edges: the missing value went unnoticed", edges)
		}
		for i, v := range vals {
			want := 1
			for _, e := range c.edge {
				if e <= v {
					want++
				}
			}
			if v != v {
				want = missingBin
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
		if fromKey(orderedKey(a)) != a {
			t.Errorf("%v became %v", a, fromKey(orderedKey(a)))
		}
		if i > 0 && orderedKey(v[i-1]) >= orderedKey(a) {
			t.Errorf("%v and %v change places", v[i-1], a)
		}
	}
	if orderedKey(float32(math.Copysign(0, -1))) != orderedKey(0) {
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
	want := newCuts(finite, nil, 100)
	var plain, weighted sorter
	for range 2 { // buffers are used again
		if got := plain.cuts(vals, nil, 100); !slices.Equal(got.edge, want.edge) || got.last != want.last {
			t.Fatal("the edges are not those of the sorted values")
		}
		if got := weighted.cuts(vals, w, 100); !slices.Equal(got.edge, want.edge) || got.last != want.last {
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
			m, err := newMatrix(x, rows, nil, 16, newPool(workers))
			if err != nil {
				t.Fatal(err)
			}
			o, err := m.like(x, rows, newPool(workers))
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(m.words, o.words) {
				t.Fatalf("%d columns: the same rows binned by the same edges differ", p)
			}
			for i := range rows {
				for j := range p {
					w := uint8(m.words[i*m.stride+j/8] >> (8 * (j % 8)))
					if w != m.col[j][i] {
						t.Fatalf("row %d column %d of %d: %d in the words, %d in the column", i, j, p, w, m.col[j][i])
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
			sc := newScales(sg, sh, n)
			sum := sc.quantise(rows, g, h, gh)
			var tg, th int64
			for _, p := range gh {
				a, b := hist.Unpack(p)
				tg, th = tg+a, th+b
			}
			a, b := hist.Unpack(sum)
			if a != tg || b != th || tg >= 1<<31 || th >= 1<<32 || tg < 1<<29 || th < 1<<30 {
				t.Errorf("n=%d spread=%v: sums %d and %d, packed %d and %d", n, spread, tg, th, a, b)
			}
			if d := float64(tg)/sc.g/sg - 1; math.Abs(d) > 1e-4 {
				t.Errorf("n=%d spread=%v: the gradient sum is off by %g", n, spread, d)
			}
		}
	}
	// All gradients zero: a fit that is perfect.
	if p := newScales(0, 0, 5).quantise([]uint32{0}, []float32{0}, []float32{0}, make([]uint64, 1)); p != 0 {
		t.Errorf("zero became %x", p)
	}
	if sc := newScales(1e-44, 1e-44, 5); math.IsInf(float64(float32(sc.g)), 0) || math.IsInf(float64(float32(sc.h)), 0) {
		t.Errorf("tiny sums give scales %v that a float32 does not hold", sc)
	}
}

func TestRoutePartitionsStably(t *testing.T) {
	r := rand.New(rand.NewPCG(6, 1))
	col := make([]uint8, 500)
	for i := range col {
		col[i] = uint8(r.IntN(256))
		if i%9 == 0 {
			col[i] = missingBin
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
				if col[i] == missingBin && missLeft || col[i] != missingBin && col[i] <= bin {
					left = append(left, i)
				} else {
					right = append(right, i)
				}
			}
			buf := make([]uint32, len(idx))
			n := route(col, &split{bin: bin, missLeft: missLeft}, idx, idx, buf)
			if !slices.Equal(idx[:n], left) || !slices.Equal(buf[:len(idx)-n], right) {
				t.Errorf("bin %d, missing left %v: wrong division", bin, missLeft)
			}
		}
	}
}

// The general search with a penalty too small to matter finds what the plain
// one finds.
func TestPlainAndGeneralSearchAgree(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 1))
	for round := range 200 {
		var h hist.Block
		nbin, tot := make([]int, 1+r.IntN(8)), uint64(0)
		for k := range nbin {
			nbin[k] = 3 + r.IntN(60)
		}
		na := round%2 == 0
		for range 200 {
			p := hist.Pack(int64(r.IntN(200001)-100000), int64(50000+r.IntN(1000)))
			tot += p
			for k, nb := range nbin {
				b := 1 + r.IntN(nb-1)
				if na && r.IntN(5) == 0 {
					b = missingBin
				}
				h[b*hist.Lanes+k] += p
			}
		}
		c := Default()
		sc := scales{1 << 16, 1 << 18}
		plain := newSearch(&c, sc)
		c.Alpha = 1e-12
		general := newSearch(&c, sc)
		if plain.general || !general.general {
			t.Fatal("the two searches are of one kind")
		}
		mask := uint8(r.IntN(256))
		a, b := plain.none(tot), general.none(tot)
		plain.block(&h, nbin, tot, na, 0, mask, &a)
		general.block(&h, nbin, tot, na, 0, mask, &b)
		if a.feature != b.feature || a.bin != b.bin || a.missLeft != b.missLeft || a.left != b.left {
			t.Fatalf("round %d: plain %+v, general %+v", round, a, b)
		}
		if a.feature >= 0 {
			if mask>>a.feature&1 == 0 {
				t.Fatalf("round %d: feature %d is masked", round, a.feature)
			}
			if x, y := plain.gain(&a, tot), general.gain(&b, tot); math.Abs(x-y) > 1e-5*math.Abs(x)+1e-5 {
				t.Fatalf("round %d: gains %v and %v", round, x, y)
			}
		}
	}
}

func TestExp32(t *testing.T) {
	for x := float32(-86); x < 87; x += 0.0371 {
		want := math.Exp(float64(x))
		if d := math.Abs(float64(exp32(x))/want - 1); d > 3e-7 {
			t.Fatalf("exp32(%v) is off by %.2g", x, d)
		}
	}
	if exp32(-1000) != exp32(-87) || exp32(1000) != exp32(88) || exp32(0) != 1 {
		t.Error("the ends are not clamped, or e⁰ is not 1")
	}
}
