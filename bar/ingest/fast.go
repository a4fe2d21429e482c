package ingest

import (
	"bytes"
	"encoding/binary"
	"math"
	"math/bits"

	"github.com/mlfactory/mlfactory/internal/simd/field"
)

// columnar reads the ordinary lines of a file, many at once and column by
// column: fields without quotes, as many as the header has, and stamps of a kind
// that is known from an earlier line. It gives the values that slow gives.
type columnar struct {
	numbers []planned // open to volume, as far as the file has them
	stamps  []planned // the stamp, and begin and known beside it
	fields  int       // of a line
	rows    int       // lines that are tried next
	most    int       // lines that are tried at once at most
	safe    int       // behind the last line end that is known in buf[lo:hi]; 0: not looked for
	ends    []uint32  // where the field before each field ends, and the last line
}

// planned is a column of the file and what it means.
type planned struct {
	at   int
	role role
}

const (
	// batchFields is the number of fields that are looked for at once, about:
	// their text stays in the first-level cache.
	batchFields = 1536
	// leastRows is the number of lines that are tried after one that is not
	// ordinary. As long as all are, each try takes four times as many.
	leastRows = 8
)

// plan prepares the fast way, for files of the ordinary form: no filter, and the
// stamp in one column.
func (c *csvReader) plan() {
	if c.where.at >= 0 || c.cols.at[roleClock] >= 0 {
		return
	}
	f := &columnar{fields: c.header, rows: leastRows}
	for r := roleTime; r < roles; r++ {
		switch at := c.cols.at[r]; {
		case at < 0:
		case r >= roleOpen && r <= roleVolume:
			f.numbers = append(f.numbers, planned{at, r})
		default:
			f.stamps = append(f.stamps, planned{at, r})
		}
	}
	f.most = min(max(batchFields/f.fields, leastRows), rowsPerBlock)
	f.ends = make([]uint32, 1+f.most*f.fields+field.Block)
	c.fast = f
}

// stamper is the reader of a column of stamps.
func (c *csvReader) stamper(r role) *stamper {
	if r == roleTime {
		return &c.stamps
	}
	return &c.others[r-roleBegin]
}

// columns reads whole lines of the buffer until the block is full or a line is
// not an ordinary one.
func (c *csvReader) columns(b *block) {
	f := c.fast
	for _, p := range f.stamps {
		if c.stamper(p.role).kind == stampUnknown {
			return
		}
	}
	if f.safe <= c.lo {
		f.safe = c.lo + bytes.LastIndexByte(c.buf[c.lo:c.hi], '\n') + 1
	}
	for c.lo < f.safe && b.n < rowsPerBlock {
		want := min(f.rows, rowsPerBlock-b.n)
		lines, trim := c.lines(want)
		n := c.values(b, lines, trim)
		first := c.line + 1
		for i := range n {
			b.line[b.n+i] = first + int64(i)
		}
		c.line += int64(n)
		b.n += n
		c.lo = int(f.ends[n*f.fields]) + 1
		if n < want && c.lo < f.safe {
			f.rows = min(max(2*n, leastRows), f.most)
			return
		}
		f.rows = min(4*f.rows, f.most)
	}
}

// lines finds the fields of at most want lines from buf[lo] on, and gives the
// number of lines up to the first that has a quote or another number of fields.
// They end alike, trim is the length of the carriage return.
func (c *csvReader) lines(want int) (rows, trim int) {
	f := c.fast
	f.ends[0] = uint32(c.lo - 1)
	found := field.Index(f.ends[1:1+want*f.fields+field.Block], c.buf[:f.safe], c.lo, c.sep)
	rows = min(want, found.N/f.fields)
	stop := uint32(f.safe) // the first quote
	if found.Quoted {
		stop = uint32(c.lo + bytes.IndexByte(c.buf[c.lo:found.Next], '"'))
	}
	if rows == 0 {
		return 0, 0
	}
	if c.buf[f.ends[f.fields]-1] == '\r' {
		trim = 1
	}
	before := f.ends[0]
	for r := range rows {
		end := f.ends[(r+1)*f.fields]
		if c.buf[end] != '\n' || end > stop || end-before > maxLine || (c.buf[end-1] == '\r') != (trim == 1) {
			rows = r
			break
		}
		before = end
	}
	// Every line ends where it should. If there are no more line ends than that,
	// all the other places are separators.
	lines := found.Lines
	for _, e := range f.ends[1+rows*f.fields : 1+found.N] {
		if c.buf[e] == '\n' {
			lines--
		}
	}
	if lines > rows {
		for i, e := range f.ends[1 : 1+rows*f.fields] {
			if c.buf[e] == '\n' && (i+1)%f.fields > 0 {
				return i / f.fields, trim
			}
		}
	}
	return rows, trim
}

// values reads the columns of the lines into the block, behind what is there, and
// gives the number of lines up to the first that has something else in it.
func (c *csvReader) values(b *block, rows, trim int) int {
	f := c.fast
	if c.cols.at[roleVolume] < 0 {
		blank(b.v[4][b.n : b.n+rows])
	}
	for _, p := range f.numbers {
		cut := 0
		if p.at == f.fields-1 {
			cut = trim
		}
		dst := b.v[p.role-roleOpen][b.n : b.n+rows]
		for r := 0; r < rows; r++ {
			if r += field.Decimals(dst[r:], c.buf, f.ends[r*f.fields+p.at:], f.fields, cut); r == rows {
				break
			}
			var ok bool
			if dst[r], ok = number(c.field(r, p.at, cut)); !ok {
				rows = r
			}
		}
	}
	for _, p := range f.stamps {
		cut := 0
		if p.at == f.fields-1 {
			cut = trim
		}
		st, dst := c.stamper(p.role), b.instants(p.role)[b.n:b.n+rows]
		for r := range dst {
			i := r*f.fields + p.at
			t, end := st.fast(c.buf, int(f.ends[i])+1)
			if end != int(f.ends[i+1])-cut {
				var err error
				if t, err = st.parse(bare(c.field(r, p.at, cut))); err != nil {
					rows = r // the slow way says what is wrong
					break
				}
			}
			dst[r] = t
		}
	}
	return rows
}

// field is the text of a field of a line that lines has found.
func (c *csvReader) field(row, at, trim int) []byte {
	i := row*c.fast.fields + at
	return c.buf[c.fast.ends[i]+1 : int(c.fast.ends[i+1])-trim]
}

// number reads a price or a volume; NaN is one that is said to be missing.
func number(f []byte) (float64, bool) {
	f = bare(f)
	if v, ok := parseFloat(f); ok {
		return v, true
	}
	return math.NaN(), missing(f)
}

// fast reads the stamp at buf[i:] where it is of the commonest forms, and gives
// its end, or −1: 2006-01-02T15:04[:05][Z] on the day of the stamp before, or an
// epoch number without a fraction.
func (st *stamper) fast(buf []byte, i int) (int64, int) {
	if st.kind == stampEpoch {
		v, n := eightDigits(buf, i)
		if n == 8 {
			w, m := eightDigits(buf, i+8)
			v, n = v*power10[m]+w, 8+m
			if m == 8 {
				w, m = eightDigits(buf, i+16)
				if m > 3 {
					return 0, -1
				}
				v, n = v*power10[m]+w, 16+m
			}
		}
		if n == 0 || v > uint64(maxInstant/st.unit) || buf[i+n] == '.' {
			return 0, -1
		}
		return int64(v) * st.unit, i + n
	}
	s := buf[i : i+21]
	if binary.LittleEndian.Uint64(s) != st.day8 || binary.LittleEndian.Uint16(s[8:]) != st.day2 || s[10] != 'T' && s[10] != ' ' {
		return 0, -1
	}
	h1, h2, m1, m2 := s[11]-'0', s[12]-'0', s[14]-'0', s[15]-'0'
	if h1 > 9 || h2 > 9 || m1 > 5 || m2 > 9 || s[13] != ':' {
		return 0, -1
	}
	h := int64(h1)*10 + int64(h2)
	sec := h*3600 + (int64(m1)*10+int64(m2))*60
	n := 16
	if s[16] == ':' {
		s1, s2 := s[17]-'0', s[18]-'0'
		if s1 > 5 || s2 > 9 {
			return 0, -1
		}
		sec += int64(s1)*10 + int64(s2)
		n = 19
	}
	if h > 23 {
		return 0, -1
	}
	if st.kind == stampZoned {
		if s[n] != 'Z' {
			return 0, -1
		}
		return (st.day + sec) * 1e9, i + n + 1
	}
	switch s[n] {
	case ',', ';', '\t', '|', '\r', '\n':
	default:
		return 0, -1
	}
	local := st.day + sec
	if local < st.lo || local >= st.hi {
		return 0, -1
	}
	return st.note((local - st.off) * 1e9), i + n
}

// const
var power10 = [...]uint64{1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10}

// eightDigits reads up to eight digits at buf[i:] at once and gives their value
// and number. (Eight bytes as one word; the first byte that is not a digit is
// found by carries into high bits, the digits are moved to the word's end and
// added up in pairs: Lemire, "Quickly parsing eight digits", 2018.)
func eightDigits(buf []byte, i int) (uint64, int) {
	x := binary.LittleEndian.Uint64(buf[i:]) ^ 0x3030303030303030
	n := bits.TrailingZeros64(((x+0x7676767676767676)|x)&0x8080808080808080) >> 3
	x <<= uint(8-n) * 8
	x = (x * 10) + (x >> 8)
	x = ((x&0x000000ff000000ff)*0x000f424000000064 + ((x>>16)&0x000000ff000000ff)*0x0000271000000001) >> 32
	return x, n
}
