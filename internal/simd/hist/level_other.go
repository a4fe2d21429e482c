//go:build !amd64

package hist

func addScores(hs []*Block, n int, lf *Leaf, acc *[]uint64, num, den *[Bins * Lanes]float64) {
	addScoresGeneric(hs, n, lf, acc, num, den)
}
