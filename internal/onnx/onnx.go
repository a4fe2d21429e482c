// Package onnx writes ONNX models: the protocol buffer of onnx.proto (IR version
// 8), of which a graph of nodes, constants, inputs and outputs is all that a
// fitted model needs.
//
// A [Graph] collects nodes in an order in which every value is made before it is
// used; [Graph.Model] encodes it. Names are the writer's own; this package checks
// none of them, a runtime does. The same calls give the same bytes.
package onnx

import (
	"encoding/binary"
	"math"
)

// Elem is the type of a tensor's elements.
type Elem int64

// Element types.
const (
	Float Elem = 1 // float32
	Int64 Elem = 7
)

// ML is the domain of the operators of classic machine learning.
const ML = "ai.onnx.ml"

// Versions of the operators that are written for.
const (
	Opset   = 17 // of the default domain
	OpsetML = 3
	ir      = 8
)

// Dim is one dimension of an input or output: a size, or a name where the size is
// left open.
type Dim struct {
	Size int
	Name string
}

// Graph is a model under construction.
type Graph struct {
	nodes           []*Node
	constants       [][]byte
	inputs, outputs [][]byte
	metadata        [][]byte
}

// Input declares an input.
func (g *Graph) Input(name string, elem Elem, dims ...Dim) {
	g.inputs = append(g.inputs, valueInfo(name, elem, dims))
}

// Output declares an output.
func (g *Graph) Output(name string, elem Elem, dims ...Dim) {
	g.outputs = append(g.outputs, valueInfo(name, elem, dims))
}

// Floats is a constant of the given shape, row-major; no shape is a number.
func (g *Graph) Floats(name string, shape []int, values []float32) {
	m := tensor(name, Float, shape)
	raw := make([]byte, 0, 4*len(values))
	for _, v := range values {
		raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(v))
	}
	m.bytes(9, raw)
	g.constants = append(g.constants, m)
}

// Ints is a constant vector.
func (g *Graph) Ints(name string, values ...int64) {
	m := tensor(name, Int64, []int{len(values)})
	raw := make([]byte, 0, 8*len(values))
	for _, v := range values {
		raw = binary.LittleEndian.AppendUint64(raw, uint64(v)) // #nosec G115 -- two's complement, as the format has it
	}
	m.bytes(9, raw)
	g.constants = append(g.constants, m)
}

// Metadata is a text that a reader finds beside the model.
func (g *Graph) Metadata(key, value string) {
	var m message
	m.text(1, key)
	m.text(2, value)
	g.metadata = append(g.metadata, m)
}

// Node adds an operator of the default domain.
func (g *Graph) Node(op string, in, out []string) *Node { return g.NodeOf("", op, in, out) }

// NodeOf adds an operator of a domain.
func (g *Graph) NodeOf(domain, op string, in, out []string) *Node {
	n := &Node{op: op, domain: domain, in: in, out: out}
	g.nodes = append(g.nodes, n)
	return n
}

// Model encodes the graph.
func (g *Graph) Model() []byte {
	var graph, m message
	for _, n := range g.nodes {
		graph.bytes(1, n.encode())
	}
	graph.text(2, "mlfactory")
	for _, c := range g.constants {
		graph.bytes(5, c)
	}
	for _, v := range g.inputs {
		graph.bytes(11, v)
	}
	for _, v := range g.outputs {
		graph.bytes(12, v)
	}
	m.int(1, ir)
	m.text(2, "mlfactory")
	m.bytes(7, graph)
	for _, set := range []struct {
		domain  string
		version int64
	}{{"", Opset}, {ML, OpsetML}} {
		var o message
		o.text(1, set.domain)
		o.int(2, set.version)
		m.bytes(8, o)
	}
	for _, e := range g.metadata {
		m.bytes(14, e)
	}
	return m
}

// Node is an operator with its attributes. It is named after its first output.
type Node struct {
	op, domain string
	in, out    []string
	attributes []message
}

// Numbers of onnx.proto: types of attributes.
const (
	typeFloat, typeInt, typeString  = 1, 2, 3
	typeFloats, typeInts, typeTexts = 6, 7, 8
	attrFloat, attrInt, attrString  = 2, 3, 4
	attrFloats, attrInts, attrTexts = 7, 8, 9
)

func (n *Node) attribute(name string, typ int64, fill func(a *message)) *Node {
	var a message
	a.text(1, name)
	fill(&a)
	a.int(20, typ)
	n.attributes = append(n.attributes, a)
	return n
}

// Int sets an attribute.
func (n *Node) Int(name string, x int) *Node {
	return n.attribute(name, typeInt, func(a *message) { a.int(attrInt, int64(x)) })
}

// Float sets an attribute.
func (n *Node) Float(name string, x float32) *Node {
	return n.attribute(name, typeFloat, func(a *message) { a.float(attrFloat, x) })
}

// Text sets an attribute.
func (n *Node) Text(name, s string) *Node {
	return n.attribute(name, typeString, func(a *message) { a.text(attrString, s) })
}

// Ints sets an attribute.
func (n *Node) Ints(name string, xs ...int64) *Node {
	return n.attribute(name, typeInts, func(a *message) {
		for _, x := range xs {
			a.int(attrInts, x)
		}
	})
}

// Floats sets an attribute.
func (n *Node) Floats(name string, xs ...float32) *Node {
	return n.attribute(name, typeFloats, func(a *message) {
		for _, x := range xs {
			a.float(attrFloats, x)
		}
	})
}

// Texts sets an attribute.
func (n *Node) Texts(name string, xs ...string) *Node {
	return n.attribute(name, typeTexts, func(a *message) {
		for _, x := range xs {
			a.text(attrTexts, x)
		}
	})
}

func (n *Node) encode() []byte {
	var m message
	for _, s := range n.in {
		m.text(1, s)
	}
	for _, s := range n.out {
		m.text(2, s)
	}
	name := n.op
	if len(n.out) > 0 {
		name = n.op + "_" + n.out[0]
	}
	m.text(3, name)
	m.text(4, n.op)
	for _, a := range n.attributes {
		m.bytes(5, a)
	}
	m.text(7, n.domain)
	return m
}

// valueInfo describes an input or output.
func valueInfo(name string, elem Elem, dims []Dim) []byte {
	var shape, tensor, typ, m message
	for _, d := range dims {
		var x message
		if d.Name != "" {
			x.text(2, d.Name)
		} else {
			x.int(1, int64(d.Size))
		}
		shape.bytes(1, x)
	}
	tensor.int(1, int64(elem))
	tensor.bytes(2, shape)
	typ.bytes(1, tensor)
	m.text(1, name)
	m.bytes(2, typ)
	return m
}

// tensor begins a constant.
func tensor(name string, elem Elem, shape []int) message {
	var m message
	for _, d := range shape {
		m.int(1, int64(d))
	}
	m.int(2, int64(elem))
	m.text(8, name)
	return m
}

// message writes a protocol buffer.
type message []byte

func (m *message) key(field, wire int) {
	*m = binary.AppendUvarint(*m, uint64(field<<3|wire)) // #nosec G115 -- small constants
}

func (m *message) int(field int, x int64) {
	m.key(field, 0)
	*m = binary.AppendUvarint(*m, uint64(x)) // #nosec G115 -- two's complement, as the format has it
}

func (m *message) float(field int, x float32) {
	m.key(field, 5)
	*m = binary.LittleEndian.AppendUint32(*m, math.Float32bits(x))
}

func (m *message) bytes(field int, b []byte) {
	m.key(field, 2)
	*m = binary.AppendUvarint(*m, uint64(len(b)))
	*m = append(*m, b...)
}

func (m *message) text(field int, s string) { m.bytes(field, []byte(s)) }
