package tape

import (
	"github.com/mlfactory/mlfactory/internal/simd"
	"github.com/mlfactory/mlfactory/internal/simd/gemm"
	"github.com/mlfactory/mlfactory/internal/simd/vec"
)

// Keep promises that parameters which operations get on this tape change only where
// [Param.Changed] says so: layouts of them are kept until then. They take as much
// memory as the parameters of these operations, twice that where windows are predicted
// now alone and now together, or up to three times that with gradients.
func (t *Tape) Keep() { t.keeps = map[use]*layouts{} }

// Changed says that Value is not what it was, for tapes that keep what they make of
// it. No operation may be under way.
func (p *Param) Changed() { p.version++ }

// use is what a parameter, or the layer that it belongs to, is laid out for.
type use struct {
	param *Param
	as    layout
	part  int // group, number of rows or of columns: what else tells uses apart
}

type layout uint8

const (
	inputs    layout = iota // a linear map
	gradients               // the gradient of its input
	states                  // a recurrence
	fewStates
	steppedState // one sample, all steps in a call
	statesOfBars // where windows share them
	stateGradients
	filters // of a convolution
	reverse
	taps
	tapGradients
	decays   // of a selective scan
	networks // of variables
	embedded // what a map of their embeddings does to each
)

// layouts are matrices of weights, laid out for products, and what else follows from
// parameters alone.
type layouts struct {
	path    simd.Path
	version uint64
	uses    int // of this version
	before  int // of the version before
	packed  []gemm.Packed
	steps   vec.StepWeights
	values  []float32
	rooms   [][]float32 // of all these
	taken   int         // of rooms
	of      *Tape       // whose memory is used instead, until its reset; or nil
}

// empty forgets what is laid out, not the room for it.
func (k *layouts) empty() {
	k.packed, k.steps, k.values, k.taken = k.packed[:0], vec.StepWeights{}, nil, 0
}

// room is memory for one more matrix.
func (k *layouts) room(size int) []float32 {
	if k.of != nil {
		return k.of.alloc(size)
	}
	if k.taken == len(k.rooms) {
		k.rooms = append(k.rooms, nil)
	}
	room := &k.rooms[k.taken]
	if len(*room) != size { // another path may need another size
		*room = make([]float32, size)
	}
	k.taken++
	return *room
}

// add lays out one more matrix for products of about so many rows.
func (k *layouts) add(rows, depth, n int, b gemm.Matrix) {
	k.packed = append(k.packed, gemm.Pack(rows, depth, n, b, k.room(gemm.PackedLen(depth, n))))
}

// layoutsOf is what the tape keeps for a use, empty if it is of another version or
// path, and counts the use.
func (t *Tape) layoutsOf(u use, version uint64) *layouts {
	k := t.keeps[u]
	if k == nil {
		k = &layouts{version: version}
		t.keeps[u] = k
	}
	if path := simd.Current(); k.version != version || k.path != path {
		k.before, k.uses = k.uses, 0
		k.version, k.path = version, path
		k.empty()
	}
	k.uses++
	return k
}

// kept lays out weights by fill, or returns what an earlier call laid out for the
// same use. The result holds until the next call.
func (t *Tape) kept(u use, version uint64, fill func(k *layouts)) *layouts {
	if t.keeps == nil || u.param.passing {
		k := &t.passing
		k.of = t
		k.empty()
		fill(k)
		return k
	}
	k := t.layoutsOf(u, version)
	if len(k.packed) == 0 && k.values == nil {
		fill(k)
	}
	return k
}

// keptOf is kept for the weights of a recurrence.
func (t *Tape) keptOf(l *Recurrent, as layout, part int, fill func(k *layouts)) *layouts {
	// Versions only rise: so does the sum when any changes.
	return t.kept(use{l.HiddenWeight, as, part}, l.InputWeight.version+l.HiddenWeight.version+l.InputBias.version+l.HiddenBias.version, fill)
}

// A linear map is laid out ahead of its products if there are enough of them. Where they
// have many rows, it must be small, and have as many columns that package gemm would lay
// it out for each. Where they have few, as when single windows are predicted, that
// would be most of the work: then it may be large, but not in training, where weights
// change before they are used so often.
const (
	someRows  = 16
	someCols  = 16
	oftenUsed = 4
	mostMany  = 1 << 18 // values
	mostFew   = 1 << 24
)

// layoutOfMap is what the tape keeps of a linear map for products of so many rows; nil if
// it keeps none, or none yet.
func (t *Tape) layoutOfMap(rows int, w *Param, as layout) *layouts {
	few, n, size := 0, w.Shape[0], len(w.Value)
	if rows < someRows {
		few = 1
	}
	if as == gradients {
		n = w.cols()
	}
	if t.keeps == nil || w.passing || few == 0 && (n < someCols || size > mostMany) || few == 1 && (t.train || size > mostFew) {
		return nil
	}
	// How often it is used is known from the version before.
	l := t.layoutsOf(use{w, as, few}, w.version)
	if max(l.uses, l.before) < oftenUsed {
		return nil
	}
	return l
}

// times is c = a·Wᵀ for rows of a, or a·W for the gradient of a map's inputs, or
// adds it.
func (t *Tape) times(rows int, a []float32, w *Param, as layout, c []float32, add bool) {
	k, n := w.cols(), w.Shape[0]
	b := gemm.Cols(w.Value, k)
	if as == gradients {
		k, n = n, k
		b = gemm.Rows(w.Value, n)
	}
	if l := t.layoutOfMap(rows, w, as); l != nil {
		if len(l.packed) == 0 {
			l.add(rows, k, n, b)
		}
		gemm.MulPacked(rows, gemm.Rows(a, k), &l.packed[0], c, n, add)
		return
	}
	gemm.Mul(rows, n, k, gemm.Rows(a, k), b, c, n, add, &t.gemm)
}
