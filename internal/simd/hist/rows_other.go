//go:build !amd64

package hist

func scanRowsDown(h, sub *Block, n int, nd *RowNode, best *Best) {
	scanRowsDownGeneric(h, sub, n, nd, best)
}

func scanRowsUp(h *Block, n int, lanes uint8, nd *RowNode, start *[Lanes]float64, best *Best) {
	scanRowsUpGeneric(h, n, lanes, nd, start, best)
}
