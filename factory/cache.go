package factory

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"sync"

	"github.com/mlfactory/mlfactory/bar"
	"github.com/mlfactory/mlfactory/feature"
	"github.com/mlfactory/mlfactory/frame"
	"github.com/mlfactory/mlfactory/label"
	"github.com/mlfactory/mlfactory/store"
	"github.com/mlfactory/mlfactory/view"
)

// cache keeps what several stages read decoded in memory, by digest. The
// feature table stays in its mapped file. It is safe for concurrent use; close
// it when no stage runs any more.
type cache struct {
	mu     sync.Mutex
	items  map[string]*item
	opened []*frame.Opened
}

type item struct {
	once  sync.Once
	value any
	err   error
}

func newCache() *cache { return &cache{items: map[string]*item{}} }

func (c *cache) close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	var first error
	for _, o := range c.opened {
		if err := o.Close(); err != nil && first == nil {
			first = err
		}
	}
	c.opened, c.items = nil, map[string]*item{}
	return first
}

func (c *cache) get(key string, fill func() (any, error)) (any, error) {
	c.mu.Lock()
	it, ok := c.items[key]
	if !ok {
		it = &item{}
		c.items[key] = it
	}
	c.mu.Unlock()
	it.once.Do(func() { it.value, it.err = fill() })
	return it.value, it.err
}

// open maps a frame; the mapping lives until close.
func (c *cache) open(o *store.Object) (*frame.Frame, error) {
	f, err := frame.OpenIPC(o.Path())
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	c.opened = append(c.opened, f)
	c.mu.Unlock()
	return f.Frame(), nil
}

func cached[T any](c *cache, o *store.Object, kind string, decode func() (T, error)) (T, error) {
	v, err := c.get(kind+" "+o.Digest, func() (any, error) { return decode() })
	if err != nil {
		var zero T
		return zero, err
	}
	return v.(T), nil
}

func (c *cache) bars(o *store.Object) (*bar.Series, error) {
	return cached(c, o, "bars", func() (*bar.Series, error) {
		f, err := c.open(o)
		if err != nil {
			return nil, err
		}
		return frameBars(f)
	})
}

func (c *cache) labels(o *store.Object) (*label.Set, error) {
	return cached(c, o, "labels", func() (*label.Set, error) {
		f, err := c.open(o)
		if err != nil {
			return nil, err
		}
		return label.FromFrame(f)
	})
}

func (c *cache) table(o *store.Object) (*view.Table, error) {
	return cached(c, o, "table", func() (*view.Table, error) {
		f, err := c.open(o)
		if err != nil {
			return nil, err
		}
		return frameTable(f)
	})
}

func (c *cache) probabilities(o *store.Object) (*probabilities, error) {
	return cached(c, o, "probabilities", func() (*probabilities, error) {
		f, err := c.open(o)
		if err != nil {
			return nil, err
		}
		return frameProbabilities(f)
	})
}

func (c *cache) folds(o *store.Object) (*folds, error) {
	return cached(c, o, "folds", func() (*folds, error) { return readJSON[*folds](o) })
}

func readJSON[T any](o *store.Object) (T, error) {
	var v T
	b, err := o.Bytes()
	if err != nil {
		return v, err
	}
	if err := json.Unmarshal(b, &v); err != nil {
		return v, fmt.Errorf("factory: stored %s: %w", o.Name, err)
	}
	return v, nil
}

// tableFrame is a table as one column of n·p values, column after column, so
// that the mapped file is the table.
func tableFrame(t *view.Table) (*frame.Frame, error) {
	names, err := json.Marshal(t.Names)
	if err != nil {
		return nil, err
	}
	return &frame.Frame{
		Meta:    map[string]string{metaKind: "table", "rows": strconv.Itoa(t.N), "names": string(names)},
		Columns: []frame.Column{frame.Float32("values", t.Data)},
	}, nil
}

func frameTable(f *frame.Frame) (*view.Table, error) {
	if err := wantKind(f, "table"); err != nil {
		return nil, err
	}
	t := &view.Table{}
	var err error
	if t.N, err = strconv.Atoi(f.Meta["rows"]); err != nil {
		return nil, fmt.Errorf("factory: stored table: %w", err)
	}
	if err := json.Unmarshal([]byte(f.Meta["names"]), &t.Names); err != nil {
		return nil, fmt.Errorf("factory: stored table: %w", err)
	}
	t.P = len(t.Names)
	c := &columns{f: f}
	t.Data = c.get("values", frame.KindFloat32).Float32
	if c.err == nil && len(t.Data) != t.N*t.P {
		return nil, fmt.Errorf("factory: stored table holds %d values, want %d×%d", len(t.Data), t.N, t.P)
	}
	return t, c.err
}

// matrixFrames are a feature matrix as an index with one row a bar and its
// values, row after row, so that windows can be read from the mapped file.
func matrixFrames(m *feature.Matrix) (index, values *frame.Frame, err error) {
	names, err := json.Marshal(m.Names)
	if err != nil {
		return nil, nil, err
	}
	meta := map[string]string{metaKind: "features", "timeframe": m.Timeframe.String(), "names": string(names)}
	index = &frame.Frame{Time: m.Known, Meta: meta, Columns: []frame.Column{
		frame.Time("end", m.End), frame.Int32("session", m.Session), frame.Int32("segment", m.Segment)}}
	values = &frame.Frame{Meta: map[string]string{metaKind: "feature values"}, Columns: []frame.Column{frame.Float32("values", m.Data)}}
	return index, values, nil
}

func frameMatrix(index, values *frame.Frame) (*feature.Matrix, error) {
	if err := wantKind(index, "features"); err != nil {
		return nil, err
	}
	if err := wantKind(values, "feature values"); err != nil {
		return nil, err
	}
	tf, err := bar.ParseTimeframe(index.Meta["timeframe"])
	if err != nil {
		return nil, err
	}
	m := &feature.Matrix{Timeframe: tf, Known: index.Time}
	if err := json.Unmarshal([]byte(index.Meta["names"]), &m.Names); err != nil {
		return nil, fmt.Errorf("factory: stored features: %w", err)
	}
	c, v := &columns{f: index}, &columns{f: values}
	m.End, m.Session, m.Segment = c.times("end"), c.int32s("session"), c.int32s("segment")
	m.Data = v.get("values", frame.KindFloat32).Float32
	if c.err != nil {
		return nil, c.err
	}
	if v.err == nil && len(m.Data) != len(m.Known)*len(m.Names) {
		return nil, fmt.Errorf("factory: stored features of %s hold %d values, want %d×%d", tf, len(m.Data), len(m.Known), len(m.Names))
	}
	return m, v.err
}

func marksFrame(marks []feature.Mark) *frame.Frame {
	t, seg := make([]int64, len(marks)), make([]int32, len(marks))
	for i, k := range marks {
		t[i], seg[i] = k.Known, k.Segment
	}
	return &frame.Frame{Time: t, Meta: map[string]string{metaKind: "marks"}, Columns: []frame.Column{frame.Int32("segment", seg)}}
}

// features reads a whole feature store from a stage's outputs.
func (c *cache) features(objects map[string]*store.Object) (*feature.Store, error) {
	marks, ok := objects["marks.arrow"]
	if !ok {
		return nil, fmt.Errorf("factory: the features stage has no marks")
	}
	return cached(c, marks, "features", func() (*feature.Store, error) {
		f, err := c.open(marks)
		if err != nil {
			return nil, err
		}
		cols := &columns{f: f}
		st := &feature.Store{}
		for i, s := range cols.int32s("segment") {
			st.Marks = append(st.Marks, feature.Mark{Known: f.Time[i], Segment: s})
		}
		if cols.err != nil {
			return nil, cols.err
		}
		for k := 0; ; k++ {
			io, ok := objects[fmt.Sprintf("m%d.index.arrow", k)]
			if !ok {
				return st, nil
			}
			vo, ok := objects[fmt.Sprintf("m%d.values.arrow", k)]
			if !ok {
				return nil, fmt.Errorf("factory: %s has no values", strings.TrimSuffix(io.Name, ".arrow"))
			}
			fi, err := c.open(io)
			if err != nil {
				return nil, err
			}
			fv, err := c.open(vo)
			if err != nil {
				return nil, err
			}
			m, err := frameMatrix(fi, fv)
			if err != nil {
				return nil, err
			}
			st.Matrices = append(st.Matrices, m)
		}
	})
}
