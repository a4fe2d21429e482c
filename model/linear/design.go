package linear

import (
	"sync"
	"sync/atomic"

	"github.com/mlfactory/mlfactory/view"
)

// blockRows rows of standardised inputs lie together, column after column, so
// that a block is still in the cache when it is read again. chunkBlocks blocks
// are one unit of work with one partial sum.
const (
	blockRows   = 256
	chunkBlocks = 8
)

// design is the standardised training matrix with its targets.
type design struct {
	n, p    int
	k       int       // classes present
	data    []float32 // block b at b·blockRows·p; column j of a block of m rows at j·m
	y       []uint8   // index among the classes present
	weight  []float64 // of each row, divided by their sum
	workers int
}

// parallel calls f(0…n−1), each once, on at most the given number of
// goroutines, and returns when all are done.
func parallel(workers, n int, f func(i int)) {
	if workers > n {
		workers = n
	}
	if workers <= 1 {
		for i := range n {
			f(i)
		}
		return
	}
	var next atomic.Int64
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= n {
					return
				}
				f(i)
			}
		})
	}
	wg.Wait()
}

func newDesign(v view.View, rows []int, s *scaler, classOf [3]int, k, workers int) (*design, float64) {
	n, p := len(rows), v.Table.P
	d := &design{n: n, p: p, k: k, workers: workers,
		data: make([]float32, n*p), y: make([]uint8, n), weight: make([]float64, n)}
	total := 0.0
	for i, r := range rows {
		d.y[i] = uint8(classOf[v.Class[r]+1])
		d.weight[i] = 1
		if v.Weight != nil {
			d.weight[i] = v.Weight[r]
		}
		total += d.weight[i]
	}
	for i := range d.weight {
		d.weight[i] /= total
	}
	parallel(workers, d.blocks(), func(b int) {
		lo, m := d.rows(b)
		blk := d.block(b)
		for j := range p {
			src, dst := v.Table.Col(j), blk[j*m:(j+1)*m]
			for i, r := range rows[lo : lo+m] {
				dst[i] = s.value(j, src[r])
			}
		}
	})
	return d, total
}

func (d *design) blocks() int { return (d.n + blockRows - 1) / blockRows }
func (d *design) chunks() int { return (d.blocks() + chunkBlocks - 1) / chunkBlocks }

// rows is the first row and the number of rows of block b.
func (d *design) rows(b int) (lo, m int) {
	lo = b * blockRows
	return lo, min(blockRows, d.n-lo)
}

func (d *design) block(b int) []float32 {
	lo, m := d.rows(b)
	return d.data[lo*d.p : (lo+m)*d.p]
}

// eachBlock calls f for every block, a chunk of blocks per worker.
func (d *design) eachBlock(f func(chunk, block int)) {
	parallel(d.workers, d.chunks(), func(c int) {
		for b := c * chunkBlocks; b < min((c+1)*chunkBlocks, d.blocks()); b++ {
			f(c, b)
		}
	})
}

// A scores matrix holds k values per row: block after block, class after class
// within a block. A coefficient matrix holds k rows of p coefficients and one
// intercept.

// forward writes the scores X·w to z. Columns whose coefficients are all zero
// cost nothing.
func (d *design) forward(w, z []float64) {
	p, k := d.p, d.k
	used := make([]int, 0, p)
	for j := range p {
		for c := range k {
			if w[c*(p+1)+j] != 0 {
				used = append(used, j)
				break
			}
		}
	}
	d.eachBlock(func(_, b int) {
		lo, m := d.rows(b)
		blk, zb := d.block(b), z[lo*k:(lo+m)*k]
		for c := range k {
			zc := zb[c*m : (c+1)*m]
			a := w[c*(p+1)+p]
			for i := range zc {
				zc[i] = a
			}
		}
		col := func(j int) []float32 { return blk[j*m : (j+1)*m] }
		u := used
		for ; len(u) >= 4; u = u[4:] {
			x0, x1, x2, x3 := col(u[0]), col(u[1]), col(u[2]), col(u[3])
			if k == 3 {
				axpy4x3(zb[:m], zb[m:2*m], zb[2*m:3*m], x0, x1, x2, x3, w[u[0]:], w[u[1]:], w[u[2]:], w[u[3]:], p+1)
				continue
			}
			for c := range k {
				wc := w[c*(p+1):]
				axpy4(zb[c*m:(c+1)*m], x0, x1, x2, x3, wc[u[0]], wc[u[1]], wc[u[2]], wc[u[3]])
			}
		}
		for _, j := range u {
			x := col(j)
			for c := range k {
				axpy(zb[c*m:(c+1)*m], x, w[c*(p+1)+j])
			}
		}
	})
}

// backward writes g = Rᵀ·X (k rows of p+1, the last for the intercept), where
// part has room for one g per chunk.
func (d *design) backward(r, g, part []float64) {
	p, k := d.p, d.k
	size := k * (p + 1)
	clear(part[:d.chunks()*size])
	d.eachBlock(func(chunk, b int) {
		lo, m := d.rows(b)
		blk, rb := d.block(b), r[lo*k:(lo+m)*k]
		gc := part[chunk*size : (chunk+1)*size]
		j := 0
		if k == 3 {
			r0, r1, r2 := rb[:m], rb[m:2*m], rb[2*m:3*m]
			g0, g1, g2 := gc[:p+1], gc[p+1:2*(p+1)], gc[2*(p+1):]
			for ; j+2 <= p; j += 2 {
				dot2x3(g0[j:j+2], g1[j:j+2], g2[j:j+2], blk[j*m:(j+1)*m], blk[(j+1)*m:(j+2)*m], r0, r1, r2)
			}
		}
		for ; j < p; j++ {
			x := blk[j*m : (j+1)*m]
			for c := range k {
				gc[c*(p+1)+j] += dot(x, rb[c*m:(c+1)*m])
			}
		}
		for c := range k {
			sum := 0.0
			for _, x := range rb[c*m : (c+1)*m] {
				sum += x
			}
			gc[c*(p+1)+p] += sum
		}
	})
	clear(g)
	for c := range d.chunks() {
		for j, x := range part[c*size : (c+1)*size] {
			g[j] += x
		}
	}
}

func axpy(z []float64, x []float32, w float64) {
	x = x[:len(z)]
	for i := range z {
		z[i] += float64(float64(x[i]) * w)
	}
}

func axpy4(z []float64, x0, x1, x2, x3 []float32, w0, w1, w2, w3 float64) {
	n := len(z)
	x0, x1, x2, x3 = x0[:n], x1[:n], x2[:n], x3[:n]
	for i := range z {
		z[i] += float64(float64(x0[i])*w0) + float64(float64(x1[i])*w1) + float64(float64(x2[i])*w2) + float64(float64(x3[i])*w3)
	}
}

// axpy4x3 adds four columns to the scores of three classes; class c's
// coefficient of a column is w[c·stride].
func axpy4x3(z0, z1, z2 []float64, x0, x1, x2, x3 []float32, w0, w1, w2, w3 []float64, stride int) {
	n := len(z0)
	z1, z2 = z1[:n], z2[:n]
	x0, x1, x2, x3 = x0[:n], x1[:n], x2[:n], x3[:n]
	a0, b0, c0 := w0[0], w0[stride], w0[2*stride]
	a1, b1, c1 := w1[0], w1[stride], w1[2*stride]
	a2, b2, c2 := w2[0], w2[stride], w2[2*stride]
	a3, b3, c3 := w3[0], w3[stride], w3[2*stride]
	for i := range z0 {
		y0, y1, y2, y3 := float64(x0[i]), float64(x1[i]), float64(x2[i]), float64(x3[i])
		z0[i] += float64(y0*a0) + float64(y1*a1) + float64(y2*a2) + float64(y3*a3)
		z1[i] += float64(y0*b0) + float64(y1*b1) + float64(y2*b2) + float64(y3*b3)
		z2[i] += float64(y0*c0) + float64(y1*c1) + float64(y2*c2) + float64(y3*c3)
	}
}

func dot(x []float32, r []float64) float64 {
	r = r[:len(x)]
	s := 0.0
	for i := range x {
		s += float64(float64(x[i]) * r[i])
	}
	return s
}

// dot2x3 adds the products of two columns with three residual vectors.
func dot2x3(g0, g1, g2 []float64, x0, x1 []float32, r0, r1, r2 []float64) {
	n := len(x0)
	x1, r0, r1, r2 = x1[:n], r0[:n], r1[:n], r2[:n]
	var a0, a1, b0, b1, c0, c1 float64
	for i := range x0 {
		u, v := float64(x0[i]), float64(x1[i])
		p, q, s := r0[i], r1[i], r2[i]
		a0 += float64(u * p)
		a1 += float64(v * p)
		b0 += float64(u * q)
		b1 += float64(v * q)
		c0 += float64(u * s)
		c1 += float64(v * s)
	}
	g0[0] += a0
	g0[1] += a1
	g1[0] += b0
	g1[1] += b1
	g2[0] += c0
	g2[1] += c1
}
