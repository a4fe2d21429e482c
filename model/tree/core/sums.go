package core

import "github.com/mlfactory/mlfactory/internal/simd/hist"

// Sums are the quantised sums of gradients and hessians over some rows: packed
// in A, or, where histograms are wide, gradients in A and hessians in B.
type Sums struct{ A, B uint64 }

// Plus is the sum over both sets of rows.
func (s Sums) Plus(o Sums) Sums { return Sums{s.A + o.A, s.B + o.B} }

// Less is the sum over the rows of s that are not those of o.
func (s Sums) Less(o Sums) Sums { return Sums{s.A - o.A, s.B - o.B} }

// Unpack is the sum of gradients and that of hessians; wide says which form s has.
func (s Sums) Unpack(wide bool) (g, h int64) {
	if wide {
		return int64(s.A), int64(s.B) // #nosec G115 -- two's complement
	}
	return hist.Unpack(s.A)
}

// Planes is the histogram of a block of features; H is nil unless it is wide.
type Planes struct{ G, H *hist.Block }

// Planes is block b of a histogram.
func (g *Histograms) Planes(h []hist.Block, b int) Planes {
	p := Planes{G: &h[b]}
	if g.H != nil {
		p.H = &g.Wide(h)[b]
	}
	return p
}

// At is entry i, as in [hist.Block].
func (p Planes) At(i int) Sums {
	if p.H == nil {
		return Sums{A: p.G[i]}
	}
	return Sums{p.G[i], p.H[i]}
}

// Subtract takes the first bins of o, which may be none, away.
func (p Planes) Subtract(o Planes, bins int) {
	if o.G == nil {
		return
	}
	hist.Subtract(p.G, o.G, bins)
	if p.H != nil {
		hist.Subtract(p.H, o.H, bins)
	}
}
