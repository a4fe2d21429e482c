package report

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"slices"
	"strings"

	"github.com/mlfactory/mlfactory/factory"
	"github.com/mlfactory/mlfactory/frame"
	"github.com/mlfactory/mlfactory/store"
)

// Files is the run folder, for [store.WriteRunFolder]: everything but
// timing.json and logs. recipe is the resolved recipe as it is to be stored.
//
// The last file is summary.json, which names the others with their digests. The
// digests are taken while the files are written, so nothing is made twice if
// all are written in order; written alone, summary.json makes the others to
// learn their digests. Outcomes must stay open until all is written, and the
// files are not to be written concurrently.
func Files(outcomes []*factory.Outcome, recipe []byte) []store.File {
	m := &manifest{}
	m.add("recipe.yaml", func(w io.Writer) error {
		_, err := w.Write(recipe)
		return err
	})
	m.add("report.html", func(w io.Writer) error { return HTML(w, outcomes, recipe) })
	for _, o := range outcomes {
		m.market(o)
	}
	slices.SortFunc(m.files, func(a, b *entry) int { return strings.Compare(a.name, b.name) })
	var out []store.File
	for _, e := range m.files {
		out = append(out, store.File{Name: e.name, Write: e.write})
	}
	return append(out, store.File{Name: "summary.json", Write: func(w io.Writer) error {
		s := Summarize(outcomes)
		for _, e := range m.files {
			if e.sha256 == "" {
				if err := e.write(io.Discard); err != nil {
					return fmt.Errorf("%s: %w", e.name, err)
				}
			}
			s.Files = append(s.Files, FileInfo{Name: e.name, Bytes: e.bytes, SHA256: e.sha256})
		}
		b, err := s.Marshal()
		if err == nil {
			_, err = w.Write(b)
		}
		return err
	}})
}

type manifest struct{ files []*entry }

// entry is a file that remembers the digest of what was last written.
type entry struct {
	name   string
	make   func(io.Writer) error
	bytes  int64
	sha256 string
}

func (m *manifest) add(name string, write func(io.Writer) error) {
	m.files = append(m.files, &entry{name: name, make: write})
}

func (e *entry) write(w io.Writer) error {
	t := &tee{w: w, hash: sha256.New()}
	if err := e.make(t); err != nil {
		return err
	}
	e.bytes, e.sha256 = t.n, hex.EncodeToString(t.hash.Sum(nil))
	return nil
}

type tee struct {
	w    io.Writer
	hash hash.Hash
	n    int64
}

func (t *tee) Write(p []byte) (int, error) {
	n, err := t.w.Write(p)
	t.hash.Write(p[:n]) // never fails
	t.n += int64(n)
	return n, err
}

// market adds the files of one market.
func (m *manifest) market(o *factory.Outcome) {
	dir := o.Market + "/"
	json := func(name string, v any) {
		m.add(dir+name, func(w io.Writer) error {
			b, err := marshal(v)
			if err == nil {
				_, err = w.Write(b)
			}
			return err
		})
	}
	parquet := func(name string, make func() (*frame.Frame, error)) {
		m.add(dir+name, func(w io.Writer) error {
			f, err := make()
			if err != nil {
				return err
			}
			return f.WriteParquet(w)
		})
	}
	json("data_report.json", o.Data)
	if o.Labels != nil {
		parquet("labels.parquet", func() (*frame.Frame, error) { return labelFrame(o.Labels), nil })
		parquet("unlabelled.parquet", func() (*frame.Frame, error) { return unlabelledFrame(o.Labels), nil })
	}
	if o.Table != nil {
		parquet("features.parquet", func() (*frame.Frame, error) { return featureFrame(o.Decisions, o.Table) })
	}
	if candidate(o) == nil {
		return
	}
	json("ledger.json", ledgerOf(o))
	m.add(dir+"predictions.parquet", func(w io.Writer) error { return writePredictions(w, o) })
	parquet("trades.parquet", func() (*frame.Frame, error) { return tradeFrame(o), nil })
	parquet("daily.parquet", func() (*frame.Frame, error) { return dailyFrame(o), nil })
}

// ledgerFile is ledger.json.
type ledgerFile struct {
	Schema string        `json:"schema"`
	Digest string        `json:"digest"`
	Trials []ledgerTrial `json:"trials"`
}

type ledgerTrial struct {
	Key        string `json:"key"`
	Name       string `json:"name"`
	Instrument string `json:"instrument"`
	From       string `json:"from"`
	To         string `json:"to"`
	Days       int    `json:"days"`
	Here       bool   `json:"this_run"` // it is a strategy of this run
}

func ledgerOf(o *factory.Outcome) ledgerFile {
	f := ledgerFile{Schema: "mlfactory.ledger/1", Digest: o.Ledger.Digest, Trials: []ledgerTrial{}}
	for _, t := range o.Ledger.Trials {
		here := slices.ContainsFunc(o.Strategy, func(s factory.Strategy) bool { return s.Key == t.Key })
		f.Trials = append(f.Trials, ledgerTrial{Key: t.Key, Name: t.Name, Instrument: t.Instrument, From: stamp(t.From), To: stamp(t.To), Days: len(t.Days), Here: here})
	}
	return f
}
