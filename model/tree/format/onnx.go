package format

import "math"

// An ONNX model is a protocol buffer (onnx.proto, IR version 8).

// message writes a protocol buffer.
type message []byte

func (m *message) varint(x uint64) {
	for ; x >= 0x80; x >>= 7 {
		*m = append(*m, byte(x)|0x80)
	}
	*m = append(*m, byte(x))
}

func (m *message) key(field, wire int) { m.varint(uint64(field<<3 | wire)) }

func (m *message) int(field int, x int64) {
	m.key(field, 0)
	m.varint(uint64(x))
}

func (m *message) float(field int, x float32) {
	m.key(field, 5)
	b := math.Float32bits(x)
	*m = append(*m, byte(b), byte(b>>8), byte(b>>16), byte(b>>24))
}

func (m *message) bytes(field int, b []byte) {
	m.key(field, 2)
	m.varint(uint64(len(b)))
	*m = append(*m, b...)
}

func (m *message) text(field int, s string) { m.bytes(field, []byte(s)) }

// Numbers of fields and types of onnx.proto.
const (
	attrName, attrType, attrString           = 1, 20, 4
	attrInt, attrFloats, attrInts, attrTexts = 3, 7, 8, 9
	typeInt, typeString                      = 2, 3
	typeFloats, typeInts, typeStrings        = 6, 7, 8
	nodeInput, nodeOutput, nodeName, nodeOp  = 1, 2, 3, 4
	nodeAttribute, nodeDomain                = 5, 7
	graphTensor                              = 5
	graphNode, graphName                     = 1, 2
	graphInput, graphOutput                  = 11, 12
	modelIR, modelProducer, modelGraph       = 1, 2, 7
	modelOpset                               = 8
	elemFloat, elemInt64                     = 1, 7
	irVersion, onnxVersion, onnxMLVersion    = 8, 15, 3
)

// onnxML is the domain of the operators of classic machine learning.
const onnxML = "ai.onnx.ml"

// onnxNode is a node of the graph.
type onnxNode struct {
	op, name, domain string
	in, out          []string
	attributes       []message
}

func (n *onnxNode) attribute(name string, typ int64, fill func(a *message)) {
	var a message
	a.text(attrName, name)
	fill(&a)
	a.int(attrType, typ)
	n.attributes = append(n.attributes, a)
}

func (n *onnxNode) ints(name string, xs []int64) {
	n.attribute(name, typeInts, func(a *message) {
		for _, x := range xs {
			a.int(attrInts, x)
		}
	})
}

func (n *onnxNode) floats(name string, xs []float32) {
	n.attribute(name, typeFloats, func(a *message) {
		for _, x := range xs {
			a.float(attrFloats, x)
		}
	})
}

func (n *onnxNode) texts(name string, xs []string) {
	n.attribute(name, typeStrings, func(a *message) {
		for _, x := range xs {
			a.text(attrTexts, x)
		}
	})
}

func (n *onnxNode) text(name, s string) {
	n.attribute(name, typeString, func(a *message) { a.text(attrString, s) })
}

func (n *onnxNode) encode() []byte {
	var m message
	for _, s := range n.in {
		m.text(nodeInput, s)
	}
	for _, s := range n.out {
		m.text(nodeOutput, s)
	}
	m.text(nodeName, n.name)
	m.text(nodeOp, n.op)
	for _, a := range n.attributes {
		m.bytes(nodeAttribute, a)
	}
	m.text(nodeDomain, n.domain)
	return m
}

// valueInfo describes a tensor of rows by columns; 0 columns for a vector.
func valueInfo(name string, elem int64, columns int) []byte {
	var rows, cols, shape, tensor, typ, m message
	rows.text(2, "rows")
	shape.bytes(1, rows)
	if columns > 0 {
		cols.int(1, int64(columns))
		shape.bytes(1, cols)
	}
	tensor.int(1, elem)
	tensor.bytes(2, shape)
	typ.bytes(1, tensor)
	m.text(1, name)
	m.bytes(2, typ)
	return m
}

// int64s is an initializer: a vector of constants.
func int64s(name string, xs []int64) []byte {
	var m message
	m.int(1, int64(len(xs))) // dims
	m.int(2, elemInt64)
	for _, x := range xs {
		m.int(7, x)
	}
	m.text(8, name)
	return m
}

// onnxGraph is a graph with one input and what it needs.
type onnxGraph struct {
	nodes     []*onnxNode
	constants [][]byte
	outputs   [][]byte
}

func (g *onnxGraph) add(op, domain string, in, out []string) *onnxNode {
	n := &onnxNode{op: op, name: op, domain: domain, in: in, out: out}
	g.nodes = append(g.nodes, n)
	return n
}

// encode writes the model.
func (g *onnxGraph) encode(columns int) []byte {
	var graph, m message
	for _, n := range g.nodes {
		graph.bytes(graphNode, n.encode())
	}
	graph.text(graphName, "mlfactory")
	for _, c := range g.constants {
		graph.bytes(graphTensor, c)
	}
	graph.bytes(graphInput, valueInfo("input", elemFloat, columns))
	for _, o := range g.outputs {
		graph.bytes(graphOutput, o)
	}
	m.int(modelIR, irVersion)
	m.text(modelProducer, "mlfactory")
	m.bytes(modelGraph, graph)
	for _, set := range []struct {
		domain  string
		version int64
	}{{"", onnxVersion}, {onnxML, onnxMLVersion}} {
		var o message
		o.text(1, set.domain)
		o.int(2, set.version)
		m.bytes(modelOpset, o)
	}
	return m
}
