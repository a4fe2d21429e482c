package hist

import (
	"math"
	"math/rand/v2"
	"testing"
)

func FuzzRowScansAgainstGeneric(f *testing.F) {
	f.Add(uint64(1), uint16(300), uint8(255), uint8(10), uint8(255), uint32(0), uint8(20), true)
	f.Add(uint64(2), uint16(5), uint8(2), uint8(0), uint8(7), uint32(100_000), uint8(0), false)
	f.Add(uint64(3), uint16(0), uint8(0), uint8(50), uint8(3), uint32(1), uint8(1), true)
	f.Add(uint64(4), uint16(2000), uint8(60), uint8(99), uint8(129), uint32(5_000_000), uint8(100), true)
	f.Fuzz(func(t *testing.T, seed uint64, rows uint16, bins, missing, lanes uint8, minH uint32, minRows uint8, less bool) {
		r := rand.New(rand.NewPCG(seed, 9))
		n := 2 + int(bins)%(Bins-1)
		h, tot := randomNode(r, int(rows)%4000, n, float64(missing%100)/100)
		g, sum := Unpack(tot)
		nd := RowNode{Node: Node{G: float64(g), H: float64(sum), Lambda: r.Float64() * 1e6, MinH: math.Max(float64(minH), 1)}}
		nd.Rows, nd.MinRows = float64(rows%4000), float64(minRows)
		nd.PerH = nd.Rows / max(nd.H, 1)
		var a, b Best
		num := nd.G * nd.G / (nd.H + nd.Lambda + 1)
		a.Start(num, 1)
		b.Start(num, 1)
		var sub *Block
		if less {
			sub, _ = randomNode(r, 100, n, 0.1)
			for i := range h {
				h[i] += sub[i]
			}
		}
		ha, hb := *h, *h
		ScanRowsDown(&ha, sub, n, &nd, &a)
		scanRowsDownGeneric(&hb, sub, n, &nd, &b)
		if ha != hb {
			t.Fatal("the differences of the histograms differ")
		}
		if a != b {
			t.Fatalf("down: %+v, want %+v", a, b)
		}
		var start [Lanes]float64
		for k := range start {
			if r.IntN(2) == 0 {
				start[k] = Residual(h, k, n, &nd)
			}
		}
		ScanRowsUp(&ha, n, lanes, &nd, &start, &a)
		if lanes != 0 {
			scanRowsUpGeneric(&hb, n, lanes, &nd, &start, &b)
		}
		if a != b {
			t.Fatalf("up: %+v, want %+v", a, b)
		}
	})
}

// Without a least number of rows the row scans find the splits of the others,
// but for ties, which they break the other way round.
func TestRowScansFindTheBestSplit(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 1))
	for range 300 {
		n := 2 + r.IntN(Bins-1)
		h, tot := randomNode(r, 1+r.IntN(500), n, 0.2)
		g, sum := Unpack(tot)
		nd := RowNode{Node: Node{G: float64(g), H: float64(sum), Lambda: 1000, MinH: 50_000}, Rows: 500, PerH: 1e-5}
		var a, b Best
		for _, x := range []*Best{&a, &b} {
			x.Start(nd.G*nd.G, nd.H+nd.Lambda)
		}
		ScanUp(h, nil, n, &nd.Node, &a)
		ScanDown(h, n, 255, &nd.Node, &a)
		ScanRowsDown(h, nil, n, &nd, &b)
		ScanRowsUp(h, n, 255, &nd, new([Lanes]float64), &b)
		for k := range Lanes {
			if x, y := a.Num[k]/a.Den[k], b.Num[k]/b.Den[k]; math.Abs(x-y) > 1e-12*math.Abs(x) {
				t.Fatalf("feature %d: score %v, without rows %v", k, y, x)
			}
		}
		// A least number of rows keeps the estimates on both sides above it.
		nd.PerH, nd.MinRows = 500/nd.H, 60
		b.Start(nd.G*nd.G, nd.H+nd.Lambda)
		ScanRowsDown(h, nil, n, &nd, &b)
		for k, bin := range b.Bin {
			if bin == 0 {
				continue
			}
			right := 0.0
			for i := int(bin&255) + 1; i < n; i++ {
				right += nd.count(h[i*Lanes+k])
			}
			if right < 60 || nd.Rows-right < 60 {
				t.Fatalf("feature %d: a split of %v and %v rows", k, right, nd.Rows-right)
			}
		}
	}
}
