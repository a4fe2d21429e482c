package ingest

import (
	"math"
	"strconv"
	"unsafe"
)

// pow10 holds the powers of ten that are exact in float64.
//
// const
var pow10 = [...]float64{
	1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11,
	1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
}

// parseFloat reads a decimal number, correctly rounded. Where the digits fit in
// 53 bits and the power of ten is at most 22, one exact multiplication or
// division gives the rounded result (Clinger, "How to read floating point
// numbers accurately", 1990); anything else goes to strconv.
func parseFloat(s []byte) (float64, bool) {
	i, n := 0, len(s)
	neg := false
	if n > 0 && (s[0] == '-' || s[0] == '+') {
		neg = s[0] == '-'
		i = 1
	}
	var mant uint64
	digits, exp := 0, 0
	start := i
	for i < n && s[i]-'0' <= 9 {
		mant = mant*10 + uint64(s[i]-'0')
		i++
	}
	digits = i - start
	if i < n && s[i] == '.' {
		i++
		frac := i
		for i < n && s[i]-'0' <= 9 {
			mant = mant*10 + uint64(s[i]-'0')
			i++
		}
		exp = frac - i
		digits += i - frac
	}
	if digits == 0 {
		return 0, false
	}
	if i < n || digits > 18 || mant > 1<<53 || exp < -22 {
		return slowFloat(s)
	}
	f := float64(mant)
	if exp < 0 {
		f /= pow10[-exp]
	}
	if neg {
		f = -f
	}
	return f, true
}

// slowFloat accepts what strconv does except the words, hexadecimal forms and
// underscores, which no market data file means.
func slowFloat(s []byte) (float64, bool) {
	for _, c := range s {
		switch {
		case c-'0' <= 9, c == '.', c == '-', c == '+', c == 'e', c == 'E':
		default:
			return 0, false
		}
	}
	f, err := strconv.ParseFloat(unsafe.String(unsafe.SliceData(s), len(s)), 64)
	if err != nil || math.IsInf(f, 0) {
		return 0, false
	}
	return f, true
}

// missing reports whether a field says that there is no value.
func missing(s []byte) bool {
	switch len(s) {
	case 0:
		return true
	case 1:
		return s[0] == '-'
	case 2:
		return (s[0]|32) == 'n' && (s[1]|32) == 'a'
	case 3:
		a, b, c := s[0]|32, s[1]|32, s[2]|32
		return a == 'n' && b == 'a' && c == 'n' || a == 'n' && s[1] == '/' && c == 'a'
	case 4:
		return s[0]|32 == 'n' && (s[1]|32 == 'u' && s[2]|32 == 'l' && s[3]|32 == 'l' || s[1]|32 == 'o' && s[2]|32 == 'n' && s[3]|32 == 'e')
	}
	return false
}
