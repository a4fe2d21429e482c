package command_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mlfactory/mlfactory/bar"
	"github.com/mlfactory/mlfactory/bundle"
	"github.com/mlfactory/mlfactory/command"
	"github.com/mlfactory/mlfactory/label"
	"github.com/mlfactory/mlfactory/model/tree/ensemble"
	"github.com/mlfactory/mlfactory/trade"
)

// A model of a bundle is exported by its name, or without one if it is the only
// one.
func TestExportModelOfBundle(t *testing.T) {
	e := &ensemble.Ensemble{
		Style: "lightgbm", Objective: "multiclass", Link: ensemble.Softmax, Columns: []string{"a", "b"}, Classes: []int8{-1, 0, 1}, Base: []float64{0, 1, 0},
		Trees: []ensemble.Tree{{Width: 1, Class: 2, Nodes: []ensemble.Node{{Left: 1, Feature: 1, Threshold: 0.5}, {Value: 1}, {Value: -1}}}},
	}
	var body bytes.Buffer
	if err := e.Encode(&body); err != nil {
		t.Fatal(err)
	}
	b := &bundle.Bundle{Base: bar.Minute, Clock: 5 * bar.Minute, Events: label.DefaultEvents(), Label: label.Default(), Rule: trade.DefaultRule(), Calibrator: []byte{1},
		Models: []bundle.Model{{Name: "trees", Use: "lightgbm", Inputs: bundle.Inputs{Columns: e.Columns}, Body: body.Bytes()}}}
	dir := t.TempDir()
	one, two, out := filepath.Join(dir, "one"), filepath.Join(dir, "two"), filepath.Join(dir, "out")
	save := func(name string) {
		var d bytes.Buffer
		if err := b.Encode(&d); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, d.Bytes(), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	save(one)
	b.Models = append([]bundle.Model{{Name: "line", Use: "logistic", Inputs: bundle.Inputs{Columns: e.Columns}, Body: []byte{1}}}, b.Models...)
	b.Ensemble, b.Combiner = "voting", []byte{1}
	save(two)

	p := project(t)
	for _, c := range []struct{ file, name string }{{one, ""}, {one, "trees"}, {two, "trees"}} {
		m, err := p.ExportModel(t.Context(), c.file, c.name, "catboost-json", out)
		if err != nil {
			t.Fatal(c, err)
		}
		if m.Trees != 1 || m.Scores != 3 || len(m.Classes) != 3 || m.Classes[0] != -1 {
			t.Errorf("%+v", m)
		}
		back, err := p.ImportModel(out, filepath.Join(dir, "back"), command.ImportOptions{})
		if err != nil || back.Format != "catboost-json" || len(back.Classes) != 3 {
			t.Errorf("%+v, %v", back, err)
		}
	}
	for _, c := range []struct {
		file, name, want string
		kind             error
	}{
		{two, "", "holds the models line, trees", command.ErrUsage},
		{two, "tree", `has no model "tree"; it has line, trees`, command.ErrUsage},
		{two, "line", "two: ", command.ErrData},
	} {
		_, err := p.ExportModel(t.Context(), c.file, c.name, "onnx", out)
		if !errors.Is(err, c.kind) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s %s: %v, want %q", c.file, c.name, err, c.want)
		}
	}
}
