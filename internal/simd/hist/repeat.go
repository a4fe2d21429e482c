package hist

// Repeat writes value[i] to dst count[i] times, for i upwards, and returns how
// many it wrote. dst has room for eight more, which may hold anything then.
// O(len(value) + what is written).
func Repeat(value []float32, count []uint8, dst []float32) int {
	count = count[:len(value)]
	at, n := repeat(value, count, dst)
	return n + repeatGeneric(value[at:], count[at:], dst[n:])
}

// repeatGeneric is the plain twin of the assembly.
func repeatGeneric(value []float32, count []uint8, dst []float32) int {
	n := 0
	for i, v := range value {
		c := int(count[i])
		dst[n] = v // mostly once
		for k := 1; k < c; k++ {
			dst[n+k] = v
		}
		n += c
	}
	return n
}
