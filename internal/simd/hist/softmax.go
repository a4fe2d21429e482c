package hist

import "math"

// softRows is the number of rows whose scores are turned into columns at a
// time, a multiple of eight.
const softRows = 256

// SoftmaxRoom is the length of the buffer that [Softmax] needs for k classes.
func SoftmaxRoom(k int) int { return (k + 2) * softRows }

// Softmax writes the gradient q − [y = c] and the hessian max(2q(1−q),
// [MinHessian]) of the log-loss by the score of each of k classes, with
// q = e^s/Σe^s, the gradient and 2q(1−q) times the weight (w nil: 1). score is
// row-major, k a row; y holds classes; g[c], h[c], y and w have one length n.
// The sums of |g[c]| and h[c] go to sums[c] and sums[k+c], in the order of
// [Logistic]. Scores are not NaN. room has [SoftmaxRoom] values.
func Softmax(score, y, w []float32, g, h [][]float32, room []float32, sums []float64) {
	k, n := len(g), len(y)
	parts := make([][2][16]float64, k) // of whole eights, and of the rows beyond
	for lo := 0; lo < n; lo += softRows {
		m := min(softRows, n-lo)
		var ws []float32
		if w != nil {
			ws = w[lo : lo+m]
		}
		top, sum := room[:m], room[softRows:softRows+m]
		e := func(c int) []float32 { return room[(c+2)*softRows : (c+2)*softRows+m] }
		rows := score[lo*k : (lo+m)*k]
		for i := range top {
			t := rows[i*k]
			for c, v := range rows[i*k : i*k+k] {
				room[(c+2)*softRows+i] = v
				t = max(t, v)
			}
			top[i], sum[i] = t, 0
		}
		for c := range k {
			ec := e(c)
			at := softExp(ec, top, sum)
			softExpGeneric(ec[at:], top[at:], sum[at:])
		}
		for i, v := range sum {
			sum[i] = 1 / v
		}
		for c := range k {
			ec, gc, hc := e(c), g[c][lo:lo+m], h[c][lo:lo+m]
			class, ys := float32(c), y[lo:lo+m]
			at, eights := softGrad(ec, sum, ys, ws, class, gc, hc, &parts[c][0]), m&^7
			softGradGeneric(ec[at:eights], sum[at:], ys[at:], tail(ws, at), class, gc[at:], hc[at:], &parts[c][0])
			softGradGeneric(ec[eights:], sum[eights:], ys[eights:], tail(ws, eights), class, gc[eights:], hc[eights:], &parts[c][1])
		}
	}
	for c := range k {
		sums[c], sums[k+c] = 0, 0
		for _, p := range &parts[c] {
			for j := range 8 {
				sums[c] += p[j]
				sums[k+c] += p[8+j]
			}
		}
	}
}

// softExpGeneric is the plain twin of the assembly.
func softExpGeneric(e, top, sum []float32) {
	for i, v := range e {
		e[i] = Exp32(v - top[i])
		sum[i] += e[i]
	}
}

// softGradGeneric is the plain twin of the assembly: row i counts in part i%8.
func softGradGeneric(e, inv, y, w []float32, class float32, g, h []float32, sums *[16]float64) {
	for i, v := range e {
		q := v * inv[i]
		gi := q
		if y[i] == class {
			gi = q - 1
		}
		hi := 2 * q * (1 - q)
		if w != nil {
			gi, hi = gi*w[i], hi*w[i]
		}
		hi = max(hi, MinHessian)
		g[i], h[i] = gi, hi
		sums[i&7] += math.Abs(float64(gi))
		sums[8+i&7] += float64(hi)
	}
}
