package audit

import (
	"bytes"
	"context"
	"fmt"
	"slices"

	"github.com/mlfactory/mlfactory/ensemble"
	"github.com/mlfactory/mlfactory/label"
	"github.com/mlfactory/mlfactory/split"
)

// stretch is the time on which a set of rows lives.
type stretch struct{ from, to int64 }

func stretchOf(s *label.Set, rows []int) stretch {
	z := stretch{s.Spans[rows[0]].Decision, s.Spans[rows[0]].Outcome}
	for _, i := range rows {
		z.from, z.to = min(z.from, s.Spans[i].Decision), max(z.to, s.Spans[i].Outcome)
	}
	return z
}

// meets reports whether a row shares an instant with the stretch, or is decided
// in the embargo after it.
func (z stretch) meets(s *label.Set, i int, embargo int64) bool {
	x := s.Spans[i]
	return x.Outcome >= z.from && x.Decision <= z.to+embargo
}

// folds proves from spans alone that no row of a fold learns from what it is
// tested on.
func (a *auditor) folds(context.Context) error {
	o := a.base.outcome()
	s, list := o.Labels, &culprits{}
	fs, err := a.base.res.Folds(a.base.store, o.Market)
	if err != nil {
		a.failed("folds", "folds.json", err)
		return nil
	}
	n := 0
	row := func(i int) string {
		return fmt.Sprintf("row %d, decided %s, outcome %s,", i, stamp(s.Spans[i].Decision), stamp(s.Spans[i].Outcome))
	}
	// apart checks that no row of rows meets the stretch of other.
	apart := func(name, what string, rows []int, other []int, otherName string, embargo int64) {
		if len(rows) == 0 || len(other) == 0 {
			return
		}
		z := stretchOf(s, other)
		bad := slices.DeleteFunc(slices.Clone(rows), func(i int) bool { return !z.meets(s, i, embargo) })
		n += len(rows)
		if len(bad) > 0 {
			list.add("folds", name, fmt.Sprintf("%s is among the %s rows although it meets the %s block from %s to %s, or its embargo (%d such rows)",
				row(bad[0]), what, otherName, stamp(z.from), stamp(z.to), len(bad)))
		}
	}
	sets := func(name string, f split.Fold, embargo int64) {
		for _, x := range []struct {
			name string
			rows []int
		}{{"training", f.Train}, {"stop", f.Stop}, {"calibration", f.Calib}} {
			apart(name, x.name, x.rows, f.Test, "test", embargo)
		}
		apart(name, "training", f.Train, f.Stop, "stop", 0)
		apart(name, "training", f.Train, f.Calib, "calibration", 0)
		apart(name, "stop", f.Stop, f.Calib, "calibration", 0)
	}
	for w := range fs.Steps {
		st := &fs.Steps[w]
		name := fmt.Sprintf("wf%d", w+1)
		sets(name, st.Fold, 0)
		start := s.Spans[st.Lo].Decision
		for _, part := range [][]int{st.Train, st.Stop, st.Calib} {
			for _, i := range part {
				n++
				if !s.Valid[i] || s.Spans[i].Outcome >= start {
					list.add("folds", name, fmt.Sprintf("%s was not known when the window began at %s, but is fitted on", row(i), stamp(start)))
				}
			}
		}
		for k, f := range st.Inner {
			sets(fmt.Sprintf("wf%d/inner%d", w+1, k+1), f, int64(a.rec.Split.KFold.Embargo))
			for _, part := range [][]int{f.Train, f.Stop, f.Calib, f.Test} {
				for _, i := range part {
					n++
					if _, ok := slices.BinarySearch(st.Train, i); !ok {
						list.add("folds", fmt.Sprintf("wf%d/inner%d", w+1, k+1), row(i)+" is no training row of its step")
					}
				}
			}
		}
	}
	for k, f := range fs.KFold {
		sets(fmt.Sprintf("kfold%d", k+1), f, int64(a.rec.Split.KFold.Embargo))
	}
	a.report.add("folds", n, list, a.opt)
	return nil
}

// provenance reads every fitted ensemble of the walk-forward and asks what it was
// fitted on.
func (a *auditor) provenance(context.Context) error {
	o, list, n := a.base.outcome(), &culprits{}, 0
	for _, e := range a.rec.Ensembles {
		entry, ok := a.f.Catalogue.Ensembles.Entry(e.Use)
		if !ok {
			list.add("provenance", e.Name, fmt.Sprintf("no ensemble is called %q", e.Use))
			continue
		}
		for _, st := range o.Steps {
			name := fmt.Sprintf("%s wf%d", e.Name, st.Step)
			b, err := a.base.res.Output(a.base.store, fmt.Sprintf("%s/combine/%s/wf%d", o.Market, e.Name, st.Step), "combiner")
			if err != nil {
				list.add("provenance", name, err.Error())
				continue
			}
			c, err := entry.Decode(bytes.NewReader(b))
			if err != nil {
				list.add("provenance", name, err.Error())
				continue
			}
			n++
			want := ensemble.Provenance{Use: ensemble.WalkForward, TestStart: st.TestFrom}
			if got := c.Provenance(); got != want {
				list.add("provenance", name, (&ensemble.ProvenanceError{Want: want, Got: got}).Error())
			}
		}
	}
	if len(a.rec.Ensembles) == 0 {
		n = 1 // nothing can be fitted on the wrong predictions
	}
	a.report.add("provenance", n, list, a.opt)
	return nil
}
