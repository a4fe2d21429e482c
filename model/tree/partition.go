package tree

// route sends the rows of idx left or right of a split, in order: left rows go
// to l, right rows to r, and their number is returned. Both must have room for
// all rows; l may be idx itself. The loop has no branch that depends on data.
func route(col []uint8, s *split, idx, l, r []uint32) int {
	l, r = l[:len(idx)], r[:len(idx)]
	missLeft := 0
	if s.missLeft {
		missLeft = 1
	}
	nl, nr, limit := 0, 0, s.bin-1
	for _, row := range idx {
		b := col[row]
		left := 0
		if b-1 <= limit { // the missing bin wraps to 255 and is decided below
			left = 1
		}
		if b == missingBin {
			left = missLeft
		}
		l[nl], r[nr] = row, row
		nl += left
		nr += 1 - left
	}
	return nl
}

// parallelRows is the number of rows from which dividing work pays.
const parallelRows = 8192

// partition splits the rows of lf, keeping their order, and returns how many
// go left.
func (g *grower) partition(lf *leaf) int {
	col, n, t := g.m.col[lf.best.feature], lf.hi-lf.lo, len(g.ws)
	if t == 1 || n < parallelRows {
		seg, right := g.idx[lf.lo:lf.hi], g.ws[0].part
		nl := route(col, &lf.best, seg, seg, right)
		copy(seg[nl:], right[:n-nl])
		return nl
	}
	at := func(w int) int { return lf.lo + n*w/t }
	half := len(g.ws[0].part) / 2
	g.pl.run(true, func(w int) {
		p := g.ws[w].part
		g.ws[w].nl = route(col, &lf.best, g.idx[at(w):at(w+1)], p[:half], p[half:])
	})
	left := 0
	for w := range g.ws {
		left += g.ws[w].nl
	}
	g.pl.run(true, func(w int) {
		ol, or := lf.lo, lf.lo+left
		for k := range w {
			ol += g.ws[k].nl
			or += at(k+1) - at(k) - g.ws[k].nl
		}
		p, nl := g.ws[w].part, g.ws[w].nl
		copy(g.idx[ol:], p[:nl])
		copy(g.idx[or:], p[half:half+at(w+1)-at(w)-nl])
	})
	return left
}
