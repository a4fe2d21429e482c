package core

// sorter finds the cuts of one column after another and keeps its buffers.
type sorter struct {
	key        [2][]uint32
	pair       [2][]uint64 // key and row, where rows have weights
	vals, wgts []float32
}

// cuts sorts the values of a column that are not missing, with their weights w
// (nil: all 1), and cuts them.
func (s *sorter) cuts(vals, w []float32, cut Cutter) Cuts {
	if cap(s.vals) < len(vals) {
		s.vals = make([]float32, len(vals))
		if w == nil {
			s.key = [2][]uint32{make([]uint32, len(vals)), make([]uint32, len(vals))}
		} else {
			s.pair = [2][]uint64{make([]uint64, len(vals)), make([]uint64, len(vals))}
			s.wgts = make([]float32, len(vals))
		}
	}
	if w == nil {
		a := s.key[0][:0]
		for _, v := range vals {
			if v == v {
				a = append(a, OrderedKey(v))
			}
		}
		out := s.vals[:len(a)]
		for i, u := range radixSort(a, s.key[1], 0) {
			out[i] = FromKey(u)
		}
		return cut(out, nil)
	}
	a := s.pair[0][:0]
	for i, v := range vals {
		if v == v {
			a = append(a, uint64(OrderedKey(v))<<32|uint64(i))
		}
	}
	out, wgts := s.vals[:len(a)], s.wgts[:len(a)]
	for i, u := range radixSort(a, s.pair[1], 32) {
		out[i], wgts[i] = FromKey(uint32(u>>32)), w[uint32(u)]
	}
	return cut(out, wgts)
}

const (
	digit  = 11 // bits that a pass of radixSort sorts by
	digits = 1 << digit
)

// radixSort sorts a by the 32 bits from bit shift on, stably, and returns a or
// the buffer b, whichever holds the result. b is at least as long as a.
//
// Each pass has a loop of its own: a processor learns of a load whether it has to
// wait for the store before it. In the last pass, where many keys have the same
// sign and exponent, it often has to; code that is shared would wait in all.
func radixSort[T uint32 | uint64](a, b []T, shift uint) []T {
	var first [3][digits]uint32
	for _, u := range a {
		k := uint32(u >> shift)
		first[0][k%digits]++
		first[1][k>>digit%digits]++
		first[2][k>>(2*digit)]++
	}
	for pass := range first {
		sum := uint32(0)
		for k, c := range first[pass] {
			first[pass][k] = sum
			sum += c
		}
	}
	b = b[:len(a)]
	scatterLow(a, b, shift, &first[0])
	scatterMiddle(b, a, shift+digit, &first[1])
	scatterHigh(a, b, shift+2*digit, &first[2])
	return b
}

// scatterLow writes every u to the place that first has for its digit.
//
//go:noinline
func scatterLow[T uint32 | uint64](a, b []T, shift uint, first *[digits]uint32) {
	b = b[:len(a)]
	for _, u := range a {
		k := u >> (shift & 63) % digits
		at := first[k]
		first[k] = at + 1
		b[at] = u
	}
}

// scatterMiddle is scatterLow; see radixSort.
//
//go:noinline
func scatterMiddle[T uint32 | uint64](a, b []T, shift uint, first *[digits]uint32) {
	b = b[:len(a)]
	for _, u := range a {
		k := u >> (shift & 63) % digits
		at := first[k]
		first[k] = at + 1
		b[at] = u
	}
}

// scatterHigh is scatterLow from both ends of a, so that places that depend on
// one another are two chains: the second half goes backwards, from where the next
// digit begins.
//
//go:noinline
func scatterHigh[T uint32 | uint64](a, b []T, shift uint, first *[digits]uint32) {
	b = b[:len(a)]
	var end [digits]uint32 // the last digit has ten bits, and so another after it
	copy(end[:], first[1:])
	lo, hi := a[:len(a)/2], a[len(a)/2:]
	last := len(hi) - 1
	for i, u := range lo {
		v := hi[last-i]
		k, m := u>>(shift&63)%digits, v>>(shift&63)%digits
		at, to := first[k], end[m]-1
		first[k], end[m] = at+1, to
		b[at], b[to] = u, v
	}
	if len(hi) > len(lo) {
		b[first[hi[0]>>(shift&63)%digits]] = hi[0]
	}
}
