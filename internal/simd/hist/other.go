//go:build !amd64

package hist

func gather(rows []uint64, stride, first int, c Chosen, nw int, dst []uint64, ld int) {
	gatherGeneric(rows, stride, first, c.idx[:c.n], nw, dst, ld)
}

func largest(idx []uint32) uint32 { return largestGeneric(idx) }

func build(words, gh []uint64, h *Block, _ Ahead) { buildGeneric(words, gh, h) }

func scanUp(h, sub *Block, n int, nd *Node, best *Best) { scanUpGeneric(h, sub, n, nd, best) }

func scanDown(h *Block, n int, lanes uint8, nd *Node, best *Best) {
	scanDownGeneric(h, n, lanes, nd, best)
}

func logistic(score, y, w, g, h []float32, sums *[16]float64) int { return 0 }

func quantise(g, h []float32, fg, fh float32, gh []uint64) (int, uint64) { return 0, 0 }

func pick(src []uint64, c Chosen, dst []uint64) int { return 0 }

func buildColumns(cols []uint8, ld int, gh []uint64, h *Block) { buildColumnsGeneric(cols, ld, gh, h) }

func softExp(e, top, sum []float32) int { return 0 }

func softGrad(e, inv, y, w []float32, class float32, g, h []float32, sums *[16]float64) int { return 0 }

func route(col []uint8, first uint8, count int, idx, l, r []uint32) (n, nl int) { return 0, 0 }

func repeat(value []float32, count []uint8, dst []float32) (at, n int) { return 0, 0 }
