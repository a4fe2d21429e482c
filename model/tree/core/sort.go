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

// radixSort sorts a by the 32 bits from bit shift on, stably, and returns a or
// the buffer b, whichever holds the result. b is at least as long as a.
func radixSort[T uint32 | uint64](a, b []T, shift uint) []T {
	const bits, mask = 11, 1<<11 - 1
	var count [3][1 << bits]int
	for _, u := range a {
		k := uint32(u >> shift)
		count[0][k&mask]++
		count[1][k>>bits&mask]++
		count[2][k>>(2*bits)]++
	}
	b = b[:len(a)]
	for pass := range count {
		sum := 0
		for k, c := range count[pass] {
			count[pass][k] = sum
			sum += c
		}
		for _, u := range a {
			k := uint32(u>>shift) >> (pass * bits) & mask
			b[count[pass][k]] = u
			count[pass][k]++
		}
		a, b = b, a
	}
	return a
}
