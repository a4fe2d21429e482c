package tape

import (
	"fmt"
	"math/rand/v2"

	"github.com/mlfactory/mlfactory/internal/simd/gemm"
	"github.com/mlfactory/mlfactory/rng"
)

// Tensor is a matrix on a tape. It lives until the tape is reset.
type Tensor struct {
	Rows, Cols int
	Value      []float32
	grad       []float32
	set        bool  // grad holds something
	input      bool  // no gradient is wanted
	bars       *bars // of windows that share them, else nil
}

// Grad is the gradient of the loss, nil where none arrived.
func (x *Tensor) Grad() []float32 {
	if !x.set {
		return nil
	}
	return x.grad
}

// Row is row i.
func (x *Tensor) Row(i int) []float32 { return x.Value[i*x.Cols : (i+1)*x.Cols : (i+1)*x.Cols] }

func (x *Tensor) String() string { return fmt.Sprintf("%d×%d", x.Rows, x.Cols) }

// Param is a trained array. Shape is what a file says; operations see a matrix
// of Shape[0] rows.
type Param struct {
	Name  string
	Shape []int
	Value []float32
	// NoDecay leaves the parameter out of weight decay: biases, gains of
	// norms, embeddings.
	NoDecay bool
	Rate    float64 // factor on the learning rate; 0 is 1
	// Absorb makes the parameter a buffer, which no gradient trains: a running
	// mean, for example. [Param.Settle] gives it the mean of what operations
	// measured in a step, and it updates Value.
	Absorb func(measured []float32)
	grads  [][]float32 // of each shard; of a buffer: sums of what was measured
	used   []bool      // the shard has written its gradient
	counts []int       // measurements of each shard

	version uint64 // of Value
	passing bool   // made on a tape, until its next reset
}

// NewParam makes a parameter of zeros.
func NewParam(name string, shape ...int) *Param {
	n := 1
	for _, d := range shape {
		n *= d
	}
	return &Param{Name: name, Shape: shape, Value: make([]float32, n)}
}

// cols is the number of values of a row.
func (p *Param) cols() int { return len(p.Value) / p.Shape[0] }

// Shards makes gradient buffers for n shards.
func (p *Param) Shards(n int) {
	p.grads, p.used, p.counts = make([][]float32, n), make([]bool, n), make([]int, n)
	for s := range n {
		p.grads[s] = make([]float32, len(p.Value))
	}
}

// ShardGrad is the gradient that a shard has found, nil if none.
func (p *Param) ShardGrad(shard int) []float32 {
	if !p.used[shard] {
		return nil
	}
	return p.grads[shard]
}

// SumGrads adds the gradients of all shards, in order, into the first one's
// buffer from value lo to hi and returns that part. Once all parts have been
// summed, call [Param.Forget] before the next step.
func (p *Param) SumGrads(lo, hi int) []float32 {
	sum := p.grads[0][lo:hi]
	if !p.used[0] {
		clear(sum)
	}
	for s := 1; s < len(p.grads); s++ {
		if p.used[s] {
			accumulate(sum, p.grads[s][lo:hi], true)
		}
	}
	return sum
}

// Forget drops the gradients.
func (p *Param) Forget() {
	clear(p.used)
	clear(p.counts)
}

// Settle ends a step of a buffer: it absorbs the mean over all measurements,
// added up in the order of the shards, and forgets them. Without any it does
// nothing. Buffers that are made from each other settle in the order of the
// network's parameters.
func (p *Param) Settle() {
	n := 0
	for _, c := range p.counts {
		n += c
	}
	if n > 0 {
		mean := p.SumGrads(0, len(p.Value))
		for i := range mean {
			mean[i] /= float32(n)
		}
		p.Absorb(mean)
	}
	p.Forget()
}

// measured is where a shard adds one more measurement of a buffer.
func (t *Tape) measured(p *Param) []float32 {
	g, add := t.gradOfParam(p)
	if !add {
		clear(g)
	}
	p.counts[t.shard]++
	return g
}

// Measure is one more measurement of a buffer.
func (t *Tape) Measure(p *Param, x []float32) {
	g := t.measured(p)
	for i, v := range x {
		g[i] += v
	}
}

// Tape records operations. It belongs to one shard and one goroutine at a time.
type Tape struct {
	shard   int
	train   bool
	rand    *rand.Rand
	back    []func()
	gemm    gemm.Buffer
	trace   *Trace           // nil: none
	keeps   map[use]*layouts // nil: parameters may change at any time
	passing layouts          // of the operation at work

	slabs [][]float32
	slab  int // in use
	off   int
	taken int // values handed out
	nodes []*[nodeSlab]Tensor
	node  int
	runs  []run // of windows
}

const (
	nodeSlab = 64
	minSlab  = 1 << 16
)

// New is the tape of a shard.
func New(shard int) *Tape { return &Tape{shard: shard} }

// Serve gives the tape to another shard; call [Tape.Reset] next.
func (t *Tape) Serve(shard int) { t.shard = shard }

// Reset forgets everything recorded and keeps the memory. If train is set,
// operations record their gradients and dropout draws from stream.
func (t *Tape) Reset(train bool, stream rng.Stream) {
	t.train, t.back = train, t.back[:0]
	t.slab, t.off, t.taken, t.node = 0, 0, 0, 0
	t.rand, t.trace, t.runs = nil, nil, t.runs[:0]
	if train {
		t.rand = stream.Rand()
	}
}

// Train reports whether gradients are recorded.
func (t *Tape) Train() bool { return t.train }

// alloc is memory until the next reset; what it holds is undefined. Rounded up
// to 16 values so that no two arrays share a cache line.
func (t *Tape) alloc(n int) []float32 {
	room := (n + 15) &^ 15
	for t.slab < len(t.slabs) && t.off+room > len(t.slabs[t.slab]) {
		t.slab, t.off = t.slab+1, 0
	}
	if t.slab == len(t.slabs) {
		t.slabs = append(t.slabs, make([]float32, max(room, minSlab)))
	}
	s := t.slabs[t.slab][t.off : t.off+n : t.off+n]
	t.off += room
	t.taken += room
	return s
}

// Used is the memory, in bytes, of everything since the last reset.
func (t *Tape) Used() int { return 4 * t.taken }

// Bytes is the memory that the tape holds.
func (t *Tape) Bytes() int {
	n := 0
	for _, s := range t.slabs {
		n += 4 * len(s)
	}
	return n
}

// tensor makes a tensor over the given values.
func (t *Tape) tensor(rows, cols int, value []float32) *Tensor {
	if t.node == nodeSlab*len(t.nodes) {
		t.nodes = append(t.nodes, new([nodeSlab]Tensor))
	}
	x := &t.nodes[t.node/nodeSlab][t.node%nodeSlab]
	t.node++
	*x = Tensor{Rows: rows, Cols: cols, Value: value}
	return x
}

// fresh makes a tensor whose values are undefined.
func (t *Tape) fresh(rows, cols int) *Tensor { return t.tensor(rows, cols, t.alloc(rows*cols)) }

// Input is a tensor over data of the caller; no gradient flows to it.
func (t *Tape) Input(rows, cols int, data []float32) *Tensor {
	if len(data) != rows*cols {
		panic(fmt.Sprintf("tape: input of %d×%d has %d values", rows, cols, len(data)))
	}
	x := t.tensor(rows, cols, data)
	x.input = true
	return x
}

// Zeros is a constant tensor of zeros, for a first state.
func (t *Tape) Zeros(rows, cols int) *Tensor {
	x := t.fresh(rows, cols)
	clear(x.Value)
	x.input = true
	return x
}

// Backward runs the records in reverse. The loss has written its gradients.
func (t *Tape) Backward() {
	for i := len(t.back) - 1; i >= 0; i-- {
		t.back[i]()
	}
}

// gradOf is the buffer for the gradient of x and whether it holds something
// already, to which the caller must add; otherwise the caller must write all of
// it. x must not be an input.
func (t *Tape) gradOf(x *Tensor) (g []float32, add bool) {
	add = x.set
	if x.grad == nil {
		x.grad = t.alloc(len(x.Value))
	}
	x.set = true
	return x.grad, add
}

// gradOfParam is gradOf for a parameter.
func (t *Tape) gradOfParam(p *Param) (g []float32, add bool) {
	add = p.used[t.shard]
	p.used[t.shard] = true
	return p.grads[t.shard], add
}

// wants reports whether any gradient is wanted and arrived: an operation whose
// result nobody used passes nothing on.
func (y *Tensor) wants() bool { return y.set }

// Blank is an input whose values the caller fills in.
func (t *Tape) Blank(rows, cols int) *Tensor {
	x := t.fresh(rows, cols)
	x.input = true
	return x
}
