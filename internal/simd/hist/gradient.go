package hist

import "math"

// MinHessian keeps the hessians of log-losses positive, as in XGBoost.
const MinHessian = 1e-16

// Exp32 is e^x with a relative error below 3e-7; x is clamped to [−87, 88]. It
// gives the same bits on every processor: products are converted before they
// are added, so that no compiler fuses them.
func Exp32(x float32) float32 {
	const log2e, round = 1.44269504, 12582912        // round: 1.5·2²³
	const ln2hi, ln2lo = 0.693359375, -2.12194440e-4 // n·ln2hi is exact
	x = min(max(x, -87), 88)
	n := float32(x*log2e) + round
	n -= round
	r := x - float32(n*ln2hi)
	r -= float32(n * ln2lo)
	p := float32(r*(1.0/720)) + 1.0/120
	p = float32(p*r) + 1.0/24
	p = float32(p*r) + 1.0/6
	p = float32(p*r) + 0.5
	p = float32(p*r) + 1
	p = float32(p*r) + 1
	return math.Float32frombits(uint32(int32(n)+127)<<23) * p // #nosec G115 -- n is in [−126, 127]
}

// Logistic writes the gradient q − y and the hessian max(q(1−q), [MinHessian])
// of the log-loss, with q = 1/(1+e^−score), each times the weight (w nil: 1), and
// returns the sums of |g| and of h. All slices have one length; scores are not
// NaN. The sums are over eight interleaved parts, added in order, and then the
// rows beyond the last multiple of eight.
func Logistic(score, y, w, g, h []float32) (sumAbsG, sumH float64) {
	n := len(score)
	y, g, h = y[:n], g[:n], h[:n]
	if w != nil {
		w = w[:n]
	}
	var sums [16]float64
	at := logistic(score, y, w, g, h, &sums)
	logisticGeneric(score[at:n&^7], y[at:], tail(w, at), g[at:], h[at:], &sums)
	for k := range 8 {
		sumAbsG += sums[k]
		sumH += sums[8+k]
	}
	var rest [16]float64
	at = n &^ 7
	logisticGeneric(score[at:], y[at:], tail(w, at), g[at:], h[at:], &rest)
	for k := range n - at {
		sumAbsG += rest[k]
		sumH += rest[8+k]
	}
	return sumAbsG, sumH
}

func tail(w []float32, at int) []float32 {
	if w == nil {
		return nil
	}
	return w[at:]
}

// logisticGeneric is the plain twin of the assembly: row i counts in part i%8.
func logisticGeneric(score, y, w, g, h []float32, sums *[16]float64) {
	for i, s := range score {
		q := 1 / (1 + Exp32(-s))
		gi, hi := q-y[i], max(q*(1-q), MinHessian)
		if w != nil {
			gi, hi = gi*w[i], hi*w[i]
		}
		g[i], h[i] = gi, hi
		sums[i&7] += math.Abs(float64(gi))
		sums[8+i&7] += float64(hi)
	}
}

// Quantise writes the packed gradient and hessian of every row, g·fg rounded to
// the nearest integer, halves away from zero, and h·fh likewise, to gh and
// returns their sum. The products are below 2³¹ and 2³² in size.
func Quantise(g, h []float32, fg, fh float32, gh []uint64) (sum uint64) {
	n := len(g)
	h, gh = h[:n], gh[:n]
	at, sum := quantise(g, h, fg, fh, gh)
	return sum + quantiseGeneric(g[at:], h[at:], fg, fh, gh[at:])
}

func quantiseGeneric(g, h []float32, fg, fh float32, gh []uint64) (sum uint64) {
	for i, v := range g {
		p := Quantum(v, h[i], fg, fh)
		gh[i] = p
		sum += p
	}
	return sum
}

// Quantum is the packed gradient and hessian of one row; see [Quantise].
func Quantum(g, h, fg, fh float32) uint64 {
	v, half := float64(g*fg), 0.5
	if v < 0 {
		half = -0.5
	}
	return Pack(int64(v+half), int64(float64(h*fh)+0.5))
}
