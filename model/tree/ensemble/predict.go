package ensemble

import (
	"context"
	"fmt"
	"math"

	"github.com/mlfactory/mlfactory/internal/simd/tree"
	"github.com/mlfactory/mlfactory/view"
)

// fewRows and less of a block are scored one by one.
const fewRows = 12

// buffer is what scoring a block of rows needs.
type buffer struct {
	x      []float32 // one row
	scores []float64 // of a block, row-major
	codes  []byte    // of one row
	rank   []uint32
	leaf   []uint32  // of one row
	block  []byte    // codes of a block, slot-major
	sum32  []float32 // of a block, score-major
	sum64  []float64
	room   []byte     // of a deep tree for a block
	part   view.Table // rows that do not lie together
}

func (pr *predictor) newBuffer() *buffer {
	k := len(pr.e.Base)
	b := &buffer{
		x: make([]float32, pr.p), scores: make([]float64, tree.Rows*k), codes: make([]byte, pr.n), rank: make([]uint32, len(pr.scales)), leaf: make([]uint32, pr.places),
		block: make([]byte, pr.n*tree.Rows), sum64: make([]float64, tree.Rows*k),
	}
	if pr.below != nil {
		b.room = tree.Room()
	}
	if pr.e.Single {
		b.sum32 = make([]float32, tree.Rows*k)
	}
	return b
}

func (pr *predictor) buf() *buffer      { return pr.bufs.Get().(*buffer) }
func (pr *predictor) release(b *buffer) { pr.bufs.Put(b) }

// bad says what is wrong with x as a value of column j, "" if nothing is.
func (pr *predictor) bad(j int, x float32) string {
	switch {
	case x != x:
	case math.IsInf(float64(x), 0):
		return "; give NaN for a missing value"
	case pr.cat[j] && (x < 0 || x >= 1<<24 || x != float32(int32(x))):
		return "; a category is a whole number from 0 to 16777215"
	}
	return ""
}

// row checks and scores one row.
func (pr *predictor) row(b *buffer, x []float32, out []float64) error {
	if err := pr.checkRow(x); err != nil {
		return err
	}
	pr.score(b, x, out)
	return nil
}

func (pr *predictor) checkRow(x []float32) error {
	for j, v := range x {
		if v-v == 0 && !pr.cat[j] {
			continue
		}
		if s := pr.bad(j, v); s != "" {
			return fmt.Errorf("ensemble: column %q is %v%s", pr.e.Columns[j], v, s)
		}
	}
	return nil
}

// checkValues checks rows lo to lo+n of a table; an error names row(i) for row i
// of these.
func (pr *predictor) checkValues(t *view.Table, lo, n int, row func(i int) int) error {
	for j := range pr.p {
		for i, v := range t.Data[j*t.N+lo : j*t.N+lo+n] {
			if v-v == 0 && !pr.cat[j] {
				continue
			}
			if s := pr.bad(j, v); s != "" {
				return fmt.Errorf("ensemble: column %q row %d is %v%s", pr.e.Columns[j], row(i), v, s)
			}
		}
	}
	return nil
}

// score scores one row.
func (pr *predictor) score(b *buffer, x []float32, out []float64) {
	if pr.plain {
		pr.e.score(x, b.sum32, b.sum64, out)
		return
	}
	pr.code(x, b.rank, b.codes)
	pr.walk(b.codes, b.leaf)
	e := pr.e
	if e.Single {
		s := b.sum32[:len(out)]
		for c, v := range e.Base {
			s[c] = float32(v)
		}
		addLeaves(pr, b.leaf, pr.v32, s)
		for c, v := range s {
			out[c] = float64(v)
		}
		return
	}
	if e.Mean {
		clear(out)
	} else {
		copy(out, e.Base)
	}
	addLeaves(pr, b.leaf, pr.v64, out)
	if e.Mean {
		for c := range out {
			out[c] = out[c]/float64(len(e.Trees)) + e.Base[c]
		}
	}
}

// missing reports whether a value of the scale is missing.
func (s *scale) missing(x float32) bool {
	return x != x || s.zeroMissing && math.Abs(float64(x)) <= zeroMissing
}

// code codes one row.
func (pr *predictor) code(x []float32, rank []uint32, codes []byte) {
	tree.RankRow(x, pr.search, pr.cuts, rank)
	for i := range pr.scales {
		s := &pr.scales[i]
		v := x[s.column]
		if v == v && !s.zeroMissing && s.n == 1 && len(s.list) <= 255 {
			codes[s.first] = byte(rank[i]) // #nosec G115 -- at most 255
			continue
		}
		list := pr.slots[s.first : s.first+s.n]
		to := codes[s.first : s.first+s.n]
		if s.missing(v) {
			for j := range list {
				to[j] = list[j].missing
			}
			continue
		}
		for j := range list {
			to[j] = byte(min(max(int(rank[i])-255*list[j].part, 0), 255)) // #nosec G115 -- 0 to 255
		}
	}
	for i := range pr.sets {
		s := &pr.sets[i]
		codes[len(pr.slots)+i] = s.code(x[s.column])
	}
}

func (s *setSlot) code(x float32) byte {
	switch {
	case x != x:
		return s.missing
	case s.set.Has(int(x)):
		return 0
	}
	return 255
}

// walk writes the leaf of one row in every tree, at the place of the tree.
func (pr *predictor) walk(codes []byte, leaf []uint32) {
	for i := range pr.groups {
		g := &pr.groups[i]
		to := leaf[g.first : g.first+g.n]
		size := g.n << g.depth
		if g.kind == leveled {
			size = g.n * g.depth
		}
		switch {
		case g.kind == deep:
			pr.walkDeep(codes, to)
		case g.kind == leveled && pr.walk16 != nil:
			tree.Levels16(pr.walk16[g.nodes:g.nodes+size], codes, g.depth, to)
		case g.kind == leveled:
			tree.Levels32(pr.walk32[g.nodes:g.nodes+size], codes, g.depth, to)
		case pr.walk16 != nil:
			tree.Walk16(pr.walk16[g.nodes:g.nodes+size], codes, g.depth, to)
		default:
			tree.Walk32(pr.walk32[g.nodes:g.nodes+size], codes, g.depth, to)
		}
	}
}

// walkDeep is walk for the deep trees, which come in the order of their depth.
func (pr *predictor) walkDeep(codes []byte, leaf []uint32) {
	copy(leaf, pr.roots)
	for i := 0; i < len(leaf); {
		steps, n := pr.deepest[i+tree.Together-1], tree.Together
		for i+n < len(leaf) && pr.deepest[i+n+tree.Together-1] == steps {
			n += tree.Together
		}
		tree.WalkNodes(pr.deep, codes, int(steps), leaf[i:i+n])
		i += n
	}
}

// addLeaves adds the values of the leaves to the scores, in the order of the
// trees.
func addLeaves[F float32 | float64](pr *predictor, leaf []uint32, value []F, sum []F) {
	from := pr.from
	if pr.place == nil && pr.cycle > 0 {
		tree.Sum(from, leaf, value, sum)
		return
	}
	for i, f := range from {
		r := &pr.refs[i]
		l := leaf[r.place]
		if r.width == 1 {
			sum[r.class] += value[f+l]
			continue
		}
		v := value[f+l*uint32(r.width):][:r.width] // #nosec G115 -- positive
		if len(v) == 3 && len(sum) == 3 {
			sum[0] += v[0]
			sum[1] += v[1]
			sum[2] += v[2]
			continue
		}
		for c, x := range v {
			sum[c] += x
		}
	}
}

// blocks checks and scores rows of the table (nil: all), block by block.
func (pr *predictor) blocks(ctx context.Context, t *view.Table, rows []int, done func(lo, n int, scores []float64)) error {
	b := pr.buf()
	defer pr.release(b)
	k, all := len(pr.e.Base), len(rows)
	row := func(i int) int { return rows[i] }
	if rows == nil {
		all, row = t.N, func(i int) int { return i }
	}
	for lo := 0; lo < all; lo += tree.Rows {
		n := min(tree.Rows, all-lo)
		from, at := t, row(lo)
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("ensemble: predicting row %d: %w", at, err)
		}
		if rows != nil && !adjacent(rows[lo:lo+n]) {
			from, at = b.collect(t, rows[lo:lo+n]), 0
		}
		if err := pr.checkValues(from, at, n, func(i int) int { return row(lo + i) }); err != nil {
			return err
		}
		if pr.plain || n <= fewRows {
			for i := range n {
				for j := range b.x {
					b.x[j] = from.Data[j*from.N+at+i]
				}
				pr.score(b, b.x, b.scores[i*k:(i+1)*k])
			}
		} else {
			pr.block(b, from, at, n)
		}
		done(lo, n, b.scores[:n*k])
	}
	return nil
}

// adjacent reports whether each row follows the one before.
func adjacent(rows []int) bool {
	for i, r := range rows {
		if r != rows[0]+i {
			return false
		}
	}
	return true
}

// collect copies rows of a table, at most those of a block.
func (b *buffer) collect(t *view.Table, rows []int) *view.Table {
	p := &b.part
	if p.Data == nil {
		p.N, p.Data = tree.Rows, make([]float32, tree.Rows*len(b.x))
	}
	for j := range b.x {
		from, to := t.Col(j), p.Data[j*tree.Rows:]
		for i, r := range rows {
			to[i] = from[r]
		}
	}
	return p
}

// block scores rows lo to lo+n of the table.
func (pr *predictor) block(b *buffer, t *view.Table, lo, n int) {
	pr.codeBlock(b.block, t, lo, n)
	e := pr.e
	k := len(e.Base)
	if e.Single {
		for c, v := range e.Base {
			fill(b.sum32[c*tree.Rows:(c+1)*tree.Rows], float32(v))
		}
		addBlock(pr, b, pr.v32, b.sum32, tree.AddFloat32)
		for c := range k {
			for i, v := range b.sum32[c*tree.Rows : c*tree.Rows+n] {
				b.scores[i*k+c] = float64(v)
			}
		}
		return
	}
	for c, v := range e.Base {
		if e.Mean {
			v = 0
		}
		fill(b.sum64[c*tree.Rows:(c+1)*tree.Rows], v)
	}
	addBlock(pr, b, pr.v64, b.sum64, tree.AddFloat64)
	for c := range k {
		for i, v := range b.sum64[c*tree.Rows : c*tree.Rows+n] {
			if e.Mean {
				v = v/float64(len(e.Trees)) + e.Base[c]
			}
			b.scores[i*k+c] = v
		}
	}
}

func fill[F any](x []F, v F) {
	for i := range x {
		x[i] = v
	}
}

// codeBlock codes rows lo to lo+n of the table; the codes of the rows that
// the block lacks are left as they are.
func (pr *predictor) codeBlock(codes []byte, t *view.Table, lo, n int) {
	var ranks [tree.Rows]uint32
	for i := range pr.scales {
		s := &pr.scales[i]
		x := t.Data[s.column*t.N+lo : s.column*t.N+lo+n]
		tree.RankColumn(x, pr.search[i], pr.cuts, ranks[:n])
		gaps := s.zeroMissing
		for _, v := range x {
			gaps = gaps || v != v
		}
		for j, sl := range pr.slots[s.first : s.first+s.n] {
			to := codes[(s.first+j)*tree.Rows:][:tree.Rows]
			if len(s.list) <= 255 {
				for r := range x {
					to[r] = tree.Code(int(ranks[r]))
				}
			} else {
				for r := range x {
					to[r] = tree.Code(min(max(int(ranks[r])-255*sl.part, 0), 255))
				}
			}
			if gaps {
				for r, v := range x {
					if s.missing(v) {
						to[r] = tree.Code(int(sl.missing))
					}
				}
			}
		}
	}
	for i := range pr.sets {
		s := &pr.sets[i]
		to := codes[(len(pr.slots)+i)*tree.Rows:][:tree.Rows]
		for r, v := range t.Data[s.column*t.N+lo : s.column*t.N+lo+n] {
			to[r] = tree.Code(int(s.code(v)))
		}
	}
}

// addBlock adds the trees to the sums of a block, in the order of the trees.
func addBlock[F float32 | float64](pr *predictor, b *buffer, value, sum []F, add func(leaf *[tree.Rows]byte, value []F, width int, sum *[tree.Rows]F)) {
	codes := b.block
	var leaf [tree.Rows]byte
	for i := range pr.refs {
		r := &pr.refs[i]
		at, w := int(r.nodes), int(r.width)
		switch r.kind {
		case walked:
			n := 1<<r.depth - 1
			tree.Block(pr.slotAt[at:at+n], pr.cutAt[at:at+n], int(r.depth), codes, &leaf)
		case leveled:
			n := int(r.depth)
			tree.BlockLevels(pr.slotAt[at:at+n], pr.cutAt[at:at+n], n, codes, &leaf)
		case deep:
			if r.n == 0 {
				deepBlock(pr, r, codes, value, sum)
				continue
			}
			tree.BlockNodes(pr.below[r.nodes:r.nodes+r.n], codes, b.room, &leaf)
		}
		v := value[int(r.from+r.leafBase*r.width):]
		if w == 1 {
			add(&leaf, v, 1, (*[tree.Rows]F)(sum[int(r.class)*tree.Rows:]))
			continue
		}
		for c := range w {
			add(&leaf, v[c:], w, (*[tree.Rows]F)(sum[c*tree.Rows:]))
		}
	}
}

// deepBlock adds one deep tree to the sums of a block; four rows walk side by
// side.
func deepBlock[F float32 | float64](pr *predictor, ref *treeRef, codes []byte, value, sum []F) {
	depth := int(pr.deepest[int(ref.place)-pr.places+len(pr.deepest)])
	nodes := pr.deep
	step := func(a uint32, row int) uint32 {
		nd := &nodes[a]
		above := uint64(int64(uint8(nd.Code))-int64(codes[int(nd.Code>>8)*tree.Rows+row]^0x80)) >> 63 // #nosec G115 -- the sign bit
		return nd.Left + uint32(above)                                                                // #nosec G115 -- 0 or 1
	}
	root, w := uint32(ref.leafBase), int(ref.width) // #nosec G115 -- not negative
	for i := 0; i < tree.Rows; i += 4 {
		a := [4]uint32{root, root, root, root}
		for range depth {
			a[0], a[1], a[2], a[3] = step(a[0], i), step(a[1], i+1), step(a[2], i+2), step(a[3], i+3)
		}
		for j, l := range a {
			at := int(ref.from) + int(l)*w
			if w == 1 {
				sum[int(ref.class)*tree.Rows+i+j] += value[at]
				continue
			}
			for c, v := range value[at : at+w] {
				sum[c*tree.Rows+i+j] += v
			}
		}
	}
}
