package xgboost

import (
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"strings"

	"github.com/mlfactory/mlfactory/model"
	"github.com/mlfactory/mlfactory/model/tree/core"
)

// A model is an artifact (model.WriteArtifact: magic, kind, version, length,
// payload, SHA-256). All integers and floats of the payload are little-endian:
// objective, columns, classes and base scores, each with its count first, then
// the number of trees and for each tree its number of nodes and the nodes, 25
// bytes each.
const (
	kind     = "boosted trees"
	version  = 1
	nodeLen  = 25
	maxNodes = 1<<17 - 1 // of a tree: max_depth 16
)

// Encode writes the ensemble. The same ensemble always gives the same bytes.
func (b *Booster) Encode(w io.Writer) error {
	if err := model.WriteArtifact(w, kind, version, b.appendBody(nil)); err != nil {
		return fmt.Errorf("model/tree: writing a model: %w", err)
	}
	return nil
}

func (b *Booster) appendBody(d []byte) []byte {
	u32 := func(v uint32) { d = binary.LittleEndian.AppendUint32(d, v) }
	f32 := func(v float32) { u32(math.Float32bits(v)) }
	text := func(s string) {
		u32(uint32(len(s)))
		d = append(d, s...)
	}
	text(b.loss.Name)
	f32(b.loss.PosWeight)
	u32(uint32(len(b.names)))
	for _, n := range b.names {
		text(n)
	}
	u32(uint32(len(b.classes)))
	for _, c := range b.classes {
		d = append(d, byte(c))
	}
	u32(uint32(len(b.base)))
	for _, v := range b.base {
		f32(v)
	}
	u32(uint32(len(b.trees)))
	for _, t := range b.trees {
		u32(uint32(len(t)))
		for _, nd := range t {
			u32(uint32(nd.feature))
			u32(uint32(nd.left))
			f32(nd.threshold)
			f32(nd.value)
			f32(nd.gain)
			f32(nd.cover)
			flag := byte(0)
			if nd.defaultLeft {
				flag = 1
			}
			d = append(d, flag)
		}
	}
	return d
}

// Decode reads what [Booster.Encode] wrote. A file that is not a model, of
// another version, cut short, changed in any byte, longer than it should be or
// inconsistent is refused.
func Decode(r io.Reader) (*Booster, error) {
	body, err := model.ReadArtifact(r, kind, version)
	if err != nil {
		return nil, fmt.Errorf("model/tree: %w", err)
	}
	return decodeBody(body)
}

// reader reads the body; after the first error it returns zeros.
type reader struct {
	d   []byte
	at  int
	err error
}

func (r *reader) fail(format string, a ...any) {
	if r.err == nil {
		r.err = fmt.Errorf("model/tree: model body at byte %d: %s: %w", r.at, fmt.Sprintf(format, a...), model.ErrDamaged)
	}
}

func (r *reader) take(n int) []byte {
	if r.err != nil || len(r.d)-r.at < n {
		r.fail("%d bytes wanted, %d left", n, len(r.d)-r.at)
		return nil
	}
	r.at += n
	return r.d[r.at-n : r.at]
}

func (r *reader) u32() uint32 {
	if b := r.take(4); b != nil {
		return binary.LittleEndian.Uint32(b)
	}
	return 0
}

func (r *reader) f32(what string) float32 {
	v := math.Float32frombits(r.u32())
	if !core.Finite32(v) {
		r.fail("%s is %v", what, v)
	}
	return v
}

// count reads the number of items of at least size bytes each.
func (r *reader) count(what string, size int) int {
	n := r.u32()
	if r.err == nil && int64(n)*int64(size) > int64(len(r.d)-r.at) {
		r.fail("%d %s do not fit in the %d bytes left", n, what, len(r.d)-r.at)
		return 0
	}
	return int(n)
}

func (r *reader) text() string { return string(r.take(r.count("letters", 1))) }

func decodeBody(d []byte) (*Booster, error) {
	r := &reader{d: d}
	b := &Booster{loss: core.Loss{Name: r.text(), K: 1}}
	b.loss.PosWeight = r.f32("scale_pos_weight")
	b.names = make([]string, r.count("columns", 4))
	for j := range b.names {
		b.names[j] = r.text()
	}
	if n := r.count("classes", 1); n > 0 {
		for _, c := range r.take(n) {
			b.classes = append(b.classes, int8(c))
		}
	}
	b.base = make([]float32, r.count("base scores", 4))
	for k := range b.base {
		b.base[k] = r.f32("base score")
	}
	k := len(b.base)
	switch {
	case r.err != nil:
	case b.loss.Name == core.Softprob && k >= 2:
		b.loss.K = k
	case (b.loss.Name == core.Logistic || b.loss.Name == core.SquaredError || b.loss.Name == core.Quantile || b.loss.Name == core.PseudoHuber) && k == 1:
	default:
		r.fail("objective %q with %d scores", b.loss.Name, k)
	}
	if r.err == nil && len(b.names) == 0 {
		r.fail("no columns")
	}
	if err := checkClassCodes(b); r.err == nil && err != "" {
		r.fail("%s", err)
	}
	b.trees = make([][]node, r.count("trees", 4+nodeLen))
	for i := range b.trees {
		if r.err != nil {
			break
		}
		b.trees[i] = r.tree(len(b.names))
	}
	if r.err == nil && (len(b.trees) == 0 || len(b.trees)%b.loss.K != 0) {
		r.fail("%d trees for %d scores", len(b.trees), b.loss.K)
	}
	if r.err == nil && r.at != len(d) {
		r.fail("%d bytes too many", len(d)-r.at)
	}
	if r.err != nil {
		return nil, r.err
	}
	b.pred = newPredictor(b)
	return b, nil
}

// checkClassCodes reports what is wrong with the classes, "" if nothing is.
func checkClassCodes(b *Booster) string {
	want := ""
	switch {
	case len(b.classes) == 0:
		return ""
	case b.loss.Name == core.Softprob && b.loss.K == 3:
		want = "-1 0 1"
	case b.loss.Name == core.Logistic:
		want = "-1 0|-1 1|0 1"
	}
	got := strings.Trim(fmt.Sprint(b.classes), "[]")
	for w := range strings.SplitSeq(want, "|") {
		if w == got {
			return ""
		}
	}
	return fmt.Sprintf("objective %q with classes %s", b.loss.Name, got)
}

// tree reads a tree and checks that it is one: every node but the root is the
// child of exactly one earlier node.
func (r *reader) tree(columns int) []node {
	n := r.count("nodes", nodeLen)
	if r.err == nil && (n == 0 || n > maxNodes || n%2 == 0) {
		r.fail("a tree of %d nodes", n)
	}
	if r.err != nil {
		return nil
	}
	t := make([]node, n)
	next := int32(1) // where the children of the next inner node must be
	for i := range t {
		nd := &t[i]
		nd.feature, nd.left = int32(r.u32()), int32(r.u32())
		nd.threshold, nd.value = r.f32("threshold"), r.f32("leaf value")
		nd.gain, nd.cover = r.f32("gain"), r.f32("cover")
		if f := r.take(1); f != nil {
			nd.defaultLeft = f[0] == 1
			if f[0] > 1 {
				r.fail("flags %#x", f[0])
			}
		}
		if nd.left != 0 {
			// Breadth first, the children of the nodes follow in order.
			if nd.left != next || int(next)+1 >= n || int(next) <= i {
				r.fail("node %d of %d has children at %d", i, n, nd.left)
				return nil
			}
			next += 2
		} else if nd.defaultLeft || nd.threshold != 0 || nd.feature != 0 {
			r.fail("node %d is a leaf with a split", i)
		}
		if nd.feature < 0 || int(nd.feature) >= columns {
			r.fail("node %d splits column %d of %d", i, nd.feature, columns)
		}
		if r.err != nil {
			return nil
		}
	}
	if int(next) != n {
		r.fail("%d of %d nodes are reached", next, n)
	}
	return t
}
