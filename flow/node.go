package flow

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"github.com/mlfactory/mlfactory/param"
	"github.com/mlfactory/mlfactory/store"
)

// Node is one stage of a graph.
type Node struct {
	Name   string  // readable, unique in the graph: "fit/xgboost/wf1/inner2"; not part of the key
	Kind   string  // "features", "fit" …
	Code   string  // version of the stage's code, see Code.Version
	Params any     // all that the result depends on beside code and inputs; canonicalised with param.Canonical
	Inputs []*Node // in the order in which the stage asks for them
	Memory int64   // bytes the stage expects to use at its peak
	Run    func(ctx context.Context, t *Task) error
}

// Result is what a node computed.
type Result struct {
	Key     string         `json:"key"`
	Outputs []store.Output `json:"outputs"` // in order of name
}

// Output returns the output of that name.
func (r Result) Output(name string) (store.Output, bool) {
	for _, o := range r.Outputs {
		if o.Name == name {
			return o, true
		}
	}
	return store.Output{}, false
}

// keyOf computes a node's key from the results of its inputs: the SHA-256 over
// kind, code, canonical parameters and, for each input in order, the names and
// identities of its outputs; every text is preceded by its length.
func keyOf(n *Node, params []byte, inputs []Result) string {
	h := sha256.New()
	text := func(s string) {
		h.Write(binary.LittleEndian.AppendUint64(nil, uint64(len(s))))
		h.Write([]byte(s))
	}
	count := func(n int) { h.Write(binary.LittleEndian.AppendUint64(nil, uint64(n))) }
	text("mlfactory stage 1")
	text(n.Kind)
	text(n.Code)
	text(string(params))
	count(len(inputs))
	for _, in := range inputs {
		count(len(in.Outputs))
		for _, o := range in.Outputs {
			text(o.Name)
			text(o.Identity())
		}
	}
	return hex.EncodeToString(h.Sum(nil))
}

// vertex is a node in its graph.
type vertex struct {
	*Node
	index   int // in topological order
	params  []byte
	inputs  []int // indices, in the node's order
	readers []int // who reads it, ascending, each once
	height  int   // stages on the longest way from here to an end
}

// graph is all that the targets need, every node after its inputs, in an order
// that depends on the graph alone.
func graph(targets []*Node) ([]*vertex, error) {
	var all []*vertex
	at := map[*Node]*vertex{}
	open := map[*Node]bool{}
	names := map[string]bool{}
	var problems []error
	var visit func(n *Node, via []string) *vertex
	visit = func(n *Node, via []string) *vertex {
		if v := at[n]; v != nil {
			return v
		}
		if n == nil {
			problems = append(problems, fmt.Errorf("flow: an input of %s is nil", strings.Join(via, " → ")))
			return nil
		}
		via = append(via[:len(via):len(via)], n.Name)
		if open[n] {
			problems = append(problems, fmt.Errorf("flow: cycle: %s", strings.Join(via, " → ")))
			return nil
		}
		open[n] = true
		v := &vertex{Node: n}
		for _, in := range n.Inputs {
			if w := visit(in, via); w != nil {
				v.inputs = append(v.inputs, w.index)
			}
		}
		var err error
		if v.params, err = param.Canonical(n.Params); err != nil {
			problems = append(problems, fmt.Errorf("flow: %s: parameters: %w", n.Name, err))
		}
		switch {
		case n.Name == "" || n.Kind == "" || n.Code == "" || n.Run == nil || n.Memory < 0:
			problems = append(problems, fmt.Errorf("flow: node %q (kind %q): name, kind, code and run are needed, and memory of zero or more", n.Name, n.Kind))
		case names[n.Name]:
			problems = append(problems, fmt.Errorf("flow: two nodes have the name %s", n.Name))
		}
		names[n.Name] = true
		v.index = len(all)
		all = append(all, v)
		at[n] = v
		delete(open, n)
		return v
	}
	for _, t := range targets {
		visit(t, nil)
	}
	if len(problems) > 0 {
		return nil, errors.Join(problems...)
	}
	for _, v := range all {
		for _, in := range v.inputs {
			if r := all[in].readers; len(r) == 0 || r[len(r)-1] != v.index {
				all[in].readers = append(r, v.index)
			}
		}
	}
	for i := len(all) - 1; i >= 0; i-- {
		for _, r := range all[i].readers {
			all[i].height = max(all[i].height, all[r].height+1)
		}
	}
	return all, nil
}
