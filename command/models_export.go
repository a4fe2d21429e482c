package command

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/mlfactory/mlfactory/bundle"
	"github.com/mlfactory/mlfactory/model/nn"
	"github.com/mlfactory/mlfactory/model/tree/ensemble"
	"github.com/mlfactory/mlfactory/model/tree/format"
	"github.com/mlfactory/mlfactory/param"
	"github.com/mlfactory/mlfactory/store"
)

// maxModelFile bounds the model files that are read.
const maxModelFile = 2 << 30

// TreeModel is what an ensemble of trees is.
type TreeModel struct {
	Style       string   `json:"style"`
	Objective   string   `json:"objective"`
	Trees       int      `json:"trees"`
	Nodes       int      `json:"nodes"`
	Scores      int      `json:"scores"`  // raw scores of a row
	Classes     []int    `json:"classes"` // what the probabilities stand for; empty if the file does not say
	Columns     []string `json:"columns"`
	Categorical []string `json:"categorical"` // the columns that hold categories
}

func describe(e *ensemble.Ensemble) *TreeModel {
	m := &TreeModel{Style: e.Style, Objective: e.Objective, Trees: len(e.Trees), Scores: e.Scores(), Classes: []int{}, Columns: e.Columns, Categorical: []string{}}
	for i := range e.Trees {
		m.Nodes += len(e.Trees[i].Nodes)
	}
	for _, c := range e.Classes {
		m.Classes = append(m.Classes, int(c))
	}
	for _, j := range e.Categorical {
		m.Categorical = append(m.Categorical, e.Columns[j])
	}
	return m
}

// NetworkModel is what a neural network is.
type NetworkModel struct {
	Architecture string         `json:"architecture"`
	Seeds        int            `json:"seeds"`
	Parameters   int            `json:"parameters"` // of one seed
	Inputs       []NetworkInput `json:"inputs"`
}

// NetworkInput is one part of a network's input.
type NetworkInput struct {
	Name      string   `json:"name"`
	Timeframe string   `json:"timeframe,omitempty"` // of windows
	Length    int      `json:"length,omitempty"`    // bars of a window
	Columns   []string `json:"columns"`
}

// ModelFile is a model file that was written.
type ModelFile struct {
	From          string   `json:"from"`
	Format        string   `json:"format"`
	File          string   `json:"file"`
	*TreeModel             // of trees
	*NetworkModel          // of a network
	Version       string   `json:"version,omitempty"` // of the library or format that was read
	Notes         []string `json:"notes,omitempty"`
}

// ModelFormats are the names of the formats that can be written (or read).
func ModelFormats(read bool) []string {
	var out []string
	for _, f := range format.Formats() {
		if f != format.ONNX || !read {
			out = append(out, string(f))
		}
	}
	if !read {
		out = append(out, formatSafetensors)
	}
	return out
}

// formatSafetensors holds the weights of a network.
const formatSafetensors = "safetensors"

// exportable is a model that others can read: trees or a network.
type exportable struct {
	trees   *ensemble.Ensemble
	network nn.Network
}

// export writes a model in a format and describes it.
func (x exportable) export(to, out string) (*ModelFile, error) {
	m := &ModelFile{Format: to, File: out}
	var write func(w io.Writer) error
	switch {
	case x.trees != nil && to == formatSafetensors:
		return nil, Usage("--to %s holds the weights of networks; this model is made of trees", to)
	case x.trees != nil:
		f := format.Format(to)
		m.TreeModel, m.Notes = describe(x.trees), format.Caveats(x.trees, f)
		write = func(w io.Writer) error { return format.Export(w, x.trees, f) }
	case to != string(format.ONNX) && to != formatSafetensors:
		return nil, Usage("--to %s holds trees; this model is a network, which can be written as %s or %s", to, format.ONNX, formatSafetensors)
	default:
		i := x.network.Describe()
		m.NetworkModel = &NetworkModel{Architecture: i.Name, Seeds: i.Seeds, Parameters: i.Parameters}
		for _, in := range i.Inputs {
			m.Inputs = append(m.Inputs, NetworkInput{in.Name, in.Timeframe, in.Length, in.Columns})
		}
		encode := x.network.ExportONNX
		if to == formatSafetensors {
			encode = x.network.ExportSafetensors
		}
		b, err := encode()
		if err != nil {
			return nil, mark(ErrData, err)
		}
		write = func(w io.Writer) error {
			_, err := w.Write(b)
			return err
		}
	}
	return m, mark(ErrData, writeFile(out, write))
}

// modelFormat finds a format by its name.
func modelFormat(flag, name string, read bool) (format.Format, error) {
	known := ModelFormats(read)
	if slices.Contains(known, name) {
		return format.Format(name), nil
	}
	if near, ok := param.Nearest(name, known); ok {
		return "", Usage("%s: no format is called %q; did you mean %q?", flag, name, near)
	}
	return "", Usage("%s: no format is called %q; there are %s", flag, name, strings.Join(known, ", "))
}

// ExportModel writes a model in the format of another library. from is a model
// file, a bundle, or RUN:MODEL for a model of the store: the beginning of a
// run's id and the name of the model, which stands for its last walk-forward
// step, or the name of the stage that fitted it. name chooses a model of a
// bundle.
func (p *Project) ExportModel(ctx context.Context, from, name, to, out string) (*ModelFile, error) {
	if _, err := modelFormat("--to", to, false); err != nil {
		return nil, err
	}
	x, err := p.findModel(ctx, from, name)
	if err != nil {
		return nil, err
	}
	m, err := x.export(to, out)
	if err != nil {
		return nil, err
	}
	m.From = from
	return m, nil
}

// findModel reads a file or a model of the store.
func (p *Project) findModel(ctx context.Context, from, name string) (x exportable, err error) {
	_, err = os.Stat(from)
	if run, stage, ok := strings.Cut(from, ":"); ok && errors.Is(err, fs.ErrNotExist) && run != "" {
		if name != "" {
			return x, Usage("--model chooses a model of a bundle; a model of a run is named as %s:MODEL", run)
		}
		return p.storedModel(ctx, run, stage)
	}
	b, err := readModelFile(from)
	if err != nil {
		return x, err
	}
	switch kind := artifactKind(b); kind {
	case "tree ensemble":
		if name != "" {
			return x, Usage("--model chooses a model of a bundle; %s holds one model", from)
		}
		x.trees, err = ensemble.Decode(bytes.NewReader(b))
		return x, mark(ErrData, wrapFile(from, err))
	case "bundle":
		held, err := bundle.Decode(bytes.NewReader(b))
		if err != nil {
			return x, mark(ErrData, wrapFile(from, err))
		}
		x, err = p.bundledModel(held, name)
		return x, wrapFile(from, err)
	case "":
		if f, ok := format.Detect(b); ok {
			return x, mark(ErrData, fmt.Errorf("%s is a model of %s; mlfactory models import makes a model file of it, which can be exported", from, f))
		}
		return x, mark(ErrData, fmt.Errorf("%s is no model file and no bundle", from))
	default:
		return x, mark(ErrData, fmt.Errorf("%s holds a %q, which is no ensemble of trees", from, kind))
	}
}

func wrapFile(name string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", name, err)
}

func readModelFile(name string) ([]byte, error) {
	st, err := os.Stat(name)
	var b []byte
	switch {
	case err == nil && st.IsDir():
		err = fmt.Errorf("%s is a folder, not a model file", name)
	case err == nil && st.Size() > maxModelFile:
		err = fmt.Errorf("%s has %d bytes, a model file may have %d", name, st.Size(), maxModelFile)
	case err == nil:
		b, err = os.ReadFile(name)
	}
	var pe *fs.PathError
	if errors.As(err, &pe) {
		err = fmt.Errorf("%s: %w", pe.Path, pe.Err)
	}
	return b, mark(ErrData, err)
}

// artifactKind is what model.WriteArtifact was told that the bytes are, "" if
// it did not write them.
func artifactKind(b []byte) string {
	rest, ok := bytes.CutPrefix(b, []byte("mlf.artifact\n"))
	if !ok || len(rest) < 4 {
		return ""
	}
	n := int(binary.LittleEndian.Uint32(rest))
	if n > 100 || n > len(rest)-4 {
		return ""
	}
	return string(rest[4 : 4+n])
}

// decode reads a fitted model of a learner that others can read.
func (p *Project) decode(use string, body []byte) (x exportable, err error) {
	entry, ok := p.Factory.Catalogue.Models.Entry(use)
	if !ok {
		return x, mark(ErrData, fmt.Errorf("the learner %q is unknown", use))
	}
	fit, err := entry.Decode(bytes.NewReader(body))
	if err != nil {
		return x, mark(ErrData, err)
	}
	switch m := fit.(type) {
	case interface{ Ensemble() *ensemble.Ensemble }:
		x.trees = m.Ensemble()
		return x, nil
	case nn.Network:
		x.network = m
		return x, nil
	}
	return x, mark(ErrData, fmt.Errorf("a model of %q is neither an ensemble of trees nor a network, and no other library reads it", use))
}

func (p *Project) bundledModel(b *bundle.Bundle, name string) (x exportable, err error) {
	var names []string
	for _, m := range b.Models {
		names = append(names, m.Name)
	}
	if name == "" {
		if len(names) != 1 {
			return x, Usage("the bundle holds the models %s: say which with --model", strings.Join(names, ", "))
		}
		name = names[0]
	}
	i := slices.Index(names, name)
	if i < 0 {
		return x, Usage("the bundle has no model %q; it has %s", name, strings.Join(names, ", "))
	}
	return p.decode(b.Models[i].Use, b.Models[i].Body)
}

// storedModel reads a model that a run fitted.
func (p *Project) storedModel(ctx context.Context, run, name string) (x exportable, err error) {
	err = p.with(func(s *store.Store) error {
		r, err := s.Run(ctx, run)
		if err != nil {
			return err
		}
		use, err := fitStage(r, name)
		if err != nil {
			return err
		}
		outs, err := s.Outputs(ctx, use.Key)
		if err != nil {
			return err
		}
		read := func(name string) ([]byte, error) {
			i := slices.IndexFunc(outs, func(o store.Output) bool { return o.Name == name })
			if i < 0 {
				return nil, Usage("the stage %s fitted no model", use.Name)
			}
			o, err := s.Object(outs[i])
			if err != nil {
				return nil, err
			}
			return o.Bytes()
		}
		body, err := read("model")
		if err != nil {
			return err
		}
		fit, err := read("fit")
		if err != nil {
			return err
		}
		var head struct {
			Use string `json:"use"`
		}
		if err := json.Unmarshal(fit, &head); err != nil {
			return fmt.Errorf("stage %s: %w", use.Name, err)
		}
		x, err = p.decode(head.Use, body)
		return err
	})
	return x, err
}

// fitStage finds the stage of the last attempt at a run that has this name, or
// that fitted the model of this name for the last walk-forward step.
func fitStage(r store.Run, name string) (store.Use, error) {
	var fits []string
	var best store.Use
	var markets []string
	step := 0
	final := regexp.MustCompile(`^(.*)/fit/(.*)/wf(\d+)/final$`)
	for _, u := range r.Last().Stages {
		if u.Name == name {
			return u, nil
		}
		if strings.Contains(u.Name, "/fit/") {
			fits = append(fits, u.Name)
		}
		m := final.FindStringSubmatch(u.Name)
		if m == nil || m[2] != name {
			continue
		}
		if !slices.Contains(markets, m[1]) {
			markets = append(markets, m[1])
		}
		if n, err := strconv.Atoi(m[3]); err == nil && n > step {
			best, step = u, n
		}
	}
	switch {
	case len(markets) == 1:
		return best, nil
	case len(markets) > 1:
		return best, Usage("run %.12s fitted %s on the markets %s: name the stage, as in %.12s:%s", r.ID, name, strings.Join(markets, ", "), r.ID, best.Name)
	case len(fits) == 0:
		return best, Usage("run %.12s fitted no model", r.ID)
	}
	return best, Usage("run %.12s fitted no model %q; it has the stages %s", r.ID, name, strings.Join(fits, ", "))
}

// ImportOptions say what a model file of another library does not.
type ImportOptions struct {
	From       string // format; "" to find out
	Columns    []string
	Classes    []int
	Categories string // JSON file: texts of the categories by column
	Best       bool   // up to the best iteration
}

// ImportModel reads a model of another library and writes a model file.
func (p *Project) ImportModel(from, out string, o ImportOptions) (*ModelFile, error) {
	var f format.Format
	var err error
	if o.From != "" {
		if f, err = modelFormat("--from", o.From, true); err != nil {
			return nil, err
		}
	}
	opt := format.Options{Best: o.Best, Columns: o.Columns}
	for _, c := range o.Classes {
		if c < -1 || c > 1 {
			return nil, Usage("--classes: %d is no class; they are -1, 0 and 1", c)
		}
		opt.Classes = append(opt.Classes, int8(c))
	}
	if o.Categories != "" {
		b, err := os.ReadFile(o.Categories)
		if err != nil {
			return nil, mark(ErrUsage, fmt.Errorf("--categories: %w", err))
		}
		if err := json.Unmarshal(b, &opt.Categories); err != nil {
			return nil, Usage(`--categories: %s: %w; want {"column": ["text of category 0", …]}`, o.Categories, err)
		}
	}
	b, err := readModelFile(from)
	if err != nil {
		return nil, err
	}
	if f == "" {
		var ok bool
		if f, ok = format.Detect(b); !ok {
			return nil, mark(ErrData, fmt.Errorf("%s is in none of the formats %s; if it is, say which with --from", from, strings.Join(ModelFormats(true), ", ")))
		}
	}
	m, err := format.Import(b, f, opt)
	if err != nil {
		return nil, mark(ErrData, wrapFile(from, err))
	}
	if err := writeFile(out, m.Encode); err != nil {
		return nil, err
	}
	return &ModelFile{From: from, Format: string(f), File: out, TreeModel: describe(m.Ensemble), Version: m.Version, Notes: m.Notes}, nil
}
