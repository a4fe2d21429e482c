// Command nn is our side of the comparison of networks with PyTorch; see run.sh
// and README.md.
//
//	nn steps  -model lstm -set hidden=64,layers=1 -batches 4 -weights FILE
//	nn infer  -model lstm -set hidden=64
//	nn memory -model lstm -set hidden=64 -rows 20000
//	nn fit    -model lstm -set hidden=64 -rows 300000 -epochs 20
//	nn gemm
//	nn peak
//	nn names
//
// steps and infer measure one burst for each line on standard input and print a
// line of JSON for it. Both sides make the same generated data: see data.go.
package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"math"
	"os"
	"runtime"
	"strings"
	"syscall"
	"time"

	"github.com/mlfactory/mlfactory/model"
	"github.com/mlfactory/mlfactory/model/nn"
	"github.com/mlfactory/mlfactory/param"
	"github.com/mlfactory/mlfactory/rng"
	"github.com/mlfactory/mlfactory/view"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "nn:", err)
		os.Exit(1)
	}
}

// options are the flags of all commands.
type options struct {
	model, set, weights string
	rows, batches       int
	epochs              int
	rounds              int
	threads             int
}

// batchRows is the size of a mini-batch.
const batchRows = 256

func run(args []string) error {
	if len(args) == 0 {
		return errors.New("want steps, infer, memory, fit, gemm, peak or names")
	}
	var o options
	f := flag.NewFlagSet(args[0], flag.ContinueOnError)
	f.StringVar(&o.model, "model", "lstm", "registry name")
	f.StringVar(&o.set, "set", "", "KEY=VALUE,KEY=VALUE of its configuration")
	f.StringVar(&o.weights, "weights", "", "file for the trained weights (steps)")
	f.IntVar(&o.rows, "rows", 20000, "training rows")
	f.IntVar(&o.batches, "batches", 4, "mini-batches of a burst (steps)")
	f.IntVar(&o.epochs, "epochs", 1, "epochs (fit, memory)")
	f.IntVar(&o.rounds, "rounds", 150, "calls of each product of which the best counts (gemm, peak)")
	f.IntVar(&o.threads, "threads", 2, "goroutines")
	if err := f.Parse(args[1:]); err != nil {
		return err
	}
	runtime.GOMAXPROCS(o.threads)
	switch args[0] {
	case "names":
		for _, e := range nn.Entries() {
			fmt.Println(e.Name)
		}
		return nil
	case "gemm":
		return print(multiply(products(), o.rounds))
	case "peak":
		return print(multiply(nil, o.rounds))
	case "steps":
		return steps(o)
	case "infer":
		return infer(o)
	case "memory", "fit":
		return fit(o)
	}
	return fmt.Errorf("unknown command %q", args[0])
}

func print(v any) error { return json.NewEncoder(os.Stdout).Encode(v) }

// learner makes the learner of the options: no clipping, no early stopping, a
// rate that stays small.
func learner(o options) (model.Entry, model.Learner, error) {
	for _, e := range nn.Entries() {
		if e.Name != o.model {
			continue
		}
		cfg := e.Default()
		keys := []string{"patience=0", "clip_norm=0", "warmup=0", fmt.Sprintf("batch=%d", batchRows), fmt.Sprintf("epochs=%d", o.epochs)}
		if o.set != "" {
			keys = append(keys, strings.Split(o.set, ",")...)
		}
		for _, kv := range keys {
			k, v, _ := strings.Cut(kv, "=")
			if err := param.Set(cfg, k, v); err != nil {
				return e, nil, err
			}
		}
		l, err := e.New(cfg)
		return e, l, err
	}
	return model.Entry{}, nil, fmt.Errorf("no network %q", o.model)
}

// burst is one measurement.
type burst struct {
	Wall float64 `json:"wall_ms"` // of a step or a call
	CPU  float64 `json:"cpu_ms"`
}

// clock measures bursts.
type clock struct {
	wall time.Time
	cpu  time.Duration
}

func now() clock { return clock{time.Now(), processTime()} }

// since is the time of each of n calls since c.
func (c clock) since(n int) burst {
	k := 1e3 / float64(n)
	return burst{time.Since(c.wall).Seconds() * k, (processTime() - c.cpu).Seconds() * k}
}

// processTime is the processor time that the process has used.
func processTime() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// steps trains an epoch of some mini-batches for every line of the input.
func steps(o options) error {
	o.rows, o.epochs = o.batches*batchRows, 100000
	e, l, err := learner(o)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	in := bufio.NewScanner(os.Stdin)
	start := now()
	epochs := 0
	env := model.Env{Stream: rng.New(1), Workers: o.threads, Progress: func(int, int, string) {
		b := start.since(o.batches)
		if epochs++; print(b) != nil || !in.Scan() {
			cancel()
		}
		start = now()
	}}
	v := data(e.Input, o.rows)
	if _, err := l.Fit(ctx, env, v, view.View{}); err != nil && !errors.Is(err, context.Canceled) {
		return err
	}
	if o.weights == "" {
		return nil
	}
	return keep(o, v)
}

// keep writes the weights after one epoch, and their log-loss on those rows, for
// the other side to compare.
func keep(o options, v view.View) error {
	o.epochs = 1
	_, l, err := learner(o)
	if err != nil {
		return err
	}
	m, err := l.Fit(context.Background(), model.Env{Stream: rng.New(1), Workers: o.threads}, v, view.View{})
	if err != nil {
		return err
	}
	var p model.Prediction
	if err := m.Predict(context.Background(), v, &p); err != nil {
		return err
	}
	loss := 0.0
	for i, c := range v.Class {
		loss -= math.Log(p.Row(i)[model.ClassIndex(c)]) / float64(len(v.Class))
	}
	var b bytes.Buffer
	if err := m.Encode(&b); err != nil {
		return err
	}
	// The artifact is one safetensors file between a header and a SHA-256.
	const before, after = len("mlf.artifact\n") + 4 + len("network") + 12, 32
	if err := os.WriteFile(o.weights, b.Bytes()[before:b.Len()-after], 0o600); err != nil {
		return err
	}
	return print(map[string]float64{"loss": loss})
}

// infer predicts one window again and again for every line of the input.
func infer(o options) error {
	e, l, err := learner(o)
	if err != nil {
		return err
	}
	m, err := l.Fit(context.Background(), model.Env{Stream: rng.New(1), Workers: o.threads}, data(e.Input, batchRows), view.View{})
	if err != nil {
		return err
	}
	v := data(e.Input, 1)
	v.Class = nil
	var p model.Prediction
	const calls = 200
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		start := now()
		for range calls {
			if err := m.Predict(context.Background(), v, &p); err != nil {
				return err
			}
		}
		if err := print(start.since(calls)); err != nil {
			return err
		}
	}
	return nil
}

// fit is a whole fit.
func fit(o options) error {
	e, l, err := learner(o)
	if err != nil {
		return err
	}
	v := data(e.Input, o.rows)
	start := now()
	if _, err := l.Fit(context.Background(), model.Env{Stream: rng.New(1), Workers: o.threads}, v, view.View{}); err != nil {
		return err
	}
	b := start.since(1)
	mb, err := peakMemory()
	if err != nil {
		return err
	}
	return print(map[string]float64{"seconds": b.Wall / 1e3, "cpu_seconds": b.CPU / 1e3, "memory_mb": mb})
}

// peakMemory is the largest resident set of the process in MB.
func peakMemory() (float64, error) {
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0, err
	}
	for line := range strings.SplitSeq(string(text), "\n") {
		if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			var kb float64
			_, err := fmt.Sscan(rest, &kb)
			return kb / 1024, err
		}
	}
	return 0, errors.New("/proc/self/status has no VmHWM")
}
