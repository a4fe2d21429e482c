package core

// Rule divides the rows of a node by one feature: bins 1 to Bin go left, larger
// ones right, missing values (bin 0) as MissingLeft says. With a set, its bins
// go left and all others right, whatever the other fields say.
type Rule struct {
	Feature     int
	Bin         uint8 // at least 1
	MissingLeft bool
	Set         *BinSet
}

// BinSet is a set of bins.
type BinSet [4]uint64

// Has reports whether bin b is in the set.
func (s *BinSet) Has(b uint8) bool { return s[b>>6]>>(b&63)&1 == 1 }

// Add puts bin b into the set.
func (s *BinSet) Add(b uint8) { s[b>>6] |= 1 << (b & 63) }

// routeSet is route for a set.
func routeSet(col []uint8, s *BinSet, idx, l, r []uint32) int {
	l, r = l[:len(idx)], r[:len(idx)]
	nl, nr := 0, 0
	for _, row := range idx {
		b := col[row]
		left := int(s[b>>6] >> (b & 63) & 1)
		l[nl], r[nr] = row, row
		nl += left
		nr += 1 - left
	}
	return nl
}

// route sends the rows of idx left or right of a split, in order: left rows go
// to l, right rows to r, and their number is returned. Both must have room for
// all rows; l may be idx itself. The loop has no branch that depends on data.
func route(col []uint8, s *Rule, idx, l, r []uint32) int {
	if s.Set != nil {
		return routeSet(col, s.Set, idx, l, r)
	}
	l, r = l[:len(idx)], r[:len(idx)]
	missLeft := 0
	if s.MissingLeft {
		missLeft = 1
	}
	nl, nr, limit := 0, 0, s.Bin-1
	for _, row := range idx {
		b := col[row]
		left := 0
		if b-1 <= limit { // the missing bin wraps to 255 and is decided below
			left = 1
		}
		if b == MissingBin {
			left = missLeft
		}
		l[nl], r[nr] = row, row
		nl += left
		nr += 1 - left
	}
	return nl
}

// ParallelRows is the number of rows from which dividing work pays.
const ParallelRows = 8192
