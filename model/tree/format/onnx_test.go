package format_test

import (
	"encoding/binary"
	"math"
	"testing"

	"github.com/mlfactory/mlfactory/model/tree/ensemble"
	"github.com/mlfactory/mlfactory/model/tree/format"
)

// wire is a field of a protocol buffer.
type wire struct {
	field int
	num   uint64
	data  []byte
}

// wires reads the fields of a message.
func wires(t *testing.T, d []byte) (out []wire) {
	t.Helper()
	for len(d) > 0 {
		key, n := binary.Uvarint(d)
		if n <= 0 {
			t.Fatal("no key")
		}
		d = d[n:]
		w := wire{field: int(key >> 3)}
		switch key & 7 {
		case 0:
			if w.num, n = binary.Uvarint(d); n <= 0 {
				t.Fatal("no number")
			}
			d = d[n:]
		case 2:
			size, n := binary.Uvarint(d)
			if n <= 0 || size > uint64(len(d)-n) {
				t.Fatal("cut short")
			}
			w.data, d = d[n:n+int(size)], d[n+int(size):]
		case 5:
			w.num, d = uint64(binary.LittleEndian.Uint32(d)), d[4:]
		default:
			t.Fatalf("wire type %d", key&7)
		}
		out = append(out, w)
	}
	return out
}

// onnxNode is a node as the specification of ONNX reads it.
type onnxNode struct {
	op     string
	ints   map[string][]int64
	floats map[string][]float32
	texts  map[string][]string
}

// onnxNodes reads the nodes of a model's graph, by the numbers of onnx.proto.
func onnxNodes(t *testing.T, model []byte) (out []onnxNode) {
	t.Helper()
	for _, m := range wires(t, model) {
		if m.field != 7 { // graph
			continue
		}
		for _, g := range wires(t, m.data) {
			if g.field != 1 { // node
				continue
			}
			n := onnxNode{ints: map[string][]int64{}, floats: map[string][]float32{}, texts: map[string][]string{}}
			for _, f := range wires(t, g.data) {
				switch f.field {
				case 4:
					n.op = string(f.data)
				case 5:
					n.attribute(t, f.data)
				}
			}
			out = append(out, n)
		}
	}
	return out
}

func (n *onnxNode) attribute(t *testing.T, d []byte) {
	name := ""
	for _, a := range wires(t, d) {
		switch a.field {
		case 1:
			name = string(a.data)
		case 3, 8:
			n.ints[name] = append(n.ints[name], int64(a.num))
		case 7:
			n.floats[name] = append(n.floats[name], math.Float32frombits(uint32(a.num)))
		case 4, 9:
			n.texts[name] = append(n.texts[name], string(a.data))
		}
	}
}

// scores evaluates the trees on a row, in float32 as runtimes do.
func (n *onnxNode) scores(t *testing.T, x []float32) []float32 {
	t.Helper()
	leaves, k := "class", len(n.ints["classlabels_int64s"])
	if n.op == "TreeEnsembleRegressor" {
		leaves, k = "target", int(n.ints["n_targets"][0])
	}
	out := make([]float32, k)
	copy(out, n.floats["base_values"])
	type key struct{ tree, node int64 }
	at := map[key]int{}
	for i, id := range n.ints["nodes_nodeids"] {
		at[key{n.ints["nodes_treeids"][i], id}] = i
	}
	trees := n.ints["nodes_treeids"]
	for tree := range trees[len(trees)-1] + 1 {
		node := int64(0)
		for {
			i, ok := at[key{tree, node}]
			if !ok {
				t.Fatalf("tree %d has no node %d", tree, node)
			}
			mode, v := n.texts["nodes_modes"][i], n.floats["nodes_values"][i]
			if mode == "LEAF" {
				break
			}
			f := x[n.ints["nodes_featureids"][i]]
			yes := mode == "BRANCH_LT" && f < v || mode == "BRANCH_EQ" && f == v || f != f && n.ints["nodes_missing_value_tracks_true"][i] == 1
			if node = n.ints["nodes_falsenodeids"][i]; yes {
				node = n.ints["nodes_truenodeids"][i]
			}
		}
		for j, id := range n.ints[leaves+"_nodeids"] {
			if id == node && n.ints[leaves+"_treeids"][j] == tree {
				out[n.ints[leaves+"_ids"][j]] += n.floats[leaves+"_weights"][j]
			}
		}
	}
	return out
}

// What ONNX says the written nodes compute is what the ensemble computes. The
// runtime itself is asked by bench/trees/parity.
func TestONNX(t *testing.T) {
	for name, g := range goldens(t) {
		data := g.bytes(t)
		f, _ := format.Detect(data)
		m, err := format.Import(data, f, g.options(name))
		if err != nil {
			t.Fatal(err)
		}
		nodes := onnxNodes(t, export(t, m.Ensemble, format.ONNX))
		if post := nodes[0].texts["post_transform"][0]; (post == "SOFTMAX") != (m.Link == ensemble.Softmax && m.Scores() > 2) || (post == "LOGISTIC") != (m.Link == ensemble.Logistic) {
			t.Errorf("%s: post_transform %s for link %d", name, post, m.Link)
		}
		want := make([]float64, m.Scores())
		for i, x := range g.rows() {
			if i%5 != 0 && i < len(g.X)-12 { // all rows with strange categories
				continue
			}
			got := nodes[0].scores(t, x)
			m.Score(x, want)
			if m.Link == ensemble.Logistic {
				if got[0] != -got[1] {
					t.Fatalf("%s row %d: %v", name, i, got)
				}
				got = got[1:]
			}
			for c := range want {
				// float32 sums of some tens of trees
				if d := math.Abs(float64(got[c]) - want[c]); d > 4e-6*math.Max(1, math.Abs(want[c])) {
					t.Fatalf("%s row %d: scores %v, want %v", name, i, got, want)
				}
			}
		}
	}
}

// Two classes by softmax or by shares, and ensembles without trees.
func TestONNXTwoClasses(t *testing.T) {
	two := small(func(e *ensemble.Ensemble) {
		e.Link, e.Base, e.Classes, e.Single = ensemble.Softmax, []float64{0.25, 1}, []int8{-1, 1}, false
		e.Trees[0].Width, e.Trees[0].Values = 2, []float64{0, 0, 1, 2, 4, 3}
	})
	n := onnxNodes(t, export(t, two, format.ONNX))[0]
	if got := n.scores(t, []float32{1, 0}); got[1] != 1.75 || got[0] != -1.75 { // (1+2) − (0.25+1)
		t.Errorf("scores %v", got)
	}
	if l := n.ints["classlabels_int64s"]; l[0] != -1 || l[1] != 1 {
		t.Errorf("labels %v", l)
	}
	two.Link = ensemble.Shares
	nodes := onnxNodes(t, export(t, two, format.ONNX))
	var ops []string
	for _, n := range nodes {
		ops = append(ops, n.op)
	}
	if got := nodes[0].scores(t, []float32{3, 0}); got[0] != 4.25 || got[1] != 4 || len(ops) != 4 || ops[1] != "Normalizer" || ops[3] != "Gather" {
		t.Errorf("scores %v of %v", got, ops)
	}
	none := small(func(e *ensemble.Ensemble) { e.Trees = nil })
	if got := onnxNodes(t, export(t, none, format.ONNX))[0].scores(t, []float32{3, 0}); got[0] != 0.5 {
		t.Errorf("scores %v", got)
	}
}
