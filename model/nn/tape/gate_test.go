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
	gated := func(skip, z mat, gain, bias mat) mat {
		d := z.c / 2
		y := newMat(z.r, d)
		for r := range z.r {
			row := newMat(1, d)
			for j := range d {
				row.v[j] = z.at(r, j) * sigma(z.at(r, d+j))
				if skip.v != nil {
					row.v[j] += skip.at(r, j)
				}
			}
			copy(y.v[r*d:], normal(row, gain, bias, 1e-3, true).v)
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
		{name: "add and gate", inputs: [][2]int{{6, 5}, {6, 10}}, params: [][]int{{5}, {5}},
			tape: func(t *Tape, x []*Tensor, p []*Param) *Tensor {
				return t.Add(t.AddGate(x[0], x[1], p[0], p[1], 1e-3), t.Gate(x[1], Sigmoid))
			},
			plain: func(x []mat) mat {
				y := gated(x[0], x[1], x[2], x[3])
				for r := range 6 {
					for j := range 5 {
						y.v[r*5+j] += x[1].at(r, j) * sigma(x[1].at(r, 5+j))
					}
				}
				return y
			}},
		{name: "gate without a skip", inputs: [][2]int{{4, 34}}, params: [][]int{{17}, {17}},
			tape: func(t *Tape, x []*Tensor, p []*Param) *Tensor {
				return t.AddGate(nil, x[0], p[0], p[1], 1e-3)
			},
			plain: func(x []mat) mat { return gated(mat{}, x[0], x[1], x[2]) }},
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
		selection("selection of variables", 3, 5, 4),
		selection("selection over more than a block", 2, variableRows+3, 3),
		{name: "linear of embeddings", inputs: [][2]int{{4, 3}}, params: [][]int{{3, 5}, {3, 5}, {2, 15}, {2}},
			tape: func(t *Tape, x []*Tensor, p []*Param) *Tensor {
				return t.EmbeddedLinear(x[0], &Variables{Embed: p[0], EmbedBias: p[1]}, p[2], p[3])
			},
			plain: func(x []mat) mat {
				flat := newMat(4, 15)
				for i := range 4 {
					for j := range 15 {
						flat.set(i, j, x[0].at(i, j/5)*x[1].v[j]+x[2].v[j])
					}
				}
				return linear(flat, x[3], x[4])
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

// selection is a variable selection of so many variables, rows and channels.
func selection(name string, vars, rows, d int) operation {
	return operation{name: name, inputs: [][2]int{{rows, vars}, {rows, vars}},
		params: [][]int{{vars, d}, {vars, d}, {vars, d, d}, {vars, d}, {vars, d, d}, {vars, d}, {vars, 2 * d, d}, {vars, 2 * d}, {vars, d}, {vars, d}},
		tape: func(t *Tape, x []*Tensor, p []*Param) *Tensor {
			v := &Variables{p[0], p[1], p[2], p[3], p[4], p[5], p[6], p[7], p[8], p[9]}
			return t.SelectVariables(x[0], x[1], v, 1e-3, 0)
		},
		plain: func(x []mat) mat {
			y := newMat(rows, d)
			for g := range vars {
				part := func(k, r, c int) mat { return mat{r, c, x[k].v[g*r*c : (g+1)*r*c]} }
				e := newMat(rows, d)
				for i := range rows {
					for j := range d {
						e.set(i, j, x[0].at(i, g)*x[2].at(g, j)+x[3].at(g, j))
					}
				}
				h := linear(e, part(4, d, d), part(5, 1, d)).each(func(v float64) float64 {
					if v > 0 {
						return v
					}
					return math.Expm1(v)
				})
				z := linear(linear(h, part(6, d, d), part(7, 1, d)), part(8, 2*d, d), part(9, 1, 2*d))
				for i := range rows {
					for j := range d {
						e.v[i*d+j] += z.at(i, j) * sigma(z.at(i, d+j))
					}
				}
				o := normal(e, part(10, 1, d), part(11, 1, d), 1e-3, true)
				for i := range rows {
					for j := range d {
						y.v[i*d+j] += x[1].at(i, g) * o.at(i, j)
					}
				}
			}
			return y
		}}
}
