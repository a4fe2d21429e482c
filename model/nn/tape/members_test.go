package tape

import (
	"math"
	"testing"

	"github.com/mlfactory/mlfactory/internal/simd"
)

func TestMembersAgainstTheirDefinitions(t *testing.T) {
	fixed := []float32{1, 2, -1, 0.5, 0, 3, -2, 1, 1, 0, 0, 2}
	const groups, waves, more = 3, 4, 2
	ops := []operation{
		{name: "fixed", inputs: [][2]int{{5, 4}},
			tape: func(t *Tape, x []*Tensor, _ []*Param) *Tensor {
				return t.Add(t.Fixed(x[0], 3, fixed), t.Fixed(x[0], 3, fixed))
			},
			plain: func(x []mat) mat {
				m := toMat(fixed, 3)
				y := linear(x[0], m, newMat(1, 3))
				return y.each(func(v float64) float64 { return 2 * v })
			}},
		{name: "repeat", inputs: [][2]int{{3, 5}},
			tape: func(t *Tape, x []*Tensor, _ []*Param) *Tensor { return t.Repeat(x[0], 4) },
			plain: func(x []mat) mat {
				y := newMat(12, 5)
				for i := range 12 {
					copy(y.v[i*5:], x[0].v[i/4*5:i/4*5+5])
				}
				return y
			}},
		{name: "product over steps", inputs: [][2]int{{8, 5}}, params: [][]int{{4, 5}},
			tape: func(t *Tape, x []*Tensor, p []*Param) *Tensor { return t.MulSteps(t.MulSteps(x[0], 4, p[0]), 4, p[0]) },
			plain: func(x []mat) mat {
				y := newMat(8, 5)
				for i := range 8 {
					for j := range 5 {
						y.set(i, j, x[0].at(i, j)*x[1].at(i%4, j)*x[1].at(i%4, j))
					}
				}
				return y
			}},
		{name: "linear of members", inputs: [][2]int{{8, 5}}, params: [][]int{{4, 3, 5}, {4, 3}},
			tape: func(t *Tape, x []*Tensor, p []*Param) *Tensor { return t.StepLinear(x[0], 4, p[0], p[1]) },
			plain: func(x []mat) mat {
				y := newMat(8, 3)
				for i := range 8 {
					for j := range 3 {
						s := x[2].at(i%4, j)
						for k := range 5 {
							s += x[0].at(i, k) * x[1].at(i%4, j*5+k)
						}
						y.set(i, j, s)
					}
				}
				return y
			}},
		{name: "periodic", inputs: [][2]int{{6, groups}}, params: [][]int{{groups, waves}, {groups, waves}, {groups, more, waves}, {groups, more}}, tol: 5e-5,
			tape: func(t *Tape, x []*Tensor, p []*Param) *Tensor {
				return t.Periodic(x[0], &Periodic{p[0], p[1], p[2], p[3]})
			},
			plain: func(x []mat) mat {
				y := newMat(6, groups*(more+1))
				for i := range 6 {
					for g := range groups {
						v := x[0].at(i, g)
						y.set(i, g*(more+1), v)
						for j := range more {
							s := x[4].at(g, j)
							for k := range waves {
								s += x[3].at(g, j*waves+k) * math.Cos(2*math.Pi*x[1].at(g, k)*v+x[2].at(g, k))
							}
							y.set(i, g*(more+1)+1+j, s)
						}
					}
				}
				return y
			}},
	}
	for _, path := range simd.Supported() {
		for _, op := range ops {
			t.Run(path.String()+"/"+op.name, func(t *testing.T) {
				simd.Force(t, path)
				verify(t, op)
			})
		}
	}
}

func TestWaves(t *testing.T) {
	for u := -3.0; u <= 3; u += 0.001 {
		sin, cos := wavesOf(u)
		if d := math.Max(math.Abs(sin-math.Sin(2*math.Pi*u)), math.Abs(cos-math.Cos(2*math.Pi*u))); d > 1e-9 {
			t.Fatalf("%v turns: %v %v, off by %v", u, sin, cos, d)
		}
	}
}
