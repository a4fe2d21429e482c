package vec

import "fmt"

// sumLanes is the number of sums that a scan keeps for a row; the generator has the same constant.
const sumLanes = 16

// SumLanes is the number of running sums that a scan keeps for a row: lane j of the channels adds to sum j mod SumLanes.
const SumLanes = sumLanes

// Matrix is rows of lanes: lane j of row r is Data[First + r·Stride + j]. The stride may be negative or zero.
type Matrix struct {
	Data          []float32
	First, Stride int
}

// row is row r, of n lanes.
func (m *Matrix) row(r, n int) []float32 {
	at := m.First + r*m.Stride
	return m.Data[at : at+n]
}

// holds reports whether there are rows of n lanes; it is inlined where check, which says what is wrong, is not.
func (m *Matrix) holds(rows, n int) bool {
	last := m.First + (rows-1)*m.Stride
	return rows > 0 && min(m.First, last) >= 0 && max(m.First, last)+n <= len(m.Data)
}

// check panics unless rows of n lanes exist.
func (m *Matrix) check(name string, rows, n int) {
	if rows == 0 || n == 0 {
		return
	}
	last := m.First + (rows-1)*m.Stride
	if lo, hi := min(m.First, last), max(m.First, last)+n; rows < 0 || lo < 0 || hi > len(m.Data) {
		panic(fmt.Sprintf("vec: %s of %d rows of %d lanes needs values %d to %d, has %d", name, rows, n, lo, hi, len(m.Data)))
	}
}

// SumRow adds up the sums of a row as a tree.
func SumRow(s []float32) float32 {
	p := (*[sumLanes]float32)(s)
	return (((p[0] + p[8]) + (p[4] + p[12])) + ((p[2] + p[10]) + (p[6] + p[14]))) +
		(((p[1] + p[9]) + (p[5] + p[13])) + ((p[3] + p[11]) + (p[7] + p[15])))
}
