package ingest

import (
	"encoding/binary"
	"math"
	"math/bits"
)

// plan is the meaning of a field to the fast way.
type plan uint8

const (
	planSkip  plan = iota
	planStamp      // the stamp
	planBegin      // begin and known beside it
	planKnown
	planValue // and the four following: open, high, low, close, volume
)

// makePlan prepares the fast way, for files of the ordinary form: no filter, and
// the stamp in one column.
func (c *csvReader) makePlan() {
	if c.where.at >= 0 || c.cols.at[roleClock] >= 0 {
		return
	}
	c.plan = make([]plan, c.header)
	for r, k := range c.cols.at {
		switch r := role(r); {
		case k < 0:
		case r == roleTime:
			c.plan[k] = planStamp
		case r >= roleBegin:
			c.plan[k] = planBegin + plan(r-roleBegin)
		default:
			c.plan[k] = planValue + plan(r-roleOpen)
		}
	}
}

// fast reads whole lines of buf[lo:safe] until the block is full or a line is not
// of the ordinary form: plain fields without spaces and quotes, stamps of a kind
// that is known from an earlier line, numbers that fast arithmetic reads exactly.
// It gives the values that slow gives.
func (c *csvReader) fast(b *block) {
	if c.stamps.kind == stampUnknown || b.begin != nil && c.others[0].kind|c.others[1].kind == stampUnknown {
		return
	}
	if c.cols.at[roleVolume] < 0 {
		b.blank(4)
	}
	i := c.lo
	for i < c.safe && b.n < len(b.stamp) {
		seen, last, prev := c.stamps.seen, c.stamps.last, c.stamps.prev
		j := c.fastRow(c.buf, i, b)
		if j < 0 || j-i > maxLine {
			c.stamps.seen, c.stamps.last, c.stamps.prev = seen, last, prev
			break
		}
		c.line++
		b.line[b.n] = c.line
		b.n++
		i = j
	}
	c.lo = i
}

// fastRow reads the line at buf[i:], which has an end, and gives the position
// behind it, or −1 where the line needs the slow way.
func (c *csvReader) fastRow(buf []byte, i int, b *block) int {
	k, last, sep := b.n, len(c.plan)-1, c.sep
	for f, what := range c.plan {
		j := i
		switch what {
		case planSkip:
			for buf[j] != sep && buf[j] != '\n' {
				if buf[j] == '"' {
					return -1
				}
				j++
			}
			if j > i && buf[j] == '\n' && buf[j-1] == '\r' {
				j--
			}
		case planStamp, planBegin, planKnown:
			st, dst := &c.stamps, b.stamp
			switch what {
			case planBegin:
				st, dst = &c.others[0], b.begin
			case planKnown:
				st, dst = &c.others[1], b.known
			}
			var t int64
			if t, j = st.fast(buf, i); j < 0 {
				for j = i; buf[j] != sep && buf[j] != '\n' && buf[j] != '\r'; j++ {
				}
				var err error
				if t, err = st.parse(buf[i:j]); err != nil {
					return -1 // the slow way says what is wrong
				}
			}
			dst[k] = t
		default:
			var x float64
			if x, j = fastFloat(buf, i); j < 0 {
				if buf[i] != sep && buf[i] != '\r' && buf[i] != '\n' {
					return -1
				}
				x, j = math.NaN(), i
			}
			b.v[what-planValue][k] = x
		}
		if f == last {
			if buf[j] == '\r' {
				j++
			}
			if buf[j] != '\n' {
				return -1
			}
		} else if buf[j] != sep {
			return -1
		}
		i = j + 1
	}
	return i
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

// fastFloat reads the decimal number at buf[i:] and gives its end, or −1 where it
// needs [parseFloat]: no digits, an exponent, or too many digits for one exact
// operation (see there).
func fastFloat(buf []byte, i int) (float64, int) {
	neg := buf[i] == '-'
	if neg {
		i++
	}
	m, n := eightDigits(buf, i)
	i += n
	if n == 8 {
		w, k := eightDigits(buf, i)
		m, n, i = m*power10[k]+w, n+k, i+k
		if k == 8 {
			return 0, -1
		}
	}
	frac := 0
	if buf[i] == '.' {
		w, k := eightDigits(buf, i+1)
		m, frac, i = m*power10[k]+w, k, i+1+k
		if k == 8 {
			w, k = eightDigits(buf, i)
			if n+8+k > 18 {
				return 0, -1
			}
			m, frac, i = m*power10[k]+w, 8+k, i+k
		}
	}
	if n += frac; n == 0 || n > 18 || m > 1<<53 {
		return 0, -1
	}
	x := float64(m)
	if frac > 0 {
		x /= pow10[frac]
	}
	if neg {
		x = -x
	}
	return x, i
}
