package modeltest

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/mlfactory/mlfactory/model"
	"github.com/mlfactory/mlfactory/rng"
	"github.com/mlfactory/mlfactory/view"
)

// This file holds the laws of learners that take windows.

// windows: only windows of the timeframe, the length and the number of the fit
// are predicted.
func (s *suite) windows() error {
	f, err := s.fit(s.toy(300, 1), s.toy(100, 2))
	if err != nil {
		return err
	}
	try := func(what string, change func(v *view.View)) error {
		v := inputs(s.toy(20, 3))
		change(&v)
		return refused("prediction "+what, f.Predict(background, v, &model.Prediction{}))
	}
	errs := []error{
		try("on longer windows", func(v *view.View) { v.Streams[0].Length++ }),
		try("on shorter windows", func(v *view.View) { v.Streams[0].Length-- }),
		try("on windows of another timeframe", func(v *view.View) { v.Streams[0].Timeframe = "1h" }),
		try("on a window that ends behind the last bar", func(v *view.View) { v.Streams[0].Last[7] = int32(v.Streams[0].Bars()) }),
		try("on a table", func(v *view.View) { *v = view.View{Table: maker{}.toy(20, 3).Table} }),
		try("on a stream too many", func(v *view.View) { v.Streams = append(v.Streams, v.Streams[0]) }),
		try("on a stream too few", func(v *view.View) { v.Streams = v.Streams[1:] }),
		try("on streams of different rows", func(v *view.View) {
			v.Streams = slices.Clone(v.Streams)
			v.Streams[len(v.Streams)-1] = v.Streams[len(v.Streams)-1].Select([]int{1})
			v.Rows = make([]int, 20)
		}),
	}
	if s.input == model.InputWindows {
		v := s.toy(300, 1)
		v.Streams = append(v.Streams, v.Streams[0])
		_, err := s.fit(v, view.View{})
		errs = append(errs, refused("a fit on two streams", err))
	}
	_, err = s.fit(maker{}.toy(300, 1), view.View{})
	return errors.Join(append(errs, refused("a fit on a table", err))...)
}

// missingBars: windows that begin with missing bars, or have none at all, are
// fitted and predicted, and what lies before another segment is never seen.
func (s *suite) missingBars() error {
	if !s.e.Abilities.Missing {
		return nil
	}
	cut := func(v view.View) view.View {
		for _, w := range v.Streams {
			for i := range w.Last {
				if i%3 == 0 {
					for k := range w.Length / 2 {
						w.Segment[i*w.Length+k] = -1
					}
				}
			}
			w.Last[1] = -1
		}
		return v
	}
	for k, train := range []view.View{s.toy(600, 1), cut(s.toy(600, 1))} {
		what := []string{"whole", "cut"}[k]
		f, err := s.fit(train, cut(s.toy(200, 2)))
		if err != nil {
			return fmt.Errorf("a fit on %s windows: %w", what, err)
		}
		test := cut(s.toy(60, 3))
		a, err := predict(f, test)
		if err != nil {
			return fmt.Errorf("windows with missing bars, after a fit on %s ones: %w", what, err)
		}
		for _, w := range test.Streams {
			for b, seg := range w.Segment {
				if seg < 0 {
					for j := range w.Width {
						w.Data[b*w.Width+j] = 1e6
					}
				}
			}
		}
		b, err := predict(f, test)
		if err != nil {
			return err
		}
		if err := sameBits("bars of another segment are seen", a, b); err != nil {
			return err
		}
	}
	return nil
}

// sharedBars: windows that overlap in one matrix, among channels that are not
// theirs, are predicted as their copies are.
func (s *suite) sharedBars() error {
	f, err := s.fit(s.toy(600, 1), s.toy(200, 2))
	if err != nil {
		return err
	}
	const n = 40
	r := rng.New(5).Stream("modeltest/shared").Rand()
	var shared, apart view.View
	for _, like := range s.toy(1, 3).Streams {
		c := len(like.Names)
		w := &view.Windows{Timeframe: like.Timeframe, Length: like.Length, Names: like.Names, Width: c + 2, Columns: make([]int32, c), Last: make([]int32, n)}
		for j := range w.Columns {
			w.Columns[j] = int32(c - j) // #nosec G115 -- channels are few
		}
		w.Data = make([]float32, (n+like.Length)*w.Width)
		for k := range w.Data {
			w.Data[k] = float32(r.NormFloat64())
		}
		for b := range n + like.Length {
			w.Data[b*w.Width], w.Data[(b+1)*w.Width-1] = float32(math.Inf(1)), float32(math.NaN()) // of others
		}
		for i := range w.Last {
			w.Last[i] = int32(like.Length + i) // #nosec G115 -- windows are few
		}
		own := view.NewWindows(n, like.Length, like.Names)
		own.Timeframe = like.Timeframe
		for i := range n {
			w.Copy(i, own.Data[i*like.Length*c:(i+1)*like.Length*c])
		}
		shared.Streams, apart.Streams = append(shared.Streams, w), append(apart.Streams, own)
	}
	a, err := predict(f, shared)
	if err != nil {
		return err
	}
	b, err := predict(f, apart)
	if err != nil {
		return err
	}
	return sameBits("windows that share bars and copies of them", a, b)
}

// static: a learner that claims Static finds a class that only the table beside
// the windows tells, and does without a table; another does not look at it.
func (s *suite) static() error {
	beside := func(n int, seed uint64) view.View {
		v, t := s.random(n, seed), (maker{}).toy(n, seed+100)
		v.Table, v.Class = t.Table, t.Class
		for j, name := range t.Table.Names {
			t.Table.Names[j] = "static_" + name
		}
		return v
	}
	return s.beside("table", s.e.Abilities.Static, beside, func(v *view.View) { v.Table = nil })
}

// known: the same of the known future, by [model.Abilities.Known].
func (s *suite) known() error {
	beside := func(n int, seed uint64) view.View {
		v, t := s.random(n, seed), maker{model.InputWindows, max(1, s.length/2)}.toy(n, seed+100)
		v.Known, v.Class = t.Streams[0], t.Class
		for j, name := range v.Known.Names {
			v.Known.Names[j] = "known_" + name
		}
		return v
	}
	return s.beside("known future", s.e.Abilities.Known, beside, func(v *view.View) { v.Known = nil })
}

func (s *suite) beside(what string, claimed bool, with func(n int, seed uint64) view.View, without func(v *view.View)) error {
	n := 300 // enough to see that a part is not used
	if claimed {
		n = 1500 // to learn from it
	}
	train, stop, test := with(n, 1), with(n/4, 2), with(1000, 3)
	bareTrain, bareStop := train, stop
	without(&bareTrain)
	without(&bareStop)
	f, a, err := s.fitBytes(train, stop)
	if err != nil {
		return fmt.Errorf("a fit with a %s: %w", what, err)
	}
	_, b, err := s.fitBytes(bareTrain, bareStop)
	if err != nil {
		return fmt.Errorf("a fit without a %s: %w", what, err)
	}
	if !claimed {
		if !bytes.Equal(a, b) {
			return fmt.Errorf("a %s changes the model, though the entry does not claim to use it", what)
		}
		return nil
	}
	p, err := predict(f, test)
	if err != nil {
		return err
	}
	loss, err := model.LogLoss(p, test.Class, nil)
	if err != nil {
		return err
	}
	if loss > s.o.SignalLoss+0.1 {
		return fmt.Errorf("log-loss %.4f where the %s tells the class, must be below %.4f", loss, what, s.o.SignalLoss+0.1)
	}
	bare := test
	without(&bare)
	return refused("prediction without the "+what+" that the fit had", f.Predict(background, inputs(bare), &model.Prediction{}))
}
