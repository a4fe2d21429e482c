package flow_test

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/mlfactory/mlfactory/flow"
)

// capped is a random graph whose stages add their inputs and a number and never
// exceed a cap, so that changes often stop half-way. inputs[i] are below i.
type capped struct {
	add, cap []int
	inputs   [][]int
}

func randomGraph(r *rand.Rand) *capped {
	g := &capped{}
	for i := range 3 + r.IntN(6) {
		g.add = append(g.add, r.IntN(3))
		g.cap = append(g.cap, 1+r.IntN(5))
		var in []int
		for j := range i {
			if r.IntN(2) == 0 {
				in = append(in, j)
			}
		}
		g.inputs = append(g.inputs, in)
	}
	return g
}

// values evaluates the graph without flow.
func (g *capped) values() []int {
	v := make([]int, len(g.add))
	for i := range v {
		v[i] = g.add[i]
		for _, j := range g.inputs[i] {
			v[i] += v[j]
		}
		v[i] = min(v[i], g.cap[i])
	}
	return v
}

// nodes builds the graph for flow; salt makes its keys its own.
func (g *capped) nodes(salt string) []*flow.Node {
	all := make([]*flow.Node, len(g.add))
	for i := range all {
		var in []*flow.Node
		for _, j := range g.inputs[i] {
			in = append(in, all[j])
		}
		add, most := g.add[i], g.cap[i]
		all[i] = &flow.Node{
			Name: fmt.Sprintf("n%d", i), Kind: "sum", Code: salt, Params: map[string]int{"node": i, "add": add, "cap": most}, Inputs: in, Memory: int64(i),
			Run: func(ctx context.Context, t *flow.Task) error {
				sum := add
				for k := range in {
					v, err := number(t, k)
					if err != nil {
						return err
					}
					sum += v
				}
				return t.Create("sum.txt", func(w io.Writer) error { _, err := fmt.Fprint(w, min(sum, most)); return err })
			},
		}
	}
	return all
}

// On random graphs flow computes what a plain evaluation computes, and after
// one parameter changes it runs exactly that stage and those of whose inputs
// one has another value.
func TestRun_RandomGraphs(t *testing.T) {
	s := open(t, t.TempDir())
	stopped := 0
	for seed := range uint64(25) {
		r := rand.New(rand.NewPCG(2, seed))
		g := randomGraph(r)
		salt := fmt.Sprint(seed)
		opts := flow.Options{Workers: 1 + r.IntN(4), MemoryLimit: 12}
		check := func(rep *flow.Report) {
			t.Helper()
			for i, v := range g.values() {
				res, ok := rep.Result(fmt.Sprintf("n%d", i))
				if !ok {
					t.Fatalf("seed %d: n%d is not done", seed, i)
				}
				o, err := s.Object(res.Outputs[0])
				if err != nil {
					t.Fatal(err)
				}
				if b, err := o.Bytes(); err != nil || string(b) != fmt.Sprint(v) {
					t.Fatalf("seed %d: n%d = %s, %v, want %d", seed, i, b, err, v)
				}
			}
		}
		check(mustRun(t, s, opts, g.nodes(salt)...))
		before := g.values()
		changed := r.IntN(len(g.add))
		g.add[changed] += 1 + r.IntN(3)
		after := g.values()
		var want []string
		for i := range after {
			moved := slices.ContainsFunc(g.inputs[i], func(j int) bool { return before[j] != after[j] })
			if i == changed || moved {
				want = append(want, fmt.Sprintf("n%d", i))
			} else if slices.ContainsFunc(g.inputs[i], func(j int) bool { return slices.Contains(want, fmt.Sprintf("n%d", j)) }) {
				stopped++
			}
		}
		rep := mustRun(t, s, opts, g.nodes(salt)...)
		check(rep)
		if got := slices.Sorted(slices.Values(ranNames(rep))); !slices.Equal(got, want) {
			t.Fatalf("seed %d: after changing n%d ran %v, want %v", seed, changed, got, want)
		}
	}
	if stopped == 0 {
		t.Error("no early cut-off occurred: the graphs test too little")
	}
}
