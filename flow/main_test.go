package flow_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/mlfactory/mlfactory/flow"
	"github.com/mlfactory/mlfactory/judge"
	"github.com/mlfactory/mlfactory/store"
)

// The test binary is also the process that the tests kill: with childVar set it
// runs the sample graph in that project folder and writes the run folder beside
// it.
const (
	childVar = "MLFACTORY_FLOW_CHILD"
	pauseVar = "MLFACTORY_FLOW_PAUSE"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(childVar); dir != "" {
		pause, err := time.ParseDuration(os.Getenv(pauseVar))
		if err == nil {
			_, err = runSample(context.Background(), dir, pause)
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

// node returns a stage that sums its inputs' numbers and its parameter.
func node(name string, add int, inputs ...*flow.Node) *flow.Node {
	return &flow.Node{
		Name: name, Kind: strings.Split(name, "/")[0], Code: "1", Params: map[string]int{"add": add}, Inputs: inputs,
		Run: func(ctx context.Context, t *flow.Task) error {
			sum := add
			for i := range inputs {
				v, err := number(t, i)
				if err != nil {
					return err
				}
				sum += v
			}
			return t.Create("sum.txt", func(w io.Writer) error {
				_, err := fmt.Fprint(w, sum)
				return err
			})
		},
	}
}

func number(t *flow.Task, i int) (int, error) {
	o, err := t.Open(i, "sum.txt")
	if err != nil {
		return 0, err
	}
	b, err := o.Bytes()
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(string(b))
}

// sample is a graph of the shape of a real one: bars, features and labels, fits
// per fold, a stack, and a last stage that counts trials. Every stage takes
// about pause and writes two outputs.
func sample(s *store.Store, pause time.Duration) []*flow.Node {
	stage := func(name string, inputs ...*flow.Node) *flow.Node {
		n := node(name, len(name), inputs...)
		n.Params = name
		sum := n.Run
		n.Run = func(ctx context.Context, t *flow.Task) error {
			err := t.Create("blob.bin", func(w io.Writer) error {
				for i := range 4 {
					time.Sleep(pause / 4)
					if _, err := io.WriteString(w, strings.Repeat(name+strconv.Itoa(i), 5000)); err != nil {
						return err
					}
				}
				return nil
			})
			if err != nil {
				return err
			}
			return sum(ctx, t)
		}
		return n
	}
	bars := stage("bars")
	features, labels := stage("features", bars), stage("labels", bars)
	var tops []*flow.Node
	for w := range 3 {
		var fits []*flow.Node
		for _, m := range []string{"logistic", "xgboost"} {
			for k := range 2 {
				fits = append(fits, stage(fmt.Sprintf("fit/%s/wf%d/inner%d", m, w, k), features, labels))
			}
		}
		stack := stage(fmt.Sprintf("stack/wf%d", w), fits...)
		trial := stage(fmt.Sprintf("trial/wf%d", w), stack)
		run := trial.Run
		trial.Run = func(ctx context.Context, t *flow.Task) error {
			_, err := s.Record(ctx, judge.Trial{
				Key: t.Input(0).Key, Name: trial.Name, Instrument: "BTC", From: int64(w), To: int64(w + 1),
				Days: []int32{1, 2, 3}, Returns: []float64{0.1 * float64(w), 0, -0.25},
			})
			if err != nil {
				return err
			}
			return run(ctx, t)
		}
		tops = append(tops, trial)
	}
	return tops
}

// runSample is what a program does: begin a run, run the graph, take the
// ledger, write the run folder.
func runSample(ctx context.Context, dir string, pause time.Duration) (rep *flow.Report, err error) {
	s, err := store.Open(filepath.Join(dir, store.FolderName))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	a, err := s.BeginRun(ctx, "sample", []byte("recipe"))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, a.Finish(ctx, err)) }()
	rep, err = flow.Run(ctx, s, sample(s, pause), flow.Options{Workers: 2, Attempt: a})
	if err != nil {
		return rep, err
	}
	snap, err := s.Snapshot(ctx, judge.Query{Instrument: "BTC", From: 0, To: 9})
	if err != nil {
		return rep, err
	}
	files := []store.File{{Name: "ledger.json", Write: func(w io.Writer) error { return json.NewEncoder(w).Encode(snap) }}}
	for _, n := range rep.Nodes {
		for _, out := range n.Outputs {
			o, err := s.Object(out)
			if err != nil {
				return rep, err
			}
			files = append(files, o.File(n.Name+"/"+out.Name))
		}
	}
	return rep, store.WriteRunFolder(filepath.Join(dir, "run"), files)
}

func open(t *testing.T, dir string) *store.Store {
	t.Helper()
	s, err := store.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}
