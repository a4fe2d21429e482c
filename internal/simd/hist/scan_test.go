package hist

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/mlfactory/mlfactory/internal/simd"
)

// randomNode makes the histogram of a node of rows rows, its sums and the
// number of bins of the block. Features have from 1 to n−1 bins of values.
func randomNode(r *rand.Rand, rows, n int, missing float64) (h *Block, tot uint64) {
	h = new(Block)
	var bins [Lanes]int
	for k := range bins {
		bins[k] = 1 + r.IntN(n-1)
	}
	bins[r.IntN(Lanes)] = n - 1
	for range rows {
		p := Pack(int64(r.IntN(200_001))-100_000, int64(r.IntN(200_000)))
		if r.IntN(20) == 0 {
			p = Pack(0, 0)
		}
		tot += p
		for k, nb := range bins {
			b := 1 + r.IntN(nb)
			if r.Float64() < missing {
				b = 0
			}
			h[b*Lanes+k] += p
		}
	}
	return h, tot
}

func FuzzScanAgainstGeneric(f *testing.F) {
	f.Add(uint64(1), uint16(300), uint8(255), uint8(10), uint8(255), uint32(0), true)
	f.Add(uint64(2), uint16(5), uint8(2), uint8(0), uint8(7), uint32(100_000), false)
	f.Add(uint64(3), uint16(0), uint8(1), uint8(50), uint8(0), uint32(1), true)
	f.Add(uint64(4), uint16(2000), uint8(60), uint8(99), uint8(129), uint32(5_000_000), true)
	f.Fuzz(func(t *testing.T, seed uint64, rows uint16, bins, missing, lanes uint8, minH uint32, less bool) {
		r := rand.New(rand.NewPCG(seed, 9))
		n := 2 + int(bins)%(Bins-1)
		h, tot := randomNode(r, int(rows)%4000, n, float64(missing%100)/100)
		g, sum := Unpack(tot)
		nd := Node{G: float64(g), H: float64(sum), Lambda: r.Float64() * 1e6, MinH: math.Max(float64(minH), 1)}
		var a, b Best
		num, den := nd.G*nd.G, nd.H+nd.Lambda
		a.Start(num, den)
		b.Start(num, den)
		var sub *Block
		if less {
			sub, _ = randomNode(r, 100, n, 0.1)
			for i := range h {
				h[i] += sub[i]
			}
		}
		ha, hb := *h, *h
		scanUp(&ha, sub, n, &nd, &a)
		scanUpGeneric(&hb, sub, n, &nd, &b)
		if ha != hb {
			t.Fatal("the differences of the histograms differ")
		}
		if a != b {
			t.Fatalf("up: %+v, want %+v", a, b)
		}
		ScanDown(&ha, n, lanes, &nd, &a)
		if n > 2 {
			scanDownGeneric(&hb, n, lanes, &nd, &b)
		}
		if a != b {
			t.Fatalf("down: %+v, want %+v", a, b)
		}
	})
}

// The scans find what trying every split by its definition finds.
func TestScansFindTheBestSplit(t *testing.T) {
	for _, p := range simd.Supported() {
		t.Run(p.String(), func(t *testing.T) {
			simd.Force(t, p)
			r := rand.New(rand.NewPCG(21, 1))
			for range 200 {
				n := 2 + r.IntN(Bins-1)
				h, tot := randomNode(r, 1+r.IntN(500), n, 0.2)
				g, sum := Unpack(tot)
				nd := Node{G: float64(g), H: float64(sum), Lambda: 1000, MinH: 50_000}
				var best Best
				best.Start(nd.G*nd.G, nd.H+nd.Lambda)
				ScanUp(h, nil, n, &nd, &best)
				ScanDown(h, n, Missing(h), &nd, &best)
				for k := range Lanes {
					top := nd.G * nd.G / (nd.H + nd.Lambda)
					for b := 1; b < n; b++ {
						for _, ml := range []bool{false, true} {
							gl, hl := Unpack(LeftSum(h, k, uint8(b), ml))
							x, y := float64(gl), float64(hl)
							if y >= nd.MinH && nd.H-y >= nd.MinH {
								top = max(top, x*x/(y+nd.Lambda)+(nd.G-x)*(nd.G-x)/(nd.H-y+nd.Lambda))
							}
						}
					}
					if got := best.Num[k] / best.Den[k]; math.Abs(got-top) > 1e-12*top {
						t.Fatalf("feature %d: score %v, want %v", k, got, top)
					}
					if bin := best.Bin[k]; bin != 0 {
						gl, hl := Unpack(LeftSum(h, k, uint8(bin&255), bin&MissingLeft != 0))
						x, y := float64(gl), float64(hl)
						if got := x*x/(y+nd.Lambda) + (nd.G-x)*(nd.G-x)/(nd.H-y+nd.Lambda); math.Abs(got-top) > 1e-12*top {
							t.Fatalf("feature %d: the split after bin %d has the score %v, want %v", k, bin, got, top)
						}
					}
				}
			}
		})
	}
}

// Among equal splits the lowest threshold with missing values right wins.
func TestScansKeepTheFirstOfEqualSplits(t *testing.T) {
	for _, p := range simd.Supported() {
		t.Run(p.String(), func(t *testing.T) {
			simd.Force(t, p)
			var h Block
			for k := range Lanes { // gradients −1, nothing, −1, +1, +1 in bins 1 to 5
				for b, g := range []int64{-1, 0, -1, 1, 1} {
					if g != 0 {
						h[(b+1)*Lanes+k] = Pack(g*1000, 1000)
					}
				}
			}
			nd := Node{H: 4000, MinH: 1}
			var best Best
			best.Start(0, 4000)
			ScanUp(&h, nil, 6, &nd, &best)
			ScanDown(&h, 6, 255, &nd, &best)
			for k, b := range best.Bin {
				if b != 3 {
					t.Errorf("feature %d splits after %d", k, b)
				}
			}
			// Four equal splits: after 1 (and after 2, an empty bin), 3 and 5.
			h = Block{}
			for k := range Lanes {
				for b, g := range []int64{1, 0, -1, 0, 1, -1} {
					if g != 0 {
						h[(b+1)*Lanes+k] = Pack(g*1000, 1000)
					}
				}
			}
			best.Start(0, 4000)
			ScanUp(&h, nil, 7, &nd, &best)
			ScanDown(&h, 7, 255, &nd, &best)
			for k, b := range best.Bin {
				if b != 1 {
					t.Errorf("feature %d splits after %d", k, b)
				}
			}
		})
	}
}

func FuzzBuildAgainstGeneric(f *testing.F) {
	f.Add(uint64(1), uint16(100), uint8(255))
	f.Add(uint64(2), uint16(1), uint8(0))
	f.Add(uint64(3), uint16(0), uint8(3))
	f.Fuzz(func(t *testing.T, seed uint64, rows uint16, top uint8) {
		r := rand.New(rand.NewPCG(seed, 3))
		n := int(rows) % 3000
		words, gh := make([]uint64, n), make([]uint64, n+2)
		for i := range words {
			gh[i] = r.Uint64()
			for k := range Lanes {
				words[i] |= uint64(r.IntN(int(top)+1)) << (8 * k)
			}
		}
		var a, b Block
		Build(words, gh, &a)
		buildGeneric(words, gh, &b)
		if a != b {
			t.Fatal("the histograms differ")
		}
	})
}
