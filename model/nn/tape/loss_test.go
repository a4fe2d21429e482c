package tape

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"os"
	"testing"

	"github.com/mlfactory/mlfactory/rng"
)

// lossCase is one loss twice: on the tape, and as its definition says in float64.
type lossCase struct {
	name    string
	cols    int
	members int
	tape    func(t *Tape, z *Tensor, d *lossData) float64
	plain   func(z []float64, d *lossData) float64 // of rows of cols values, members next to each other
}

// lossData are targets of every kind.
type lossData struct {
	Classes []int     `json:"classes"`
	Labels  []int     `json:"labels"`
	Target  []float32 `json:"target"`
	Weight  []float32 `json:"weight"`
	Follows []bool    `json:"follows"`
}

func (d *lossData) total() float64 {
	s := 0.0
	for _, w := range d.Weight {
		s += float64(w)
	}
	return s
}

// labels are the labels as targets of [Tape.BCE].
func (d *lossData) labels() []float32 {
	out := make([]float32, len(d.Labels))
	for i, y := range d.Labels {
		out[i] = float32(y)
	}
	return out
}

// mean is the weighted mean over rows of f of each row, members averaged.
func (d *lossData) mean(z []float64, cols, members int, f func(i int, row []float64) float64) float64 {
	s := 0.0
	for r := range len(z) / cols {
		s += float64(d.Weight[r/members]) * f(r/members, z[r*cols:(r+1)*cols]) / float64(members)
	}
	return s / d.total()
}

func logOf(row []float64, y int) float64 {
	s := 0.0
	for _, v := range row {
		s += math.Exp(v)
	}
	return row[y] - math.Log(s)
}

func plainSharpe(p []float64, d *lossData, cost float64) float64 {
	r := make([]float64, len(p))
	mean, square := 0.0, 0.0
	for i := range p {
		r[i] = p[i] * float64(d.Target[i])
		if d.Follows[i] {
			r[i] -= cost * math.Abs(p[i]-p[i-1])
		}
		mean += float64(d.Weight[i]) * r[i] / d.total()
	}
	for i := range r {
		square += float64(d.Weight[i]) * (r[i] - mean) * (r[i] - mean) / d.total()
	}
	return -mean / math.Sqrt(square+1e-4)
}

// onTape is the Sharpe loss as the trainer computes it.
func onTape(t *Tape, z *Tensor, d *lossData, cost float64) float64 {
	p := t.Position(z, len(d.Target))
	g := make([]float32, len(p.Value))
	loss := Sharpe(p.Value, d.Target, d.Weight, d.Follows, cost, g)
	t.Receive(p, g)
	t.Backward()
	return loss
}

var levels = []float64{0.1, 0.5, 0.9}

func lossCases() []lossCase {
	focal := func(log, gamma float64) float64 { return -math.Pow(1-math.Exp(log), gamma) * log }
	return []lossCase{
		{"cross_entropy", 3, 1, func(t *Tape, z *Tensor, d *lossData) float64 {
			return t.CrossEntropy(z, d.Classes, d.Weight, 0.1, d.total())
		}, func(z []float64, d *lossData) float64 {
			return d.mean(z, 3, 1, func(i int, row []float64) float64 {
				return -0.9*logOf(row, d.Classes[i]) - 0.1/3*(logOf(row, 0)+logOf(row, 1)+logOf(row, 2))
			})
		}},
		{"members", 3, 2, func(t *Tape, z *Tensor, d *lossData) float64 {
			return t.CrossEntropy(z, d.Classes, d.Weight, 0, d.total())
		}, func(z []float64, d *lossData) float64 {
			return d.mean(z, 3, 2, func(i int, row []float64) float64 { return -logOf(row, d.Classes[i]) })
		}},
		{"bce", 1, 1, func(t *Tape, z *Tensor, d *lossData) float64 { return t.BCE(z, d.labels(), d.Weight, d.total()) },
			func(z []float64, d *lossData) float64 {
				return d.mean(z, 1, 1, func(i int, row []float64) float64 {
					p := sigma(row[0])
					return -float64(d.Labels[i])*math.Log(p) - float64(1-d.Labels[i])*math.Log(1-p)
				})
			}},
		{"focal", 3, 1, func(t *Tape, z *Tensor, d *lossData) float64 {
			return t.Focal(z, d.Classes, d.Weight, 2, d.total())
		}, func(z []float64, d *lossData) float64 {
			return d.mean(z, 3, 1, func(i int, row []float64) float64 { return focal(logOf(row, d.Classes[i]), 2) })
		}},
		{"focal_half", 3, 1, func(t *Tape, z *Tensor, d *lossData) float64 {
			return t.Focal(z, d.Classes, d.Weight, 0.5, d.total())
		}, func(z []float64, d *lossData) float64 {
			return d.mean(z, 3, 1, func(i int, row []float64) float64 { return focal(logOf(row, d.Classes[i]), 0.5) })
		}},
		{"focal_binary", 1, 1, func(t *Tape, z *Tensor, d *lossData) float64 {
			return t.Focal(z, d.Labels, d.Weight, 2, d.total())
		}, func(z []float64, d *lossData) float64 {
			return d.mean(z, 1, 1, func(i int, row []float64) float64 {
				return focal(math.Log(sigma(row[0]*float64(2*d.Labels[i]-1))), 2)
			})
		}},
		{"mse", 1, 1, func(t *Tape, z *Tensor, d *lossData) float64 { return t.MSE(z, d.Target, d.Weight, d.total()) },
			func(z []float64, d *lossData) float64 {
				return d.mean(z, 1, 1, func(i int, row []float64) float64 {
					e := row[0] - float64(d.Target[i])
					return e * e
				})
			}},
		{"huber", 1, 1, func(t *Tape, z *Tensor, d *lossData) float64 {
			return t.Huber(z, d.Target, d.Weight, 0.7, d.total())
		}, func(z []float64, d *lossData) float64 {
			return d.mean(z, 1, 1, func(i int, row []float64) float64 {
				if e := math.Abs(row[0] - float64(d.Target[i])); e > 0.7 {
					return 0.7 * (e - 0.35)
				} else {
					return e * e / 2
				}
			})
		}},
		{"quantile", 3, 1, func(t *Tape, z *Tensor, d *lossData) float64 {
			return t.Quantile(z, d.Target, levels, d.Weight, d.total())
		}, func(z []float64, d *lossData) float64 {
			return d.mean(z, 3, 1, func(i int, row []float64) float64 {
				s := 0.0
				for j, tau := range levels {
					e := float64(d.Target[i]) - row[j]
					s += max(tau*e, (tau-1)*e) / 3
				}
				return s
			})
		}},
		{"sharpe_tanh", 1, 1, func(t *Tape, z *Tensor, d *lossData) float64 { return onTape(t, z, d, 0.05) },
			func(z []float64, d *lossData) float64 {
				p := make([]float64, len(z))
				for i, v := range z {
					p[i] = math.Tanh(v)
				}
				return plainSharpe(p, d, 0.05)
			}},
		{"sharpe_classes", 3, 1, func(t *Tape, z *Tensor, d *lossData) float64 { return onTape(t, z, d, 0.02) },
			func(z []float64, d *lossData) float64 {
				p := make([]float64, len(z)/3)
				for i := range p {
					row := z[3*i : 3*i+3]
					p[i] = math.Exp(logOf(row, 2)) - math.Exp(logOf(row, 0))
				}
				return plainSharpe(p, d, 0.02)
			}},
		{"sharpe of members", 1, 3, func(t *Tape, z *Tensor, d *lossData) float64 { return onTape(t, z, d, 0.1) },
			func(z []float64, d *lossData) float64 {
				p := make([]float64, len(z)/3)
				for i := range p {
					p[i] = (math.Tanh(z[3*i]) + math.Tanh(z[3*i+1]) + math.Tanh(z[3*i+2])) / 3
				}
				return plainSharpe(p, d, 0.1)
			}},
	}
}

// Losses are those of their definitions in float64, their gradients those of
// central differences of the definitions. Gradients are float32: 1e-7 of values
// below 1.
func TestLossesAgainstTheirDefinitions(t *testing.T) {
	for _, c := range lossCases() {
		t.Run(c.name, func(t *testing.T) {
			r := rand.New(rand.NewPCG(7, uint64(len(c.name))))
			const n = 9
			d := &lossData{Target: draw(r, n, 1), Weight: draw(r, n, 1)}
			for i, w := range d.Weight {
				d.Weight[i] = float32(math.Abs(float64(w))) + 0.1
				d.Classes, d.Labels = append(d.Classes, r.IntN(3)), append(d.Labels, r.IntN(2))
				d.Follows = append(d.Follows, i > 0 && i != 4)
			}
			value := draw(r, n*c.members*c.cols, 2)
			tp := New(0)
			tp.Reset(true, rng.New(1))
			z := tp.tensor(n*c.members, c.cols, value)
			z64 := toMat(value, z.Rows).v
			if got, want := c.tape(tp, z, d), c.plain(z64, d); math.Abs(got-want) > 2e-7 {
				t.Errorf("loss %v, want %v", got, want)
			}
			for i, v := range z64 {
				const h = 1e-6
				z64[i] = v + h
				hi := c.plain(z64, d)
				z64[i] = v - h
				lo := c.plain(z64, d)
				z64[i] = v
				if got, want := z.Grad()[i], (hi-lo)/(2*h); math.Abs(float64(got)-want) > 5e-7 {
					t.Errorf("gradient %d is %v, want %v", i, got, want)
				}
			}
		})
	}
}

// Losses and gradients are those of PyTorch.
func TestLossesAgainstPyTorch(t *testing.T) {
	raw, err := os.ReadFile("testdata/golden/losses.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		lossData
		Tolerance float64 `json:"tolerance"`
		Cases     []struct {
			Name string    `json:"name"`
			Z    []float32 `json:"z"`
			Loss float64   `json:"loss"`
			Grad []float64 `json:"grad"`
		} `json:"cases"`
	}
	if err := json.Unmarshal(raw, &file); err != nil {
		t.Fatal(err)
	}
	seen := 0
	for _, g := range file.Cases {
		for _, c := range lossCases() {
			if c.name != g.Name {
				continue
			}
			seen++
			tp := New(0)
			tp.Reset(true, rng.New(1))
			z := tp.tensor(len(g.Z)/c.cols, c.cols, g.Z)
			if got := c.tape(tp, z, &file.lossData); math.Abs(got-g.Loss) > file.Tolerance*max(1, math.Abs(g.Loss)) {
				t.Errorf("%s: loss %v, PyTorch has %v", g.Name, got, g.Loss)
			}
			for i, want := range g.Grad {
				if got := float64(z.Grad()[i]); math.Abs(got-want) > file.Tolerance*max(1, math.Abs(want)) {
					t.Errorf("%s: gradient %d is %v, PyTorch has %v", g.Name, i, got, want)
				}
			}
		}
	}
	if seen != len(file.Cases) || seen < 11 {
		t.Errorf("%d of %d cases were checked", seen, len(file.Cases))
	}
}

// Losses of outputs far off are finite and their gradients are what they tend to.
func TestLossesOfLargeOutputs(t *testing.T) {
	for _, z := range []float32{-1e4, -100, 100, 1e4} {
		tp := New(0)
		tp.Reset(true, rng.New(1))
		far := math.Abs(float64(z))
		for y := range 2 {
			right := (z > 0) == (y == 1)
			want, slope := 0.0, 0.0
			if !right {
				want, slope = far, math.Copysign(1, float64(z))
			}
			for name, f := range map[string]func(x *Tensor) float64{
				"bce":   func(x *Tensor) float64 { return tp.BCE(x, []float32{float32(y)}, nil, 1) },
				"focal": func(x *Tensor) float64 { return tp.Focal(x, []int{y}, nil, 2, 1) },
			} {
				x := tp.tensor(1, 1, []float32{z})
				if got := f(x); math.Abs(got-want) > 1e-9*far {
					t.Errorf("%s of %v for class %d is %v, want %v", name, z, y, got, want)
				}
				if g := float64(x.Grad()[0]); math.Abs(g-slope) > 1e-9 {
					t.Errorf("%s of %v for class %d has slope %v, want %v", name, z, y, g, slope)
				}
			}
		}
	}
}
