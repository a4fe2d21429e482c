package hist

import "github.com/mlfactory/mlfactory/internal/simd"

//go:noescape
func scanRowsDownAVX2(h, sub *uint64, n, first int, c *rowConst, best *Best)

//go:noescape
func scanRowsUpAVX2(h *uint64, n int, lanes *uint64, start *float64, c *rowConst, best *Best)

// rowConst is a scanConst and what the counts need, in four lanes.
type rowConst struct {
	scanConst
	perH, half, minRows, rows [4]float64
}

func (c *rowConst) set(nd *RowNode) {
	c.scanConst.set(&nd.Node)
	for k := range 4 {
		c.perH[k], c.half[k], c.minRows[k], c.rows[k] = nd.PerH, 0.5, nd.MinRows, nd.Rows
	}
}

func scanRowsDown(h, sub *Block, n int, nd *RowNode, best *Best) {
	if simd.Current() == simd.Generic {
		scanRowsDownGeneric(h, sub, n, nd, best)
		return
	}
	if sub != nil {
		Subtract(h, sub, min(n, 2))
	}
	if n <= 2 {
		return
	}
	var c rowConst
	c.set(nd)
	var s *uint64
	if sub != nil {
		s = &sub[(n-1)*Lanes]
	}
	scanRowsDownAVX2(&h[(n-1)*Lanes], s, n-2, n-1|MissingLeft, &c, best)
}

func scanRowsUp(h *Block, n int, lanes uint8, nd *RowNode, start *[Lanes]float64, best *Best) {
	if simd.Current() == simd.Generic {
		scanRowsUpGeneric(h, n, lanes, nd, start, best)
		return
	}
	var c rowConst
	c.set(nd)
	var on [Lanes]uint64
	for k := range on {
		on[k] = -uint64(lanes >> k & 1)
	}
	scanRowsUpAVX2(&h[Lanes], n-1, &on[0], &start[0], &c, best)
}
