// Package format reads and writes the model files of other libraries: XGBoost
// (JSON and UBJSON), LightGBM (text) and CatBoost (JSON); and it writes ONNX.
// [Import] makes an [ensemble.Ensemble] of a file, [Export] a file of an
// ensemble, whoever grew it. They are pure functions of bytes: no file, no
// clock, no network, and the same ensemble gives the same bytes.
//
// # Conventions
//
// An imported ensemble gives the scores of its library: XGBoost's in float32,
// tree by tree, the others' in float64. What a format says in another way is
// brought into the one form of package ensemble: x ≤ t becomes x < the next
// float32; an initial score that is a probability becomes a margin; weights of
// dropped trees, a scale of all leaves, LightGBM's sigmoid parameter and means
// over trees are multiplied into the leaf values; CatBoost's target statistics
// become sets of categories. Nodes come in breadth-first order. So a file that
// is read, written and read again gives the same ensemble, though not the same
// bytes as the library's.
//
// Inputs are float32. A threshold between two float32 values is written as the
// lower one, so that a library that is given float64 inputs may send those
// between the two another way than it did before.
//
// Categories are whole numbers. XGBoost and LightGBM count them so already;
// CatBoost hashes texts: the number in decimal, "nan" for a missing category,
// or for reading the texts that [Options] gives.
//
// A file names its objective; one of another style is written with the
// objective that has the same link: squared error, logistic, softmax. Shares of
// classes are written as as many numbers. Where a format has fewer ways to
// treat missing values or zeros, a tree is written with more nodes; trees that
// would grow too much are refused. CatBoost's files cannot tell a missing value
// from the lowest float32 where the nodes of a column differ in the side of
// missing values.
//
// # Refusals
//
// What cannot be said exactly is refused, never approximated: linear leaves and
// linear boosters, links that package ensemble does not have (exponential,
// square), and of CatBoost combinations of categories, texts and embeddings on
// the way in; on the way out what the target has no word for, with the tree,
// the node and the reason. Damaged files are errors that name the place in the
// document; sizes are bounded by the bytes that are there.
package format

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/mlfactory/mlfactory/model/tree/ensemble"
)

// Format names a kind of file.
type Format string

// Formats.
const (
	XGBoostJSON  Format = "xgboost-json"
	XGBoostUBJ   Format = "xgboost-ubj"
	LightGBM     Format = "lightgbm"
	CatBoostJSON Format = "catboost-json"
	ONNX         Format = "onnx" // written only
)

// Formats lists the formats that can be written. All but the last can be read.
func Formats() []Format { return []Format{XGBoostJSON, XGBoostUBJ, LightGBM, CatBoostJSON, ONNX} }

// Options of [Import].
type Options struct {
	// Best keeps the trees up to the iteration that early stopping found best,
	// as XGBoost's scikit-learn interface predicts. Without it all trees
	// count, as in XGBoost's own Booster. The files of the other libraries
	// hold the trees that predict.
	Best bool
	// Columns names the columns, where the file does not or others are wanted.
	Columns []string
	// Classes are the class codes of the probabilities. Without them a file
	// says nothing about codes, unless this package wrote it.
	Classes []int8
	// Categories are the texts of the categories of a column of CatBoost's, by
	// name; category c is Categories[name][c]. Without them category c is the
	// text of the number c.
	Categories map[string][]string
}

// Model is what a file holds.
type Model struct {
	*ensemble.Ensemble
	Format  Format
	Version string   // of the library or the format, as the file says; may be ""
	Notes   []string // what a reader of the file should know
}

func (m *Model) note(format string, a ...any) { m.Notes = append(m.Notes, fmt.Sprintf(format, a...)) }

// Detect tells the format of a file by its first bytes and names; it looks at
// no more than it must and does not check the file.
func Detect(data []byte) (Format, bool) {
	head := bytes.TrimLeft(data[:min(len(data), 64)], " \t\r\n")
	switch {
	case bytes.HasPrefix(head, []byte("tree\n")), bytes.HasPrefix(head, []byte("tree\r\n")):
		return LightGBM, true
	case len(head) > 2 && head[0] == '{' && bytes.IndexByte([]byte("LliIU#$"), head[1]) >= 0:
		return XGBoostUBJ, true
	case len(head) > 0 && head[0] == '{' && bytes.Contains(data, []byte(`"gradient_booster"`)):
		return XGBoostJSON, true
	case len(head) > 0 && head[0] == '{' && (bytes.Contains(data, []byte(`"oblivious_trees"`)) || bytes.Contains(data, []byte(`"features_info"`))):
		return CatBoostJSON, true
	}
	return "", false
}

// Import reads a model file. The result has passed [ensemble.Ensemble.Check].
func Import(data []byte, f Format, o Options) (*Model, error) {
	m := &Model{Ensemble: &ensemble.Ensemble{Extra: map[string]float64{}}, Format: f}
	var err error
	switch f {
	case XGBoostJSON, XGBoostUBJ:
		parse := parseJSON
		if f == XGBoostUBJ {
			parse = parseUBJ
		}
		var doc value
		if doc, err = parse(data); err == nil {
			err = importXGBoost(&doc, o, m)
		}
	case LightGBM:
		err = importLightGBM(data, m)
	case CatBoostJSON:
		var doc value
		if doc, err = parseJSON(data); err == nil {
			err = importCatBoost(&doc, o, m)
		}
	default:
		return nil, fmt.Errorf("format: %q is no format that can be read; there are %s", f, strings.Join(names(Formats()[:4]), ", "))
	}
	if err == nil {
		err = o.apply(m)
	}
	if err == nil {
		err = m.Check()
	}
	if err != nil {
		return nil, fmt.Errorf("format: reading %s: %w", f, err)
	}
	return m, nil
}

func names(fs []Format) []string {
	var out []string
	for _, f := range fs {
		out = append(out, string(f))
	}
	return out
}

// apply sets what the caller knows better than the file.
func (o *Options) apply(m *Model) error {
	if len(m.Extra) == 0 {
		m.Extra = nil
	}
	if o.Columns != nil {
		if len(o.Columns) != len(m.Columns) {
			return fmt.Errorf("%d column names are given, the file has %d columns", len(o.Columns), len(m.Columns))
		}
		m.Columns = slices.Clone(o.Columns)
	}
	if i, j, twice := repeated(m.Columns); twice {
		return fmt.Errorf("columns %d and %d are both called %q; give the columns names of their own", i, j, m.Columns[i])
	}
	if o.Classes != nil {
		k := len(m.Base)
		if m.Link == ensemble.Logistic {
			k = 2
		}
		if m.Link == ensemble.Identity || len(o.Classes) != k {
			return fmt.Errorf("%d class codes are given for a %s model of %d classes", len(o.Classes), m.Objective, k)
		}
		m.Classes = slices.Clone(o.Classes)
	}
	return nil
}

func repeated(names []string) (int, int, bool) {
	at := make(map[string]int, len(names))
	for j, n := range names {
		if i, ok := at[n]; ok {
			return i, j, true
		}
		at[n] = j
	}
	return 0, 0, false
}

// Export writes an ensemble in a format. It refuses what the format cannot say.
func Export(w io.Writer, e *ensemble.Ensemble, f Format) error {
	if err := e.Check(); err != nil {
		return fmt.Errorf("format: writing %s: %w", f, err)
	}
	var d []byte
	var err error
	switch f {
	case XGBoostJSON, XGBoostUBJ:
		var doc fields
		if doc, err = exportXGBoost(e); err == nil {
			if f == XGBoostUBJ {
				d = appendUBJ(nil, doc)
			} else {
				d = append(appendJSON(nil, doc), '\n')
			}
		}
	case LightGBM:
		d, err = exportLightGBM(e)
	case CatBoostJSON:
		var doc fields
		if doc, err = exportCatBoost(e); err == nil {
			d = append(appendJSON(nil, doc), '\n')
		}
	case ONNX:
		d, err = exportONNX(e)
	default:
		err = fmt.Errorf("no such format; there are %s", strings.Join(names(Formats()), ", "))
	}
	if err == nil {
		_, err = w.Write(d)
	}
	if err != nil {
		return fmt.Errorf("format: writing %s: %w", f, err)
	}
	return nil
}

// Caveats tells what readers of an exported file should know, nothing for most
// files.
func Caveats(e *ensemble.Ensemble, f Format) (out []string) {
	xgb := f == XGBoostJSON || f == XGBoostUBJ
	if xgb && e.Style == "xgboost" && unequal(e) {
		out = append(out, "its scores begin with different base scores, which XGBoost before 3.1 misreads without saying so")
	}
	if xgb && slices.ContainsFunc(e.Trees, func(t ensemble.Tree) bool { return t.Width > 1 }) {
		out = append(out, "its leaves are vectors, which XGBoost before 2.0 refuses")
	}
	if e.Link == ensemble.Shares && f != ONNX {
		out = append(out, "the shares of its classes are written as numbers: the library predicts them as they are, as of a regression")
	}
	if e.Single && (f == LightGBM || f == CatBoostJSON) {
		out = append(out, "its scores are sums in float32, the library sums in float64: predictions differ in the seventh digit")
	}
	if !e.Single && (xgb || f == ONNX) {
		out = append(out, "its scores are sums in float64, the library sums in float32: predictions differ in the seventh digit")
	}
	return out
}
