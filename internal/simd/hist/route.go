package hist

// Route divides rows by their bins: those of idx whose bin, col[row], is one of
// the count bins from first on go to l, the others to r, both in the order of
// idx. It returns how many went to l. Both have room for all rows and may hold
// anything behind those that went there; l may be idx itself. O(len(idx)).
func Route(col []uint8, first uint8, count int, idx, l, r []uint32) int {
	l, r = l[:len(idx)], r[:len(idx)]
	at, nl := route(col, first, count, idx, l, r)
	return nl + routeGeneric(col, first, count, idx[at:], l[nl:], r[at-nl:])
}

// routeGeneric is the plain twin of the assembly. It has no branch that depends
// on data.
func routeGeneric(col []uint8, first uint8, count int, idx, l, r []uint32) int {
	nl, nr := 0, 0
	for _, row := range idx {
		l[nl], r[nr] = row, row
		// The difference of numbers below 2⁹ is negative for rows of l.
		k := int(uint32(int32(col[row]-first)-int32(count)) >> 31) // #nosec G115 -- as said
		nl += k
		nr += 1 - k
	}
	return nl
}
