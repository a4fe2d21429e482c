package format

import (
	"encoding/binary"
	"math/bits"
)

// cityHash64 is CityHash64 in its first version (Pike and Alakuijala, 2011), by
// which CatBoost knows categories: the low 32 bits of the hash of the text.
func cityHash64(s []byte) uint64 {
	const (
		k0 = 0xc3a5c85c97cb3127
		k1 = 0xb492b66fbe98f273
		k2 = 0x9ae16a3b2f90404f
		k3 = 0xc949d7c7509e6557
	)
	n := uint64(len(s))
	at := func(i uint64) uint64 { return binary.LittleEndian.Uint64(s[i:]) }
	rot := func(x uint64, by int) uint64 { return bits.RotateLeft64(x, -by) }
	mix := func(x uint64) uint64 { return x ^ x>>47 }
	pair := func(lo, hi uint64) uint64 { // two words to one
		const m = 0x9ddfea08eb382d69
		a := mix((lo ^ hi) * m)
		return mix((hi^a)*m) * m
	}
	switch {
	case n == 0:
		return k2
	case n < 4:
		y := uint64(s[0]) + uint64(s[n>>1])<<8
		z := n + uint64(s[n-1])<<2
		return mix(y*k2^z*k3) * k2
	case n <= 8:
		a, b := uint64(binary.LittleEndian.Uint32(s)), uint64(binary.LittleEndian.Uint32(s[n-4:]))
		return pair(n+a<<3, b)
	case n <= 16:
		a, b := at(0), at(n-8)
		return pair(a, rot(b+n, int(n))) ^ b
	case n <= 32:
		a, b, c, d := at(0)*k1, at(8), at(n-8)*k2, at(n-16)*k0
		return pair(rot(a-b, 43)+rot(c, 30)+d, a+rot(b^k3, 20)-c+n)
	case n <= 64:
		half := func(a, z, second, third uint64) (f, s uint64) {
			b, c := rot(a+z, 52), rot(a, 37)
			a += second
			c += rot(a, 7)
			a += third
			return a + z, b + rot(a, 31) + c
		}
		vf, vs := half(at(0)+(n+at(n-16))*k0, at(24), at(8), at(16))
		wf, ws := half(at(16)+at(n-32), at(n-8), at(n-24), at(n-16))
		return mix(mix((vf+ws)*k2+(wf+vs)*k0)*k0+vs) * k2
	}
	type two struct{ a, b uint64 }
	weak := func(i, a, b uint64) two { // 32 bytes and two seeds
		w, x, y, z := at(i), at(i+8), at(i+16), at(i+24)
		a += w
		b = rot(b+a+z, 21)
		c := a
		a += x + y
		return two{a + z, b + rot(a, 44) + c}
	}
	x, y, z := at(0), at(n-16)^k1, at(n-56)^k0
	v, w := weak(n-64, n, y), weak(n-32, n*k1, k0)
	z += mix(v.b) * k1
	x, y = rot(z+x, 39)*k1, rot(y, 33)*k1
	for i, end := uint64(0), (n-1)&^63; i < end; i += 64 {
		x = rot(x+y+v.a+at(i+16), 37) * k1
		y = rot(y+v.b+at(i+48), 42) * k1
		x ^= w.b
		y ^= v.a
		z = rot(z^w.a, 33)
		v = weak(i, v.b*k1, x+w.a)
		w = weak(i+32, z+w.b, y)
		z, x = x, z
	}
	return pair(pair(v.a, w.a)+mix(y)*k1+z, pair(v.b, w.b)+x)
}

// catHash is CatBoost's number of a category.
func catHash(text []byte) int32 { return int32(uint32(cityHash64(text))) }

// tableFactor, squared, is what CatBoost multiplies the number of a category
// with for the key of its tables of target statistics.
const tableFactor = 0x4906ba494954cb65

func tableHash(cat int32) uint64 { return tableFactor * (tableFactor * uint64(int64(cat))) }

// tableCat is the number of the category of a key; the factor is odd, so that
// there is a way back.
func tableCat(key uint64) (int32, bool) {
	inverse := uint64(tableFactor)
	for range 5 { // each step doubles the bits that are right, of which there are three
		inverse *= 2 - tableFactor*inverse
	}
	c := int32(inverse * (inverse * key))
	return c, tableHash(c) == key
}
