// Package field finds the fields of lines of separated values and reads the numbers in them.
//
// It works by column: [Index] finds where the fields end, many lines at once, and [Decimals] reads the same field of line after line. What
// stands where is known before a number is read, so that the processor works on several numbers at a time; reading field after field, each
// begins only where the one before was found to end.
//
// Both stop at what they do not know, and say where: quotes, exponents, long numbers and empty fields are the caller's. The results are the same on
// every kernel path, bit for bit. Places in a text are uint32, so that a text is shorter than 4 GiB.
package field

import (
	"encoding/binary"
	"math/bits"

	"github.com/mlfactory/mlfactory/internal/simd"
)

// Block is the number of bytes that [Index] looks at in one step. It stops where there are fewer free places than that.
const Block = 64

// Found is what [Index] has found.
type Found struct {
	N      int  // places written
	Next   int  // behind the bytes looked at
	Lines  int  // line feeds among the places
	Quoted bool // there is a double quote in these bytes
}

// Index writes the places of the separators and line feeds of text, from byte from on, into ends, in order, until the text ends or fewer than
// [Block] places of ends are free. What stands in ends behind the last place may be overwritten. It panics when from lies outside of the text.
func Index(ends []uint32, text []byte, from int, sep byte) Found {
	f := Found{Next: from}
	blocks := len(text[from:]) / Block
	if len(ends) < Block {
		return f
	}
	if blocks > 0 {
		f = index(simd.Current(), ends, text, from, blocks, sep)
	}
	if f.Next < from+blocks*Block || len(ends)-f.N < Block {
		return f
	}
	for i, c := range text[f.Next:] {
		if c == sep || c == '\n' {
			ends[f.N] = uint32(f.Next + i)
			f.N++
		}
		if c == '\n' {
			f.Lines++
		}
		f.Quoted = f.Quoted || c == '"'
	}
	f.Next = len(text)
	return f
}

// equal has the high bit of every byte of x that is the byte of which pattern consists.
func equal(x, pattern uint64) uint64 {
	const low = 0x7f7f7f7f7f7f7f7f
	x ^= pattern
	return ^((x&low + low) | x | low)
}

// ones is a byte of 1 in each place: times a byte, a word full of it.
const ones = 0x0101010101010101

// indexGeneric is the plain twin of the assembly: it looks at eight bytes at once.
func indexGeneric(ends []uint32, text []byte, from, blocks int, sep byte) Found {
	f := Found{Next: from}
	separator, quotes := uint64(sep)*ones, uint64(0)
	for ; blocks > 0 && len(ends)-f.N >= Block; blocks-- {
		b := text[f.Next : f.Next+Block]
		for i := 0; i < Block; i += 8 {
			x := binary.LittleEndian.Uint64(b[i:])
			lines := equal(x, '\n'*ones)
			quotes |= equal(x, '"'*ones)
			f.Lines += bits.OnesCount64(lines)
			for m := equal(x, separator) | lines; m != 0; m &= m - 1 {
				ends[f.N] = uint32(f.Next + i + bits.TrailingZeros64(m)>>3)
				f.N++
			}
		}
		f.Next += Block
	}
	f.Quoted = quotes != 0
	return f
}

// Decimals reads one number of each line into dst: number r is text[ends[r·stride]+1 : ends[r·stride+1]−trim]. It gives the number of
// numbers before the first that is not of the plain form, which is len(dst) when all are.
//
// The plain form is 1 to 16 characters: a minus, or none, then digits and at most one point that is not the last, the digits together at most
// 2⁵³. It does not end in the first 15 bytes of the text: 16 bytes are read that end with the number. Digits and power of ten are exact then, and their quotient is the
// correctly rounded value (Clinger, "How to read floating point numbers accurately", 1990).
//
// It panics when ends is too short for dst.
func Decimals(dst []float64, text []byte, ends []uint32, stride, trim int) int {
	if len(dst) == 0 {
		return 0
	}
	_ = ends[(len(dst)-1)*stride+1]
	if len(text) < 16 {
		return 0
	}
	return decimals(simd.Current(), dst, text, ends, stride, trim)
}

// decimalsGeneric is the plain twin of the assembly.
func decimalsGeneric(dst []float64, text []byte, ends []uint32, stride, trim int) int {
	for r := range dst {
		lo, hi := ends[r*stride]+1, ends[r*stride+1]-uint32(trim)
		if hi < 16 || int(hi) > len(text) || hi-lo-1 > 15 {
			return r
		}
		b := text[hi-16 : hi]
		negative := text[lo] == '-'
		if negative {
			if lo++; lo == hi {
				return r
			}
		}
		x, ok := decimal(binary.LittleEndian.Uint64(b), binary.LittleEndian.Uint64(b[8:]), uint(hi-lo))
		if !ok {
			return r
		}
		if negative {
			x = -x
		}
		dst[r] = x
	}
	return len(dst)
}

// power10 holds powers of ten that are exact in float64.
//
// const
var power10 = [16]float64{1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15}

// decimal reads a number of n characters, 1 to 16, that are the last of the 16 in a and b.
func decimal(a, b uint64, n uint) (float64, bool) {
	const point = ('.' ^ '0') * ones
	a ^= '0' * ones
	b ^= '0' * ones
	if n <= 8 {
		a = 0
		b &= ^uint64(0) << (64 - 8*n)
	} else {
		a &= ^uint64(0) << (128 - 8*n)
	}
	behind := uint(0)
	// The characters before the point move up by one, over it.
	if m := equal(b, point); m != 0 {
		p := uint(bits.TrailingZeros64(m)) &^ 7
		behind = 7 - p>>3
		before := uint64(1)<<p - 1
		b = b&(^before<<8) | b&before<<8 | a>>56
		a <<= 8
	} else if m := equal(a, point); m != 0 {
		p := uint(bits.TrailingZeros64(m)) &^ 7
		behind = 15 - p>>3
		before := uint64(1)<<p - 1
		a = a&(^before<<8) | a&before<<8
	} else {
		behind = 16 // none
	}
	// What is not a digit now, a second point too, carries into a high bit.
	if ((a+0x7676767676767676)|a|(b+0x7676767676767676)|b)&0x8080808080808080 != 0 || behind == 0 {
		return 0, false
	}
	m := eight(b)
	if n > 8 {
		m += 100000000 * eight(a)
	}
	if m > 1<<53 {
		return 0, false
	}
	x := float64(m)
	if behind < 16 {
		x /= power10[behind]
	}
	return x, true
}

// eight is the number of eight digits, the first in the lowest byte (Lemire, "Quickly parsing eight digits", 2018).
func eight(x uint64) uint64 {
	x = x*10 + x>>8
	return ((x&0x000000ff000000ff)*(100+1000000<<32) + (x>>16&0x000000ff000000ff)*(1+10000<<32)) >> 32
}
