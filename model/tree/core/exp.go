package core

import "github.com/mlfactory/mlfactory/internal/simd/hist"

// Exp32 is e^x with a relative error below 3e-7; see [hist.Exp32].
func Exp32(x float32) float32 { return hist.Exp32(x) }
