// Package roll keeps statistics of the last n values of a stream, without ever
// subtracting what leaves the window.
//
// A window of n values is cut into blocks of n. While a block fills, the window
// is a suffix of the block before it plus the part of the block seen so far, so
// a sum is (suffix sum of the old block) + (running sum of the new one). When a
// block is full its suffix sums are formed in one backward pass. That costs two
// additions and one store a value, O(1) amortised, and has three properties
// that "add the new, subtract the old" lacks: no rounding error outlives the
// window, a NaN or a huge value leaves no trace once it has left, and the state
// is bounded. The scheme is the two-stack queue of Okasaki (1995) applied to
// sliding-window aggregation (Tangwongsan, Hirzel, Schneider 2017), in blocks.
//
// NaN propagates while it is inside the window. Methods named fields list the
// state for whoever stores it, in a fixed order and of a fixed size.
package roll

import "math"

// Codec is what stores or reads state; Fields methods call it in a fixed order.
type Codec interface {
	Float(p *float64)
	Floats(s []float64)
	Int(p *int)
	Bool(p *bool)
}

// Sum is the rolling sum of the last n values.
type Sum struct {
	buf   []float64 // [0,p) raw values of this block, [p+1,n] suffix sums of the last one
	front float64
	p     int
	full  bool
}

// NewSum makes a rolling sum over n ≥ 1 values.
func NewSum(n int) Sum { return Sum{buf: make([]float64, n+1)} }

// Push takes x and returns the sum of the last n values, or of all values while
// fewer than n were seen.
func (r *Sum) Push(x float64) float64 {
	p := r.p
	buf := r.buf
	r.front += x
	v := buf[p+1] + r.front
	buf[p] = x
	r.p = p + 1
	if r.p == len(buf)-1 {
		r.flip()
	}
	return v
}

// PushAll pushes every value of x and writes the sums to dst, which may be x
// itself: a loop over Push that keeps its state in registers.
func (r *Sum) PushAll(dst, x []float64) {
	dst = dst[:len(x)]
	for i := 0; i < len(x); {
		k := min(len(r.buf)-1-r.p, len(x)-i) // until the block is full
		front := r.front
		old, now := r.buf[r.p+1:][:k], r.buf[r.p:][:k]
		in, out := x[i:][:k], dst[i:][:k]
		for j, v := range in {
			front += v
			out[j] = old[j] + front
			now[j] = v
		}
		r.front = front
		r.p += k
		i += k
		if r.p == len(r.buf)-1 {
			r.flip()
		}
	}
}

func (r *Sum) flip() {
	acc := 0.0
	buf := r.buf[:len(r.buf)-1]
	for i := len(buf) - 1; i >= 0; i-- {
		acc += buf[i]
		buf[i] = acc
	}
	r.p, r.front, r.full = 0, 0, true
}

// Full reports whether n values were seen.
func (r *Sum) Full() bool { return r.full }

// Fields lists the state.
func (r *Sum) Fields(c Codec) {
	c.Floats(r.buf)
	c.Float(&r.front)
	c.Int(&r.p)
	c.Bool(&r.full)
}

// Moments are the rolling mean and sum of squared deviations of the last n
// values.
//
// Values are taken relative to a reference that always is one of the values in
// the window, renewed once a block. With D the largest distance from it the sum
// of squared deviations is at least D²(1−1/n), so the subtraction in
// Σd² − (Σd)²/n loses at most a factor n of relative precision, whatever the
// level of the series: prices at 1e8 that move by 5e-4 keep their deviation.
type Moments struct {
	raw    []float64
	s1, s2 []float64
	f1, f2 float64
	ref    float64
	inv    float64
	p      int
	full   bool
	begun  bool
}

// NewMoments makes rolling moments over n ≥ 1 values.
func NewMoments(n int) Moments {
	return Moments{raw: make([]float64, n), s1: make([]float64, n+1), s2: make([]float64, n+1), inv: 1 / float64(n)}
}

// Push takes x and returns the mean of the last n values and the sum of their
// squared deviations from it; NaN while fewer than n were seen.
func (r *Moments) Push(x float64) (mean, m2 float64) {
	if !r.begun {
		r.begun = true
		r.ref = finiteOr(x, 0)
	}
	p := r.p
	r.raw[p] = x
	var s1, s2 float64
	if p == len(r.raw)-1 { // the window is the block, so its sums can have the new reference
		r.flip()
		s1, s2 = r.s1[0], r.s2[0]
	} else {
		d := x - r.ref
		r.f1 += d
		r.f2 += float64(d * d)
		r.p = p + 1
		if !r.full {
			return math.NaN(), math.NaN()
		}
		s1 = r.s1[p+1] + r.f1
		s2 = r.s2[p+1] + r.f2
	}
	t := float64(s1 * r.inv)
	m2 = s2 - float64(t*s1)
	if m2 < 0 {
		m2 = 0
	}
	return r.ref + t, m2
}

func finiteOr(x, other float64) float64 {
	if x-x == 0 {
		return x
	}
	return other
}

func (r *Moments) flip() {
	n := len(r.raw)
	r.ref = 0
	for i := n - 1; i >= 0; i-- {
		if x := r.raw[i]; x-x == 0 {
			r.ref = x
			break
		}
	}
	a1, a2 := 0.0, 0.0
	s1, s2, ref := r.s1[:n], r.s2[:n], r.ref
	for i := n - 1; i >= 0; i-- {
		d := r.raw[i] - ref
		a1 += d
		a2 += float64(d * d)
		s1[i], s2[i] = a1, a2
	}
	r.f1, r.f2, r.p, r.full = 0, 0, 0, true
}

// Fields lists the state.
func (r *Moments) Fields(c Codec) {
	c.Floats(r.raw)
	c.Floats(r.s1)
	c.Floats(r.s2)
	c.Float(&r.f1)
	c.Float(&r.f2)
	c.Float(&r.ref)
	c.Int(&r.p)
	c.Bool(&r.full)
	c.Bool(&r.begun)
}

// Max is the rolling maximum of the last n values. Values must not be NaN.
type Max struct {
	buf   []float64 // raw before p, suffix maxima after
	front float64
	p     int
}

// NewMax makes a rolling maximum over n ≥ 1 values.
func NewMax(n int) Max {
	r := Max{buf: make([]float64, n+1), front: math.Inf(-1)}
	for i := range r.buf {
		r.buf[i] = math.Inf(-1)
	}
	return r
}

// Push takes x and returns the largest of the last n values.
func (r *Max) Push(x float64) float64 {
	p := r.p
	buf := r.buf
	r.front = max(r.front, x)
	v := max(buf[p+1], r.front)
	buf[p] = x
	r.p = p + 1
	if r.p == len(buf)-1 {
		r.flip()
	}
	return v
}

// PushAll pushes every value of x and writes the maxima to dst, which may be x
// itself: a loop over Push that keeps its state in registers.
func (r *Max) PushAll(dst, x []float64) {
	dst = dst[:len(x)]
	for i := 0; i < len(x); {
		k := min(len(r.buf)-1-r.p, len(x)-i) // until the block is full
		front := r.front
		old, now := r.buf[r.p+1:][:k], r.buf[r.p:][:k]
		in, out := x[i:][:k], dst[i:][:k]
		for j, v := range in {
			front = max(front, v)
			out[j] = max(old[j], front)
			now[j] = v
		}
		r.front = front
		r.p += k
		i += k
		if r.p == len(r.buf)-1 {
			r.flip()
		}
	}
}

func (r *Max) flip() {
	acc := math.Inf(-1)
	buf := r.buf[:len(r.buf)-1]
	for i := len(buf) - 1; i >= 0; i-- {
		acc = max(acc, buf[i])
		buf[i] = acc
	}
	r.p, r.front = 0, math.Inf(-1)
}

// Fields lists the state.
func (r *Max) Fields(c Codec) {
	c.Floats(r.buf)
	c.Float(&r.front)
	c.Int(&r.p)
}

// Min is the rolling minimum of the last n values. Values must not be NaN.
type Min struct{ m Max }

// NewMin makes a rolling minimum over n ≥ 1 values.
func NewMin(n int) Min { return Min{NewMax(n)} }

// Push takes x and returns the smallest of the last n values.
func (r *Min) Push(x float64) float64 { return -r.m.Push(-x) }

// PushAll pushes every value of x and writes the minima to dst, which may be x
// itself: a loop over Push that keeps its state in registers.
func (r *Min) PushAll(dst, x []float64) {
	dst = dst[:len(x)]
	for i, v := range x {
		dst[i] = -v
	}
	r.m.PushAll(dst, dst)
	for i := range dst {
		dst[i] = -dst[i]
	}
}

// Fields lists the state.
func (r *Min) Fields(c Codec) { r.m.Fields(c) }

// Ring holds the last n values; Push returns the one that leaves.
type Ring struct {
	buf []float64
	p   int
}

// NewRing makes a ring of n ≥ 1 NaNs.
func NewRing(n int) Ring {
	r := Ring{buf: make([]float64, n)}
	for i := range r.buf {
		r.buf[i] = math.NaN()
	}
	return r
}

// Push stores x and returns the value pushed n pushes before, NaN before that.
func (r *Ring) Push(x float64) float64 {
	p := r.p
	old := r.buf[p]
	r.buf[p] = x
	p++
	if p == len(r.buf) {
		p = 0
	}
	r.p = p
	return old
}

// Values are the stored values in storage order, which depends only on the
// number of pushes.
func (r *Ring) Values() []float64 { return r.buf }

// Oldest is the index in Values of the oldest value.
func (r *Ring) Oldest() int { return r.p }

// Fields lists the state.
func (r *Ring) Fields(c Codec) {
	c.Floats(r.buf)
	c.Int(&r.p)
}

// EMA is an exponential mean v ← v + α(x − v), seeded with the plain mean of
// the first n values; that is TA-Lib's seeding.
type EMA struct {
	v, alpha float64 // v is the sum of the values while it is seeded
	left, n  int     // values missing to the seed
}

// NewEMA makes an exponential mean with α = 2/(n+1).
func NewEMA(n int) EMA { return EMA{alpha: 2 / float64(n+1), n: n, left: n} }

// step leaves a constant stream exactly where it is.
func step(v, alpha, x float64) float64 { return v + float64(alpha*(x-v)) }

// Push takes x and returns the mean; NaN before n values were seen.
func (r *EMA) Push(x float64) float64 {
	if r.left == 0 {
		r.v = step(r.v, r.alpha, x)
		return r.v
	}
	return r.seed(x)
}

// PushAll pushes every value of x and writes the means to dst, which may be x
// itself: a loop over Push that keeps its state in registers.
func (r *EMA) PushAll(dst, x []float64) {
	i := 0
	for ; i < len(x) && r.left > 0; i++ {
		dst[i] = r.Push(x[i])
	}
	x, dst = x[i:], dst[i:len(x)]
	v, alpha := r.v, r.alpha
	for j, u := range x {
		v = step(v, alpha, u)
		dst[j] = v
	}
	r.v = v
}

func (r *EMA) seed(x float64) float64 {
	r.v += x
	r.left--
	if r.left > 0 {
		return math.NaN()
	}
	r.v /= float64(r.n)
	return r.v
}

// Fields lists the state.
func (r *EMA) Fields(c Codec) {
	c.Float(&r.v)
	c.Int(&r.left)
}

// Wilder is Wilder's exponential mean of values ≥ 0, α = 1/n, seeded with the
// plain mean of the first n values like TA-Lib's.
type Wilder struct {
	v       float64 // the sum of the values while it is seeded
	alpha   float64
	left, n int
}

// NewWilder makes Wilder's mean over n values.
func NewWilder(n int) Wilder { return Wilder{alpha: 1 / float64(n), n: n, left: n} }

// Decay is one step of Wilder's mean. All terms are positive, so nothing
// cancels, and the chain of dependent operations is shorter than an EMA's.
func Decay(v, alpha, x float64) float64 { return float64(v*(1-alpha)) + float64(alpha*x) }

// Push takes x and returns the mean; NaN before n values were seen.
func (r *Wilder) Push(x float64) float64 {
	if r.left == 0 {
		r.v = Decay(r.v, r.alpha, x)
		return r.v
	}
	return r.seed(x)
}

func (r *Wilder) seed(x float64) float64 {
	r.v += x
	r.left--
	if r.left > 0 {
		return math.NaN()
	}
	r.v /= float64(r.n)
	return r.v
}

// PushAll pushes every value of x and writes the means to dst, which may be x
// itself: a loop over Push that keeps its state in registers.
func (r *Wilder) PushAll(dst, x []float64) {
	i := 0
	for ; i < len(x) && r.left > 0; i++ {
		dst[i] = r.Push(x[i])
	}
	x, dst = x[i:], dst[i:len(x)]
	v, alpha := r.v, r.alpha
	for j, u := range x {
		v = Decay(v, alpha, u)
		dst[j] = v
	}
	r.v = v
}

// Fields lists the state.
func (r *Wilder) Fields(c Codec) {
	c.Float(&r.v)
	c.Int(&r.left)
}

// Memory is the number of values after which an exponential mean with this α
// has forgotten everything older to 1e-14 of its size.
func Memory(alpha float64) int { return int(math.Ceil(-33 / math.Log1p(-alpha))) }
