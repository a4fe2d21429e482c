package xgboost

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/mlfactory/mlfactory/internal/simd/hist"
	"github.com/mlfactory/mlfactory/model/tree/core"
)

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
					b = core.MissingBin
				}
				h[b*hist.Lanes+k] += p
			}
		}
		c := Default()
		sc := core.Scales{G: 1 << 16, H: 1 << 18}
		plain := newSearch(&c, nil, sc, false)
		c.Alpha = 1e-12
		general := newSearch(&c, nil, sc, false)
		if plain.general || !general.general {
			t.Fatal("the two searches are of one kind")
		}
		mask := uint8(r.IntN(256))
		np, ng := plain.node(core.Sums{A: tot}, bounds{}), general.node(core.Sums{A: tot}, bounds{})
		a, b := plain.none(&np), general.none(&ng)
		plain.block(&h, nil, slices.Max(nbin), &np, na, 0, mask, &a)
		general.blockGeneral(&h, nil, nbin, &ng, na, 0, mask, &b)
		if a.feature != b.feature || a.bin != b.bin || a.missLeft != b.missLeft {
			t.Fatalf("round %d: plain %+v, general %+v", round, a, b)
		}
		if a.feature >= 0 {
			if mask>>a.feature&1 == 0 {
				t.Fatalf("round %d: feature %d is masked", round, a.feature)
			}
			if x, y := plain.gain(&a, &np), general.gain(&b, &ng); math.Abs(x-y) > 1e-5*math.Abs(x)+1e-5 {
				t.Fatalf("round %d: gains %v and %v", round, x, y)
			}
		}
	}
}
