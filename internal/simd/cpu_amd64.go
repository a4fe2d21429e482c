package simd

import "golang.org/x/sys/cpu"

// needs lists the instruction sets that a path uses, with those of the narrower paths.
func needs(p Path) []ability {
	x := &cpu.X86
	list := []ability{{"avx2", x.HasAVX2}, {"fma", x.HasFMA}, {"bmi1", x.HasBMI1}, {"bmi2", x.HasBMI2}}
	if p == AVX512 {
		list = append(list, ability{"avx512f", x.HasAVX512F}, ability{"avx512dq", x.HasAVX512DQ},
			ability{"avx512bw", x.HasAVX512BW}, ability{"avx512vl", x.HasAVX512VL})
	}
	return list
}
