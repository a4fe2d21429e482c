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

// HeldLeaf is a [Leaf] for ordered boosting: leaf values come from the rows of a
// body and are held against those of a tail. Unit multiplies what is added.
type HeldLeaf struct {
	Body, Tail   []uint64
	Lambda, Unit float64
	Rest         bool
	Zero         uint8
}

// AddHeldScores is [AddScores] for a [HeldLeaf]: with ḡ = g/(w+λ) of the body on
// a side, ḡ·g of the tail to num and ḡ²·w of the tail to den.
func AddHeldScores(body, tail []*Block, n int, lf *HeldLeaf, acc *[]uint64, num, den *[Bins * Lanes]float64) {
	for c, h := range body {
		_, _ = h[n*Lanes-1], tail[c][n*Lanes-1]
	}
	if len(body) > 0 && n > 0 {
		addHeldScores(body[:len(lf.Body)], tail[:len(lf.Tail)], n, lf, acc, num, den)
	}
}

// sides is [Leaf.sides]; acc has the sums of body and tail of a channel in turn.
func (lf *HeldLeaf) sides(acc []uint64, k int) (num, den float64) {
	var nums, dens, sumB, sumT, wb, wt [2]float64
	for c, tb := range lf.Body {
		tt, ab, at := lf.Tail[c], acc[2*c*Lanes+k], acc[(2*c+1)*Lanes+k]
		gb, gt := float64(int64(ab)>>32), float64(int64(at)>>32)                                         // #nosec G115 -- two's complement
		b, t := [2]float64{gb, float64(int64(tb)>>32) - gb}, [2]float64{gt, float64(int64(tt)>>32) - gt} // #nosec G115 -- as above
		for s := range 2 {
			sumB[s] += b[s]
			sumT[s] += t[s]
			nums[s] += float64(b[s] * t[s])
			dens[s] += float64(b[s] * b[s])
		}
	}
	ab, at := float64(int64(acc[k]&math.MaxUint32)), float64(int64(acc[Lanes+k]&math.MaxUint32)) // #nosec G115 -- 32 bits
	wb = [2]float64{ab, float64(int64(lf.Body[0]&math.MaxUint32)) - ab}                          // #nosec G115 -- as above
	wt = [2]float64{at, float64(int64(lf.Tail[0]&math.MaxUint32)) - at}                          // #nosec G115 -- as above
	for s := range 2 {
		if lf.Rest {
			nums[s] += float64(sumB[s] * sumT[s])
			dens[s] += float64(sumB[s] * sumB[s])
		}
		i := 0.0
		if wb[s] > 0 {
			i = 1 / (wb[s] + lf.Lambda)
		}
		nums[s] = float64(nums[s] * i)
		dens[s] = float64(float64(float64(dens[s]*i)*i) * wt[s])
	}
	return float64((nums[0] + nums[1]) * lf.Unit), float64((dens[0] + dens[1]) * lf.Unit)
}

func (lf *HeldLeaf) first(body, tail []*Block, acc []uint64, num, den *[Bins * Lanes]float64) {
	for k := range Lanes {
		on := -uint64(lf.Zero >> k & 1)
		for c, h := range body {
			acc[2*c*Lanes+k], acc[(2*c+1)*Lanes+k] = h[k]&on, tail[c][k]&on
		}
		if on != 0 {
			x, y := lf.sides(acc, k)
			num[k] += x
			den[k] += y
		}
	}
}

// addHeldScoresGeneric is the plain twin of the assembly.
func addHeldScoresGeneric(body, tail []*Block, n int, lf *HeldLeaf, scratch *[]uint64, num, den *[Bins * Lanes]float64) {
	acc := room(scratch, 2*len(body))
	lf.first(body, tail, acc, num, den)
	for k := range Lanes {
		x, y := lf.sides(acc, k)
		for b := 1; b < n; b++ {
			at, found := (b*Lanes+k)&(len(num)-1), uint64(0)
			for c, h := range body {
				v, u := h[at], tail[c][at]
				found |= v | u
				acc[2*c*Lanes+k] += v
				acc[(2*c+1)*Lanes+k] += u
			}
			if found != 0 {
				x, y = lf.sides(acc, k)
			}
			num[at] += x
			den[at] += y
		}
	}
}
