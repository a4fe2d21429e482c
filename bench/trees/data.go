package main

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"unsafe"

	"github.com/mlfactory/mlfactory/model/tree/core"
	"github.com/mlfactory/mlfactory/rng"
	"github.com/mlfactory/mlfactory/view"
)

// shape is shape.json.
type shape struct {
	Rows int `json:"rows"`
	Cols int `json:"cols"`
	Test int `json:"test"`
}

const (
	factors = 12
	block   = 1 << 14 // rows that are generated together
)

// market is the law of the rows: correlated columns, some skewed, some with
// few values, and a noisy target of interactions.
type market struct {
	p     int
	load  []float32
	terms [15][3]int
	cut   [3]float64 // thirds and, in the middle, half of the target
}

func newMarket(p int) *market {
	r := rng.New(1).Stream("market", p).Rand()
	m := &market{p: p, load: make([]float32, factors*p)}
	for i := range m.load {
		if r.Float64() < 0.3 {
			m.load[i] = float32(r.NormFloat64())
		}
	}
	for i := range m.terms {
		m.terms[i] = [3]int{r.IntN(p), r.IntN(p), r.IntN(p)}
	}
	y := make([]float64, block)
	m.block(-1, make([]float32, block*p), y)
	slices.Sort(y)
	m.cut = [3]float64{y[block/3], y[block/2], y[2*block/3]}
	return m
}

// block makes len(y) rows: x row by row, and the target.
func (m *market) block(b int, x []float32, y []float64) {
	r := rng.New(2).Stream("rows", b).Rand()
	var fac [factors]float32
	for i := range y {
		for k := range fac {
			fac[k] = float32(r.NormFloat64())
		}
		row := x[i*m.p : (i+1)*m.p]
		for j := range row {
			row[j] = float32(r.NormFloat64()) * 0.7
		}
		for k, f := range fac {
			for j, l := range m.load[k*m.p : (k+1)*m.p] {
				row[j] += f * l
			}
		}
		s := 0.0
		for _, q := range m.terms {
			a, b, c := float64(row[q[0]]), row[q[1]], float64(row[q[2]])
			s += 0.35 * a
			if b > 0.2 {
				s += 0.5 * a
			}
			if b < 0 {
				s -= 0.4 * math.Abs(c)
			}
		}
		y[i] = s/6 + 1.2*r.NormFloat64()
		for j := range row {
			switch j % 10 {
			case 3:
				row[j] = float32(math.Exp(float64(row[j]) / 2))
			case 6:
				row[j] = float32(math.Round(float64(row[j])*2) / 2)
			}
		}
	}
}

// class is 0, 1 or 2 by thirds, or 3 more if above the middle: both targets in
// one number.
func (m *market) class(y float64) float32 {
	c := float32(0)
	if y > m.cut[0] {
		c++
	}
	if y > m.cut[2] {
		c++
	}
	if y > m.cut[1] {
		c += 3
	}
	return c
}

// generate writes the files block by block, so that its memory does not depend
// on the number of rows.
func generate(o options) error {
	if err := os.MkdirAll(o.dir, 0o750); err != nil {
		return err
	}
	m := newMarket(o.cols)
	files := map[string]*os.File{}
	names := []string{"x.f32", "y.f32", "test.f32", "ytest.f32"}
	if o.rowMajor {
		names = append(names, "r.f32", "rtest.f32")
	}
	for _, n := range names {
		f, err := os.Create(filepath.Join(o.dir, n)) // #nosec G304 -- the folder is the user's
		if err != nil {
			return err
		}
		defer func() { _ = f.Close() }()
		files[n] = f
	}
	blocks := (o.rows+block-1)/block + (o.test+block-1)/block
	var at atomic.Int64
	errs := make([]error, runtime.GOMAXPROCS(0))
	var wg sync.WaitGroup
	for w := range errs {
		wg.Go(func() {
			x, col, y, c := make([]float32, block*o.cols), make([]float32, block), make([]float64, block), make([]float32, block)
			for b := int(at.Add(1)) - 1; b < blocks && errs[w] == nil; b = int(at.Add(1)) - 1 {
				lo, n, of, test := b*block, o.rows, "x.f32", ""
				if t := (o.rows + block - 1) / block; b >= t {
					lo, n, of, test = (b-t)*block, o.test, "test.f32", "test"
				}
				k := min(block, n-lo)
				m.block(b, x[:k*o.cols], y[:k])
				for i, v := range y[:k] {
					c[i] = m.class(v)
				}
				put := func(name string, v []float32, at int) {
					if f := files[name]; f != nil && errs[w] == nil {
						_, errs[w] = f.WriteAt(raw(v), int64(at)*4)
					}
				}
				put("y"+test+".f32", c[:k], lo)
				put("r"+test+".f32", x[:k*o.cols], lo*o.cols)
				for j := range o.cols {
					for i := range k {
						col[i] = x[i*o.cols+j]
					}
					put(of, col[:k], j*n+lo)
				}
			}
		})
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	b, err := json.Marshal(shape{o.rows, o.cols, o.test})
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(o.dir, "shape.json"), b, 0o600)
}

// raw is the bytes of v; the files are little-endian, as are the machines that
// the libraries are published for.
func raw(v []float32) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(v))), len(v)*4)
}

func readShape(dir string) (s shape, err error) {
	b, err := os.ReadFile(filepath.Join(dir, "shape.json")) // #nosec G304 -- the folder is the user's
	if err == nil {
		err = json.Unmarshal(b, &s)
	}
	return s, err
}

func readFloats(path string, v []float32) error {
	f, err := os.Open(path) // #nosec G304 -- the folder is the user's
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	if binary.NativeEndian.Uint16([]byte{1, 0}) != 1 {
		return fmt.Errorf("%s is little-endian, this machine is not", path)
	}
	_, err = io.ReadFull(f, raw(v))
	return err
}

// load reads the training rows with the targets of an objective.
func load(dir, objective string) (d core.Data, err error) {
	s, err := readShape(dir)
	if err != nil {
		return d, err
	}
	d.X, d.Y, err = read(dir, "x.f32", "y.f32", s.Rows, s.Cols, objective)
	if objective == "softprob" {
		d.Classes = 3
	} else {
		d.Classes = 2
	}
	return d, err
}

func loadTest(dir, objective string) (*view.Table, []float64, error) {
	s, err := readShape(dir)
	if err != nil {
		return nil, nil, err
	}
	return read(dir, "test.f32", "ytest.f32", s.Test, s.Cols, objective)
}

func read(dir, x, y string, n, p int, objective string) (*view.Table, []float64, error) {
	names := make([]string, p)
	for j := range names {
		names[j] = fmt.Sprintf("f%d", j)
	}
	t, c := view.NewTable(n, names), make([]float32, n)
	if err := readFloats(filepath.Join(dir, x), t.Data); err != nil {
		return nil, nil, err
	}
	if err := readFloats(filepath.Join(dir, y), c); err != nil {
		return nil, nil, err
	}
	out := make([]float64, n)
	for i, v := range c {
		switch {
		case objective == "softprob":
			out[i] = float64(int(v) % 3)
		case v >= 3:
			out[i] = 1
		}
	}
	return t, out, nil
}
