// Command lightgbm trains this project's lightgbm on a case that lightgbm.py
// has written, for comparison with the library; see there.
//
//	lightgbm -dir DIR -workers 2
//
// DIR holds case.json, the training rows x.f32 (column after column), y.f64 and,
// if they have weights, w.f64, and the rows to predict t.f32. Written are the raw
// scores of these rows (raw.f64, row after row), the model in LightGBM's form
// (model.txt) and the seconds of training (out.json).
package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"time"

	"github.com/goccy/go-yaml"

	"github.com/mlfactory/mlfactory/model"
	"github.com/mlfactory/mlfactory/model/tree/core"
	"github.com/mlfactory/mlfactory/model/tree/ensemble"
	"github.com/mlfactory/mlfactory/model/tree/format"
	"github.com/mlfactory/mlfactory/model/tree/lightgbm"
	"github.com/mlfactory/mlfactory/rng"
	"github.com/mlfactory/mlfactory/view"
)

func main() {
	dir := flag.String("dir", "", "folder of the case")
	workers := flag.Int("workers", 1, "goroutines")
	runs := flag.Int("runs", 1, "trainings; the shortest counts")
	text := flag.Bool("text", true, "write model.txt")
	flag.Parse()
	if err := run(*dir, *workers, *runs, *text); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// task is case.json. Params are in the form of the learner's configuration.
type task struct {
	Rows, Test int
	Names      []string
	Weighted   bool
	Classes    int
	Seed       uint64
	Params     json.RawMessage
}

func run(dir string, workers, runs int, text bool) error {
	raw, err := os.ReadFile(filepath.Join(dir, "case.json"))
	if err != nil {
		return err
	}
	var c task
	if err := json.Unmarshal(raw, &c); err != nil {
		return err
	}
	cfg := lightgbm.Default()
	if err := yaml.UnmarshalWithOptions(c.Params, &cfg, yaml.Strict()); err != nil {
		return err
	}
	p := len(c.Names)
	train := core.Data{X: view.NewTable(c.Rows, c.Names), Y: make([]float64, c.Rows), Classes: c.Classes}
	test := view.NewTable(c.Test, c.Names)
	errs := []error{read(dir, "x.f32", train.X.Data), read(dir, "y.f64", train.Y), read(dir, "t.f32", test.Data)}
	if c.Weighted {
		train.Weight = make([]float64, c.Rows)
		errs = append(errs, read(dir, "w.f64", train.Weight))
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("%d×%d: %w", c.Rows, p, err)
	}
	best := math.Inf(1)
	var scores []float64
	var file bytes.Buffer
	for range runs {
		start := time.Now()
		e, err := lightgbm.Train(context.Background(), model.Env{Stream: rng.New(c.Seed), Workers: workers}, train, core.Data{}, cfg)
		if err != nil {
			return err
		}
		best = min(best, time.Since(start).Seconds())
		m, err := ensemble.NewModel(e)
		if err != nil {
			return err
		}
		if scores, err = m.Raw(context.Background(), test, scores); err != nil {
			return err
		}
		file.Reset()
		if text {
			if err := format.Export(&file, e, format.LightGBM); err != nil {
				return err
			}
		}
	}
	out, err := json.Marshal(map[string]float64{"seconds": best})
	if err != nil {
		return err
	}
	var b bytes.Buffer
	if err := binary.Write(&b, binary.LittleEndian, scores); err != nil {
		return err
	}
	return errors.Join(
		os.WriteFile(filepath.Join(dir, "raw.f64"), b.Bytes(), 0o600),
		os.WriteFile(filepath.Join(dir, "model.txt"), file.Bytes(), 0o600),
		os.WriteFile(filepath.Join(dir, "out.json"), out, 0o600))
}

// read fills dst from a file of little-endian numbers.
func read[T float32 | float64](dir, name string, dst []T) error {
	raw, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		return err
	}
	if n := binary.Size(dst); n != len(raw) {
		return fmt.Errorf("%s has %d bytes, want %d", name, len(raw), n)
	}
	_, err = binary.Decode(raw, binary.LittleEndian, dst)
	return err
}
