package hist

import "github.com/mlfactory/mlfactory/internal/simd"

//go:noescape
func scanUpAVX2(h, sub *uint64, n int, c *scanConst, best *Best)

//go:noescape
func scanDownAVX2(h *uint64, n, first int, lanes *uint64, c *scanConst, best *Best)

// scanConst is a node in the layout of the assembly: every constant in four
// lanes. exp is the exponent of 2⁵², bias2 is 2⁵²+2³¹, zero the sum of nothing,
// with 2³¹ added to its gradient.
type scanConst struct {
	g, h, lambda, minH [4]float64
	exp                [4]uint64
	bias, bias2        [4]float64
	one, zero          [4]uint64
}

func (c *scanConst) set(nd *Node) {
	for k := range 4 {
		c.g[k], c.h[k], c.lambda[k], c.minH[k] = nd.G, nd.H, nd.Lambda, nd.MinH
		c.exp[k], c.bias[k], c.bias2[k] = 0x4330000000000000, 1<<52, 1<<52+1<<31
		c.one[k], c.zero[k] = 1, 1<<63
	}
}

func scanUp(h, sub *Block, n int, nd *Node, best *Best) {
	if simd.Current() == simd.Generic {
		scanUpGeneric(h, sub, n, nd, best)
		return
	}
	var c scanConst
	c.set(nd)
	var s *uint64
	if sub != nil {
		Subtract(h, sub, 1)
		s = &sub[Lanes]
	}
	scanUpAVX2(&h[Lanes], s, n-1, &c, best)
}

func scanDown(h *Block, n int, lanes uint8, nd *Node, best *Best) {
	if simd.Current() == simd.Generic {
		scanDownGeneric(h, n, lanes, nd, best)
		return
	}
	var c scanConst
	c.set(nd)
	var on [Lanes]uint64
	for k := range on {
		on[k] = -uint64(lanes >> k & 1)
	}
	scanDownAVX2(&h[(n-1)*Lanes], n-2, n-1|MissingLeft, &on[0], &c, best)
}
