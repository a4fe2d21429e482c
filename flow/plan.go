package flow

import (
	"context"
	"slices"

	"github.com/mlfactory/mlfactory/store"
)

// What a plan says about a node.
const (
	PlanCached  = "cached"  // its result is there
	PlanRun     = "run"     // it will run
	PlanDepends = "depends" // it will run unless what it reads comes out as it did before
)

// PlanNode is a node of a plan.
type PlanNode struct {
	Name   string `json:"name"`
	Kind   string `json:"kind"`
	Key    string `json:"key,omitempty"` // empty for PlanDepends: not known before its inputs are done
	Status string `json:"status"`
	Memory int64  `json:"memory"`
}

// PlanKind counts the nodes of one kind.
type PlanKind struct {
	Kind    string `json:"kind"`
	Cached  int    `json:"cached"`
	Run     int    `json:"run"`
	Depends int    `json:"depends"`
}

// Plan is what [Run] would do, as far as it can be known beforehand.
type Plan struct {
	Nodes  []PlanNode `json:"nodes"` // after their inputs
	Kinds  []PlanKind `json:"kinds"` // in order of their first node
	Cached int        `json:"cached"`
	Run    int        `json:"run"` // nodes that will run or may have to
	Memory int64      `json:"memory"`
}

// NewPlan looks up which results are there. Its Memory is the most that the
// nodes that may run expect together: the sum of the largest of them, one for
// each of workers (0: one), but no more than limit (0: none) unless one alone
// expects more.
func NewPlan(ctx context.Context, s *store.Store, targets []*Node, workers int, limit int64) (*Plan, error) {
	all, err := graph(targets)
	if err != nil {
		return nil, err
	}
	p, err := plan(ctx, s, all)
	if err != nil {
		return nil, err
	}
	var sizes []int64
	for _, n := range p.Nodes {
		if n.Status != PlanCached {
			sizes = append(sizes, n.Memory)
		}
	}
	slices.Sort(sizes)
	slices.Reverse(sizes)
	for i, m := range sizes {
		if i == 0 || i < workers && (limit <= 0 || p.Memory+m <= limit) {
			p.Memory += m
		}
	}
	return p, nil
}

func plan(ctx context.Context, s *store.Store, all []*vertex) (*Plan, error) {
	p := &Plan{Nodes: make([]PlanNode, len(all))}
	results := make([]Result, len(all))
	at := map[string]int{}
	for i, v := range all {
		n := &p.Nodes[i]
		*n = PlanNode{Name: v.Name, Kind: v.Kind, Status: PlanDepends, Memory: v.Memory}
		inputs := make([]Result, len(v.inputs))
		known := true
		for k, in := range v.inputs {
			inputs[k] = results[in]
			known = known && p.Nodes[in].Status == PlanCached
		}
		if known {
			n.Key = keyOf(v.Node, v.params, inputs)
			outs, ok, err := s.Ready(ctx, n.Key)
			if err != nil {
				return nil, err
			}
			n.Status = PlanRun
			if ok {
				n.Status = PlanCached
				results[i] = Result{Key: n.Key, Outputs: outs}
			}
		}
		k, there := at[v.Kind]
		if !there {
			k = len(p.Kinds)
			at[v.Kind] = k
			p.Kinds = append(p.Kinds, PlanKind{Kind: v.Kind})
		}
		switch n.Status {
		case PlanCached:
			p.Kinds[k].Cached++
			p.Cached++
		case PlanRun:
			p.Kinds[k].Run++
			p.Run++
		default:
			p.Kinds[k].Depends++
			p.Run++
		}
	}
	return p, nil
}
