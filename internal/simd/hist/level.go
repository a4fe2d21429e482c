package hist

import "math"

// Leaf is what [AddScores] needs of a leaf of a symmetric tree: the packed sums
// over all its rows, one for each channel, and the L2 penalty in the units of the
// packed weights. The weights of all channels are the same. With Rest there is
// one more score, whose gradients are less the sum of the others'. Zero has a
// bit for every feature whose bin 0 goes left.
type Leaf struct {
	Total  []uint64
	Lambda float64
	Rest   bool
	Zero   uint8
}

// AddScores adds a leaf to the scores of the splits after each of the bins 0 to
// n−1 of the features of a block, for all of which the split puts the bins up to
// it left. hs are the histograms of the leaf, one for each channel. With g and w
// the sums of a side, and ḡ = g/(w+λ), it adds Σ ḡ·g over scores and sides to
// num and Σ ḡ²·w to den; a side without weight adds nothing. The score after bin
// 0 is added for the features of Zero alone. The work for a feature with no rows
// in a bin is that of a bin with rows. acc is scratch, kept from call to call.
func AddScores(hs []*Block, n int, lf *Leaf, acc *[]uint64, num, den *[Bins * Lanes]float64) {
	for _, h := range hs {
		_ = h[n*Lanes-1]
	}
	if len(hs) > 0 && n > 0 {
		addScores(hs[:len(lf.Total)], n, lf, acc, num, den)
	}
}

// sides are the numerator and denominator of a leaf that is split so that acc,
// one for each channel and k steps apart, are the packed sums on the left.
func (lf *Leaf) sides(acc []uint64, k int) (num, den float64) {
	sl, sr, ql, qr := 0.0, 0.0, 0.0, 0.0
	for c, t := range lf.Total {
		gl := float64(int64(acc[c*Lanes+k]) >> 32) // #nosec G115 -- two's complement
		gr := float64(int64(t)>>32) - gl           // #nosec G115 -- as above
		sl += gl
		sr += gr
		ql += float64(gl * gl)
		qr += float64(gr * gr)
	}
	if lf.Rest {
		ql += float64(sl * sl)
		qr += float64(sr * sr)
	}
	wl := float64(int64(acc[k] & math.MaxUint32)) // #nosec G115 -- 32 bits
	wr := float64(int64(lf.Total[0]&math.MaxUint32)) - wl
	il, ir := 0.0, 0.0
	if wl > 0 {
		il = 1 / (wl + lf.Lambda)
	}
	if wr > 0 {
		ir = 1 / (wr + lf.Lambda)
	}
	al, ar := float64(ql*il), float64(qr*ir)
	return al + ar, float64(float64(al*il)*wl) + float64(float64(ar*ir)*wr)
}

// first adds the score after bin 0 and makes acc the sums of what lies there.
func (lf *Leaf) first(hs []*Block, acc []uint64, num, den *[Bins * Lanes]float64) {
	for k := range Lanes {
		on := -uint64(lf.Zero >> k & 1)
		for c, h := range hs {
			acc[c*Lanes+k] = h[k] & on
		}
		if on != 0 {
			x, y := lf.sides(acc, k)
			num[k] += x
			den[k] += y
		}
	}
}

// room is acc for the channels.
func room(acc *[]uint64, channels int) []uint64 {
	if cap(*acc) < channels*Lanes {
		*acc = make([]uint64, channels*Lanes)
	}
	return (*acc)[:channels*Lanes]
}

// addScoresGeneric is the plain twin of the assembly. After a bin without rows
// the score is that of the bin before.
func addScoresGeneric(hs []*Block, n int, lf *Leaf, scratch *[]uint64, num, den *[Bins * Lanes]float64) {
	acc := room(scratch, len(hs))
	lf.first(hs, acc, num, den)
	for k := range Lanes {
		x, y := lf.sides(acc, k)
		for b := 1; b < n; b++ {
			at, found := (b*Lanes+k)&(len(num)-1), uint64(0)
			for c, h := range hs {
				v := h[at]
				found |= v
				acc[c*Lanes+k] += v
			}
			if found != 0 {
				x, y = lf.sides(acc, k)
			}
			num[at] += x
			den[at] += y
		}
	}
}
