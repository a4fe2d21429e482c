package hist

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/mlfactory/mlfactory/internal/simd"
)

// randomLeaf makes the histograms of a leaf for some channels of equal weights.
func randomLeaf(r *rand.Rand, rows, n, channels int, missing float64) (hs []*Block, lf Leaf) {
	lf = Leaf{Total: make([]uint64, channels), Lambda: r.Float64() * 1e5, Rest: r.IntN(2) == 0, Zero: uint8(r.IntN(256))}
	if r.IntN(4) == 0 {
		lf.Lambda = 0
	}
	for range channels {
		hs = append(hs, new(Block))
	}
	var bins [Lanes]int
	for k := range bins {
		bins[k] = 1 + r.IntN(n)
	}
	for range rows {
		w := int64(r.IntN(200_000))
		if r.IntN(20) == 0 {
			w = 0
		}
		var at [Lanes]int
		for k, nb := range bins {
			if at[k] = k; r.Float64() >= missing {
				at[k] = r.IntN(nb)*Lanes + k
			}
		}
		for c, h := range hs {
			p := Pack(int64(r.IntN(200_001))-100_000, w)
			lf.Total[c] += p
			for _, i := range at {
				h[i] += p
			}
		}
	}
	return hs, lf
}

func FuzzAddScoresAgainstGeneric(f *testing.F) {
	f.Add(uint64(1), uint16(300), uint8(255), uint8(1), uint8(10))
	f.Add(uint64(2), uint16(0), uint8(0), uint8(2), uint8(0))
	f.Add(uint64(3), uint16(5), uint8(1), uint8(7), uint8(99))
	f.Add(uint64(4), uint16(3000), uint8(60), uint8(3), uint8(50))
	f.Fuzz(func(t *testing.T, seed uint64, rows uint16, bins, channels, missing uint8) {
		r := rand.New(rand.NewPCG(seed, 4))
		n := 1 + int(bins)
		hs, lf := randomLeaf(r, int(rows)%4000, n, 1+int(channels)%9, float64(missing%100)/100)
		var num, den [2][Bins * Lanes]float64
		for i := range num[0] {
			num[0][i], den[0][i] = r.NormFloat64(), r.NormFloat64()
		}
		num[1], den[1] = num[0], den[0]
		var a, b []uint64
		AddScores(hs, n, &lf, &a, &num[0], &den[0])
		addScoresGeneric(hs, n, &lf, &b, &num[1], &den[1])
		if num[0] != num[1] || den[0] != den[1] {
			t.Fatal("the scores differ")
		}
	})
}

func FuzzAddHeldScoresAgainstGeneric(f *testing.F) {
	f.Add(uint64(1), uint16(300), uint8(255), uint8(1), uint8(10))
	f.Add(uint64(2), uint16(0), uint8(0), uint8(2), uint8(0))
	f.Add(uint64(3), uint16(5), uint8(1), uint8(7), uint8(99))
	f.Add(uint64(4), uint16(3000), uint8(60), uint8(3), uint8(50))
	f.Fuzz(func(t *testing.T, seed uint64, rows uint16, bins, channels, missing uint8) {
		r := rand.New(rand.NewPCG(seed, 5))
		n, k := 1+int(bins), 1+int(channels)%9
		body, a := randomLeaf(r, int(rows)%4000, n, k, float64(missing%100)/100)
		tail, b := randomLeaf(r, int(rows)/3, n, k, float64(missing%100)/100)
		lf := HeldLeaf{Body: a.Total, Tail: b.Total, Lambda: a.Lambda, Unit: r.Float64(), Rest: a.Rest, Zero: a.Zero}
		var num, den [2][Bins * Lanes]float64
		for i := range num[0] {
			num[0][i], den[0][i] = r.NormFloat64(), r.NormFloat64()
		}
		num[1], den[1] = num[0], den[0]
		var x, y []uint64
		AddHeldScores(body, tail, n, &lf, &x, &num[0], &den[0])
		addHeldScoresGeneric(body, tail, n, &lf, &y, &num[1], &den[1])
		if num[0] != num[1] || den[0] != den[1] {
			t.Fatal("the scores differ")
		}
	})
}

// A body held against itself gives the scores of a leaf.
func TestHeldAgainstItself(t *testing.T) {
	for _, p := range simd.Supported() {
		t.Run(p.String(), func(t *testing.T) {
			simd.Force(t, p)
			r := rand.New(rand.NewPCG(4, 3))
			for range 40 {
				n := 2 + r.IntN(250)
				hs, lf := randomLeaf(r, 1+r.IntN(500), n, 1+r.IntN(3), 0.2)
				held := HeldLeaf{Body: lf.Total, Tail: lf.Total, Lambda: lf.Lambda, Unit: 0.25, Rest: lf.Rest, Zero: lf.Zero}
				var num, den [2][Bins * Lanes]float64
				var acc []uint64
				AddScores(hs, n, &lf, &acc, &num[0], &den[0])
				AddHeldScores(hs, hs, n, &held, &acc, &num[1], &den[1])
				for i := range n * Lanes {
					if math.Abs(num[0][i]/4-num[1][i]) > 1e-12*num[0][i] || math.Abs(den[0][i]/4-den[1][i]) > 1e-12*den[0][i] {
						t.Fatalf("entry %d: %v / %v, want a quarter of %v / %v", i, num[1][i], den[1][i], num[0][i], den[0][i])
					}
				}
			}
		})
	}
}

// The scores are those that splitting the rows by their definition gives.
func TestAddScoresByDefinition(t *testing.T) {
	for _, p := range simd.Supported() {
		t.Run(p.String(), func(t *testing.T) {
			simd.Force(t, p)
			r := rand.New(rand.NewPCG(3, 3))
			for range 40 {
				n, channels := 2+r.IntN(30), 1+r.IntN(3)
				hs, lf := randomLeaf(r, r.IntN(200), n, channels, 0.2)
				var num, den [Bins * Lanes]float64
				var acc []uint64
				AddScores(hs, n, &lf, &acc, &num, &den)
				for i := range n * Lanes {
					b, k := i/Lanes, i%Lanes
					if b == 0 && lf.Zero>>k&1 == 0 {
						if num[i] != 0 || den[i] != 0 {
							t.Fatal("a score after bin 0 for a feature that has none")
						}
						continue
					}
					x, y := 0.0, 0.0
					for side := range 2 {
						w, rest, sq := 0.0, 0.0, 0.0
						for c, h := range hs {
							sum := uint64(0)
							for j := range b + 1 {
								if j > 0 || lf.Zero>>k&1 == 1 {
									sum += h[j*Lanes+k]
								}
							}
							if side == 1 {
								sum = lf.Total[c] - sum
							}
							g, v := Unpack(sum)
							w = float64(v)
							rest -= float64(g)
							sq += float64(g) * float64(g)
						}
						if lf.Rest {
							sq += rest * rest
						}
						if w > 0 {
							x += sq / (w + lf.Lambda)
							y += sq / (w + lf.Lambda) / (w + lf.Lambda) * w
						}
					}
					if math.Abs(num[i]-x) > 1e-12*x || math.Abs(den[i]-y) > 1e-12*y {
						t.Fatalf("bin %d feature %d: %v / %v, want %v / %v", b, k, num[i], den[i], x, y)
					}
				}
			}
		})
	}
}
