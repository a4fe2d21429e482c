package hist

import (
	"math/rand/v2"
	"testing"
)

// naive adds the rows one bin at a time with plain indices.
func naive(words, gh []uint64, h *Block) {
	for i, w := range words {
		for j := range Lanes {
			b := int(w >> (8 * j) & 0xff)
			h[b*Lanes+j] += gh[i]
		}
	}
}

func TestPackRoundTripAndSums(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	var sum uint64
	var sg, sh int64
	for range 1000 {
		g, h := int64(r.IntN(2_000_000))-1_000_000, int64(r.IntN(4_000_000))
		if a, b := Unpack(Pack(g, h)); a != g || b != h {
			t.Fatalf("Unpack(Pack(%d, %d)) = %d, %d", g, h, a, b)
		}
		sum += Pack(g, h)
		sg, sh = sg+g, sh+h
		if a, b := Unpack(sum); a != sg || b != sh {
			t.Fatalf("sums are %d, %d, want %d, %d", a, b, sg, sh)
		}
	}
	for _, c := range [][2]int64{{-1 << 31, 1<<32 - 1}, {1<<31 - 1, 0}, {-1, 1}, {0, 0}} {
		if a, b := Unpack(Pack(c[0], c[1])); a != c[0] || b != c[1] {
			t.Errorf("Unpack(Pack(%d, %d)) = %d, %d", c[0], c[1], a, b)
		}
	}
}

func TestBuildAndSubtractAgainstNaive(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 1))
	for _, n := range []int{0, 1, 7, 1000} {
		words, gh := make([]uint64, n), make([]uint64, n)
		for i := range words {
			words[i] = r.Uint64()
			gh[i] = Pack(int64(r.IntN(2001))-1000, int64(r.IntN(1000)))
		}
		var got, want, half Block
		Build(words, gh, &got)
		naive(words, gh, &want)
		if got != want {
			t.Fatalf("n=%d: Build differs from the naive sum", n)
		}
		Build(words[:n/2], gh, &half)
		Subtract(&got, &half, Bins)
		var rest Block
		naive(words[n/2:], gh[n/2:], &rest)
		if got != rest {
			t.Fatalf("n=%d: the whole less one half is not the other half", n)
		}
		// Subtract leaves the bins from n on alone.
		a, b := want, half
		Subtract(&a, &b, 3)
		for i := 3 * Lanes; i < len(a); i++ {
			if a[i] != want[i] {
				t.Fatalf("Subtract of 3 bins changed entry %d", i)
			}
		}
	}
}

func FuzzGatherAgainstGeneric(f *testing.F) {
	f.Add(uint64(1), uint16(100), uint8(15), uint8(0), uint8(15), uint16(7))
	f.Add(uint64(2), uint16(1), uint8(1), uint8(0), uint8(1), uint16(0))
	f.Add(uint64(3), uint16(500), uint8(33), uint8(5), uint8(20), uint16(60))
	f.Fuzz(func(t *testing.T, seed uint64, n uint16, stride, first, nw uint8, extra uint16) {
		rowsN, st := 64, int(stride)%40+1
		fi := int(first) % st
		w := int(nw)%(st-fi) + 1
		m, ex := int(n)%2000, int(extra)%100
		r := rand.New(rand.NewPCG(seed, 1))
		rows := make([]uint64, rowsN*st)
		for i := range rows {
			rows[i] = r.Uint64()
		}
		idx := make([]uint32, m+ex)
		for i := range idx {
			idx[i] = uint32(r.IntN(rowsN))
		}
		ld := m + 3
		a, b := make([]uint64, (w+int(extra)%5)*ld), make([]uint64, w*ld)
		Gather(rows, st, fi, Choose(idx, m), w, a, ld)
		gatherGeneric(rows, st, fi, idx[:m], w, b, ld)
		for k := range w {
			for i := k * ld; i < k*ld+m; i++ {
				if a[i] != b[i] {
					t.Fatalf("n=%d stride=%d first=%d nw=%d: word %d is %x, want %x", m, st, fi, w, i, a[i], b[i])
				}
			}
		}
	})
}

func TestGatherRefusesRowsOutside(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("a row outside the matrix was read")
		}
	}()
	Gather(make([]uint64, 10), 2, 0, Choose([]uint32{5}, 1), 2, make([]uint64, 2), 1)
}

func BenchmarkBuild(b *testing.B) {
	r := rand.New(rand.NewPCG(2, 1))
	words, gh := make([]uint64, 1024), make([]uint64, 1024)
	for i := range words {
		words[i], gh[i] = r.Uint64(), r.Uint64()
	}
	var h Block
	for b.Loop() {
		Build(words, gh, &h)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/8192, "ns/update")
}

func FuzzPickAgainstALoop(f *testing.F) {
	f.Add(uint64(1), uint16(100), uint8(70))
	f.Add(uint64(2), uint16(3), uint8(0))
	f.Add(uint64(3), uint16(1024), uint8(1))
	f.Fuzz(func(t *testing.T, seed uint64, rows uint16, extra uint8) {
		r := rand.New(rand.NewPCG(seed, 8))
		n := int(rows) % 3000
		src, idx := make([]uint64, 1+r.IntN(500)), make([]uint32, n+int(extra))
		for i := range src {
			src[i] = r.Uint64()
		}
		for i := range idx {
			idx[i] = uint32(r.IntN(len(src)))
		}
		dst := make([]uint64, n)
		Pick(src, Choose(idx, n), dst)
		for i, v := range dst {
			if v != src[idx[i]] {
				t.Fatalf("value %d of %d is %x, want %x", i, n, v, src[idx[i]])
			}
		}
	})
}
