// Command shap_predict times prediction and SHAP values for comparison with
// XGBoost, LightGBM and CatBoost; see run.sh.
//
//	shap_predict -dir DIR -convert
//	shap_predict -dir DIR -runs 40 -out ours.json
//
// DIR holds xgboost.json, catboost.json and rows.f32, 256 rows of little-endian
// float32. -convert writes XGBoost's trees as lightgbm.txt, and the raw scores
// and contributions that the others are checked against. Otherwise the shortest
// times of a row are written for both models, in microseconds, one core: wall
// clock for predictions, processor time for contributions.
package main

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"flag"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"github.com/mlfactory/mlfactory/model/tree/ensemble"
	"github.com/mlfactory/mlfactory/model/tree/explain"
	"github.com/mlfactory/mlfactory/model/tree/format"
	"github.com/mlfactory/mlfactory/view"
)

func main() {
	dir := flag.String("dir", "out", "folder of models and rows")
	convert := flag.Bool("convert", false, "write the model for LightGBM and what the others are checked against")
	runs := flag.Int("runs", 40, "repetitions of every measurement")
	out := flag.String("out", "ours.json", "file of the times")
	flag.Parse()
	if err := run(*dir, *convert, *runs, *out); err != nil {
		fmt.Fprintln(os.Stderr, "shap_predict:", err)
		os.Exit(1)
	}
}

// Rows of the parts.
const (
	batch     = 64
	explained = 16
)

func run(dir string, convert bool, runs int, out string) error {
	times := map[string]map[string]float64{"row": {}, "batch": {}, "shap": {}}
	for _, l := range []struct {
		name   string
		format format.Format
	}{{"xgboost", format.XGBoostJSON}, {"catboost", format.CatBoostJSON}} {
		raw, err := os.ReadFile(filepath.Join(dir, l.name+".json")) // #nosec G304 -- the folder is the user's
		if err != nil {
			return err
		}
		imported, err := format.Import(raw, l.format, format.Options{})
		if err != nil {
			return err
		}
		m, err := ensemble.NewModel(imported.Ensemble)
		if err != nil {
			return err
		}
		rows, err := readRows(filepath.Join(dir, "rows.f32"), len(m.Ensemble().Columns))
		if err != nil {
			return err
		}
		x, err := explain.NewPath(m, explain.Cover)
		if err != nil {
			return err
		}
		switch {
		case !convert:
			err = measure(m, x, rows, runs, l.name, times)
		case l.name == "catboost":
			err = writeScores(filepath.Join(dir, "ours.catboost.json"), m, rows)
		default:
			err = write(dir, m, x, rows)
		}
		if err != nil {
			return err
		}
	}
	if convert {
		return nil
	}
	return writeJSON(out, times)
}

func writeJSON(path string, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return os.WriteFile(path, b, 0o644) // #nosec G306 -- for everyone
}

// writeScores writes the raw scores of a batch.
func writeScores(path string, m *ensemble.Model, rows [][]float32) error {
	raw, err := m.Raw(context.Background(), table(m.Ensemble(), rows[:batch]), nil)
	if err != nil {
		return err
	}
	return writeJSON(path, raw)
}

func readRows(path string, columns int) ([][]float32, error) {
	raw, err := os.ReadFile(path) // #nosec G304 -- the folder is the user's
	if err != nil {
		return nil, err
	}
	n := len(raw) / 4 / columns
	if n < batch || len(raw) != 4*n*columns {
		return nil, fmt.Errorf("%s: %d bytes are no rows of %d columns", path, len(raw), columns)
	}
	rows := make([][]float32, n)
	for i := range rows {
		rows[i] = make([]float32, columns)
		for j := range rows[i] {
			rows[i][j] = math.Float32frombits(binary.LittleEndian.Uint32(raw[4*(i*columns+j):]))
		}
	}
	return rows, nil
}

func table(e *ensemble.Ensemble, rows [][]float32) *view.Table {
	t := view.NewTable(len(rows), e.Columns)
	for i, x := range rows {
		for j, v := range x {
			t.Col(j)[i] = v
		}
	}
	return t
}

// write writes what the others need.
func write(dir string, m *ensemble.Model, x *explain.Explainer, rows [][]float32) error {
	ctx := context.Background()
	e := m.Ensemble()
	if err := writeScores(filepath.Join(dir, "ours.raw.json"), m, rows); err != nil {
		return err
	}
	c, err := x.Rows(ctx, table(e, rows[:explained]), 1)
	if err != nil {
		return err
	}
	if err := writeJSON(filepath.Join(dir, "ours.shap.json"), c.Values); err != nil {
		return err
	}
	// LightGBM weighs children by rows, which XGBoost does not write down.
	for i := range e.Trees {
		nodes := e.Trees[i].Nodes
		for j := len(nodes) - 1; j >= 0; j-- {
			nd := &nodes[j]
			if nd.Count = 1 + int32(10*nd.Cover); nd.Left != 0 {
				nd.Count = nodes[nd.Left].Count + nodes[nd.Left+1].Count
			}
		}
	}
	f, err := os.Create(filepath.Join(dir, "lightgbm.txt")) // #nosec G304 -- the folder is the user's
	if err != nil {
		return err
	}
	if err := format.Export(f, e, format.LightGBM); err != nil {
		return fmt.Errorf("%w (and %v)", err, f.Close())
	}
	return f.Close()
}

// shortest is the shortest time of a call, over runs of per calls, by the
// clock now.
func shortest(runs, per int, now func() time.Duration, f func(i int) error) (float64, error) {
	best := time.Duration(math.MaxInt64)
	for range runs {
		start := now()
		for i := range per {
			if err := f(i); err != nil {
				return 0, err
			}
		}
		best = min(best, now()-start)
	}
	return float64(best.Nanoseconds()) / 1e3 / float64(per), nil
}

// measure times one model.
func measure(m *ensemble.Model, x *explain.Explainer, rows [][]float32, runs int, name string, times map[string]map[string]float64) error {
	ctx := context.Background()
	begin := time.Now()
	wall := func() time.Duration { return time.Since(begin) }
	scores, dst := make([]float64, m.Scores()), make([]float64, batch*m.Scores())
	t64, t16 := table(m.Ensemble(), rows[:batch]), table(m.Ensemble(), rows[:explained])
	row, err := shortest(runs, 20, wall, func(i int) error { return m.RawRow(rows[i], scores) })
	if err != nil {
		return err
	}
	many, err := shortest(runs, 3, wall, func(int) error {
		_, err := m.Raw(ctx, t64, dst)
		return err
	})
	if err != nil {
		return err
	}
	shap, err := shortest(5, 1, processor, func(int) error {
		_, err := x.Rows(ctx, t16, 1)
		return err
	})
	if err != nil {
		return err
	}
	times["row"][name], times["batch"][name], times["shap"][name] = row, many/batch, shap/explained
	return nil
}

// processor is the processor time of the program.
func processor() time.Duration {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
