//go:build !amd64

package hist

func addScores(hs []*Block, n int, lf *Leaf, acc *[]uint64, num, den *[Bins * Lanes]float64) {
	addScoresGeneric(hs, n, lf, acc, num, den)
}

func addHeldScores(body, tail []*Block, n int, lf *HeldLeaf, acc *[]uint64, num, den *[Bins * Lanes]float64) {
	addHeldScoresGeneric(body, tail, n, lf, acc, num, den)
}
