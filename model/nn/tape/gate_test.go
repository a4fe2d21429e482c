package tape

import "math"

func gateOperations() []operation {
	halves := func(name string, a Activation, f func(float64) float64) operation {
		return operation{name: name, inputs: [][2]int{{4, 18}},
			tape: func(t *Tape, x []*Tensor, _ []*Param) *Tensor {
				return t.Add(t.Gate(x[0], a), t.Slice(x[0], 9, 18))
			},
			plain: func(x []mat) mat {
				y := newMat(4, 9)
				for i := range 4 {
					for j := range 9 {
						y.set(i, j, x[0].at(i, j)*f(x[0].at(i, 9+j))+x[0].at(i, 9+j))
					}
				}
				return y
			}}
	}
	gated := func(skip, z mat, groups int, gain, bias mat) mat {
		d, n := z.c/2, z.r/groups
		y := newMat(z.r, d)
		for r := range z.r {
			row := newMat(1, d)
			for j := range d {
				row.v[j] = z.at(r, j) * sigma(z.at(r, d+j))
				if skip.v != nil {
					row.v[j] += skip.at(r, j)
				}
			}
			g := r / n * d
			copy(y.v[r*d:], normal(row, mat{1, d, gain.v[g : g+d]}, mat{1, d, bias.v[g : g+d]}, 1e-3, true).v)
		}
		return y
	}
	return []operation{
		halves("glu", Sigmoid, sigma),
		halves("geglu", GELU, func(x float64) float64 { return x * normalCDF(x) }),
		halves("swiglu", SiLU, func(x float64) float64 { return x * sigma(x) }),
		{name: "elu", inputs: [][2]int{{3, 19}},
			tape: func(t *Tape, x []*Tensor, _ []*Param) *Tensor { return t.Add(t.ELU(x[0]), x[0]) },
			plain: func(x []mat) mat {
				return x[0].each(func(x float64) float64 {
					if x > 0 {
						return 2 * x
					}
					return math.Expm1(x) + x
				})
			}},
		{name: "add and gate", inputs: [][2]int{{6, 5}, {6, 10}}, params: [][]int{{2, 5}, {2, 5}},
			tape: func(t *Tape, x []*Tensor, p []*Param) *Tensor {
				return t.Add(t.AddGate(x[0], x[1], 2, p[0], p[1], 1e-3), t.Gate(x[1], Sigmoid))
			},
			plain: func(x []mat) mat {
				y := gated(x[0], x[1], 2, x[2], x[3])
				for r := range 6 {
					for j := range 5 {
						y.v[r*5+j] += x[1].at(r, j) * sigma(x[1].at(r, 5+j))
					}
				}
				return y
			}},
		{name: "gate without a skip", inputs: [][2]int{{4, 34}}, params: [][]int{{17}, {17}},
			tape: func(t *Tape, x []*Tensor, p []*Param) *Tensor {
				return t.AddGate(nil, x[0], 1, p[0], p[1], 1e-3)
			},
			plain: func(x []mat) mat { return gated(mat{}, x[0], 1, x[1], x[2]) }},
		{name: "embedding", params: [][]int{{4, 3}},
			tape: func(t *Tape, _ []*Tensor, p []*Param) *Tensor { return t.Embedding([]int{2, 0, 2, 3, 1}, p[0]) },
			plain: func(x []mat) mat {
				y := newMat(5, 3)
				for i, id := range []int{2, 0, 2, 3, 1} {
					copy(y.v[i*3:], x[0].v[id*3:id*3+3])
				}
				return y
			}},
		{name: "positions and contexts", inputs: [][2]int{{6, 5}, {2, 5}}, params: [][]int{{3, 5}},
			tape: func(t *Tape, x []*Tensor, p []*Param) *Tensor {
				return t.AddConstant(t.AddRow(t.AddSteps(x[0], 3, p[0]), 3, x[1]), 3, Sinusoid(3, 5))
			},
			plain: func(x []mat) mat {
				y := newMat(6, 5)
				for r := range 6 {
					for j := range 5 {
						angle := float64(r%3) / math.Pow(10000, float64(j/2*2)/5)
						wave := math.Sin(angle)
						if j%2 == 1 {
							wave = math.Cos(angle)
						}
						y.set(r, j, x[0].at(r, j)+x[1].at(r/3, j)+x[2].at(r%3, j)+wave)
					}
				}
				return y
			}},
		{name: "mean over steps", inputs: [][2]int{{8, 3}},
			tape: func(t *Tape, x []*Tensor, _ []*Param) *Tensor {
				return t.Add(t.MeanSteps(x[0], 4), t.Step(x[0], 4, 1))
			},
			plain: func(x []mat) mat {
				y := newMat(2, 3)
				for r := range 8 {
					for j := range 3 {
						y.v[r/4*3+j] += x[0].at(r, j) / 4
					}
				}
				for b := range 2 {
					for j := range 3 {
						y.v[b*3+j] += x[0].at(b*4+1, j)
					}
				}
				return y
			}},
		{name: "scalars", inputs: [][2]int{{4, 3}}, params: [][]int{{3, 5}, {3, 5}},
			tape: func(t *Tape, x []*Tensor, p []*Param) *Tensor { return t.Scalars(x[0], p[0], p[1]) },
			plain: func(x []mat) mat {
				y := newMat(12, 5)
				for r := range 12 {
					for j := range 5 {
						y.set(r, j, x[0].at(r%4, r/4)*x[1].at(r/4, j)+x[2].at(r/4, j))
					}
				}
				return y
			}},
		{name: "linear of groups", inputs: [][2]int{{6, 4}}, params: [][]int{{2, 5, 4}, {2, 5}},
			tape: func(t *Tape, x []*Tensor, p []*Param) *Tensor { return t.GroupLinear(x[0], 2, p[0], p[1]) },
			plain: func(x []mat) mat {
				y := newMat(6, 5)
				for g := range 2 {
					part := linear(mat{3, 4, x[0].v[g*12 : g*12+12]}, mat{5, 4, x[1].v[g*20 : g*20+20]}, mat{1, 5, x[2].v[g*5 : g*5+5]})
					copy(y.v[g*15:], part.v)
				}
				return y
			}},
		{name: "linear over groups", inputs: [][2]int{{6, 4}}, params: [][]int{{5, 8}, {5}},
			tape: func(t *Tape, x []*Tensor, p []*Param) *Tensor { return t.FlatLinear(x[0], 2, p[0], p[1]) },
			plain: func(x []mat) mat {
				flat := newMat(3, 8)
				for i := range 3 {
					copy(flat.v[i*8:], x[0].v[i*4:i*4+4])
					copy(flat.v[i*8+4:], x[0].v[(3+i)*4:(3+i)*4+4])
				}
				return linear(flat, x[1], x[2])
			}},
		{name: "selection", inputs: [][2]int{{3, 2}, {6, 5}},
			tape: func(t *Tape, x []*Tensor, _ []*Param) *Tensor {
				return t.Add(t.Select(x[0], x[1]), t.Select(x[0], t.Scale(x[1], 2)))
			},
			plain: func(x []mat) mat {
				y := newMat(3, 5)
				for i := range 3 {
					for j := range 5 {
						y.set(i, j, 3*(x[0].at(i, 0)*x[1].at(i, j)+x[0].at(i, 1)*x[1].at(3+i, j)))
					}
				}
				return y
			}},
		{name: "turn", inputs: [][2]int{{6, 4}},
			tape: func(t *Tape, x []*Tensor, _ []*Param) *Tensor {
				return t.Add(t.Turn(t.Turn(x[0], 3), 4), x[0])
			},
			plain: func(x []mat) mat { return x[0].each(func(v float64) float64 { return 2 * v }) }},
		{name: "turn once", inputs: [][2]int{{6, 4}},
			tape: func(t *Tape, x []*Tensor, _ []*Param) *Tensor { return t.Turn(x[0], 3) },
			plain: func(x []mat) mat {
				y := newMat(8, 3)
				for r := range 6 {
					for c := range 4 {
						y.set(r/3*4+c, r%3, x[0].at(r, c))
					}
				}
				return y
			}},
		{name: "lstm from a state", inputs: [][2]int{{2 * 3, 4}, {2, 5}, {2, 5}}, params: [][]int{{20, 4}, {20, 5}, {20}, {20}},
			tape: func(t *Tape, x []*Tensor, p []*Param) *Tensor {
				y, c := t.LSTMFrom(x[0], 3, &Recurrent{p[0], p[1], p[2], p[3]}, x[1], x[2])
				return t.AddRow(y, 3, c)
			},
			plain: func(x []mat) mat {
				y := newMat(6, 5)
				cells := newMat(2, 5)
				for b := range 2 {
					h, c := append([]float64(nil), x[1].v[b*5:b*5+5]...), append([]float64(nil), x[2].v[b*5:b*5+5]...)
					for s := range 3 {
						in := x[0].v[(b*3+s)*4 : (b*3+s+1)*4]
						var a [4][5]float64
						for g := range a {
							for j := range 5 {
								u, v := gate(in, h, []mat{{}, x[3], x[4], x[5], x[6]}, g*5+j)
								a[g][j] = u + v
							}
						}
						for j := range 5 {
							c[j] = sigma(a[1][j])*c[j] + sigma(a[0][j])*math.Tanh(a[2][j])
						}
						for j := range 5 {
							h[j] = sigma(a[3][j]) * math.Tanh(c[j])
						}
						copy(y.v[(b*3+s)*5:], h)
					}
					copy(cells.v[b*5:], c)
				}
				for r := range 6 {
					for j := range 5 {
						y.v[r*5+j] += cells.at(r/3, j)
					}
				}
				return y
			}},
	}
}
