package modeltest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"sync"

	"github.com/mlfactory/mlfactory/model"
	"github.com/mlfactory/mlfactory/rng"
	"github.com/mlfactory/mlfactory/view"
)

func (s *suite) columns() error {
	train, f := s.toy(300, 1), s.once(300)
	if f.err != nil {
		return f.err
	}
	base := inputs(s.toy(20, 3))
	out := &model.Prediction{}
	try := func(what string, v view.View, column string) error {
		return names("prediction with "+what, f.Predict(background, v, out), column)
	}
	extra := s.rename(s.choose(base, []int{0, 1, 2, 3, 4, 4}), 5, "extra_column")
	doubled := s.choose(train, []int{0, 1, 2, 3, 1})
	if s.input == model.InputStreams {
		doubled = s.choose(train, []int{0, 1, 2, 3, 4, 1})
	}
	_, fitErr := s.fit(doubled, view.View{})
	return errors.Join(
		try("the third column missing", s.choose(base, []int{0, 1, 3, 4}), columnNames[2]),
		try("a column renamed", s.rename(base, 2, "range_20m"), columnNames[2]),
		try("an extra column", extra, "extra_column"),
		try("a column twice", s.choose(base, []int{0, 1, 2, 3, 4, 1}), columnNames[1]),
		try("two columns swapped", s.choose(base, []int{1, 0, 2, 3, 4}), columnNames[1]),
		refused("prediction without inputs", f.Predict(background, view.View{}, out)),
		names("a fit on two columns of one name", fitErr, columnNames[1]),
	)
}

func (s *suite) shapes() error {
	bad := func(what string, change func(v *view.View)) error {
		v := s.toy(300, 1)
		change(&v)
		_, err := s.fit(v, view.View{})
		return refused("a fit "+what, err)
	}
	return errors.Join(
		bad("without inputs", func(v *view.View) { v.Table, v.Streams = nil, nil }),
		bad("without columns", func(v *view.View) { *v = s.choose(*v, nil) }),
		bad("without classes", func(v *view.View) { v.Class = nil }),
		bad("with too few classes", func(v *view.View) { v.Class = v.Class[:299] }),
		bad("with too many classes", func(v *view.View) { v.Class = append(v.Class, 0) }),
		bad("with a class of 2", func(v *view.View) { v.Class[17] = 2 }),
		bad("with the label of a missing class", func(v *view.View) { v.Class[17] = -99 }),
		bad("with a value too few", func(v *view.View) {
			if v.Table != nil {
				v.Table.Data = v.Table.Data[1:]
			} else {
				v.Streams[0].Data = v.Streams[0].Data[1:]
			}
		}),
		bad("with a name too few", func(v *view.View) {
			if v.Table != nil {
				v.Table.Names = v.Table.Names[1:]
			} else {
				v.Streams[0].Names = v.Streams[0].Names[1:]
			}
		}),
	)
}

func (s *suite) infinite() error {
	f := s.once(300)
	if f.err != nil {
		return f.err
	}
	var errs []error
	for _, sign := range []int{1, -1} {
		inf := float32(math.Inf(sign))
		v := s.toy(300, 1)
		s.set(v, 17, 2, inf)
		_, err := s.fit(v, view.View{})
		test := s.toy(20, 3)
		s.set(test, 5, 1, inf)
		errs = append(errs,
			names(fmt.Sprintf("a fit on %v", inf), err, columnNames[2]),
			names(fmt.Sprintf("a prediction on %v", inf), f.Predict(background, inputs(test), &model.Prediction{}), columnNames[1]))
	}
	return errors.Join(errs...)
}

func (s *suite) missing() error {
	nan := float32(math.NaN())
	test := s.toy(60, 3)
	for i := range test.Len() {
		s.set(test, i, i%len(columnNames), nan)
	}
	if !s.e.Abilities.Missing {
		f, err := s.fit(s.toy(300, 1), s.toy(100, 2))
		if err != nil {
			return err
		}
		v := s.toy(300, 1)
		s.set(v, 17, 2, nan)
		_, err = s.fit(v, view.View{})
		one := s.toy(20, 3)
		s.set(one, 4, 3, nan)
		return errors.Join(
			names("a fit on a missing value, which the entry does not claim,", err, columnNames[2]),
			names("a prediction on a missing value, which the entry does not claim,",
				f.Predict(background, inputs(one), &model.Prediction{}), columnNames[3]))
	}
	train, stop := s.toy(600, 1), s.toy(200, 2)
	for i := range train.Len() {
		s.set(train, i, i%5, nan)
	}
	for i := range stop.Len() {
		s.set(stop, i, i%5, nan)
	}
	f, err := s.fit(train, stop)
	if err != nil {
		return fmt.Errorf("a fit on missing values: %w", err)
	}
	if _, err := predict(f, test); err != nil {
		return fmt.Errorf("on missing values: %w", err)
	}
	// A column that is wholly missing, in the fit and afterwards; and one that
	// was missing in the fit and then is there.
	train = s.toy(600, 1)
	for i := range train.Len() {
		s.set(train, i, 4, nan)
	}
	if f, err = s.fit(train, s.toy(200, 2)); err != nil {
		return fmt.Errorf("a fit with a column that is wholly missing: %w", err)
	}
	if _, err := predict(f, test); err != nil {
		return err
	}
	if _, err := predict(f, s.toy(60, 3)); err != nil {
		return err
	}
	// A row of nothing but missing values is still a distribution.
	for j := range columnNames {
		s.set(test, 0, j, nan)
	}
	p, err := predict(f, test)
	if err != nil {
		return err
	}
	return p.Check()
}

func (s *suite) weights() error {
	train, stop := s.toy(600, 1), s.toy(200, 2)
	_, plain, err := s.fitBytes(train, stop)
	if err != nil {
		return err
	}
	ones := train
	ones.Weight = make([]float64, train.Len())
	for i := range ones.Weight {
		ones.Weight[i] = 1
	}
	_, withOnes, err := s.fitBytes(ones, stop)
	if !s.e.Abilities.Weights {
		return refused("a fit with weights, which the entry does not claim,", err)
	}
	if err != nil {
		return fmt.Errorf("weights of 1: %w", err)
	}
	if !bytes.Equal(plain, withOnes) {
		return errors.New("weights of 1 give other bytes than no weights")
	}
	uneven := train
	uneven.Weight = ramp(train.Len())
	_, withRamp, err := s.fitBytes(uneven, stop)
	if err != nil {
		return err
	}
	if bytes.Equal(plain, withRamp) {
		return errors.New("uneven weights change nothing, though the entry claims to use them")
	}
	var errs []error
	for _, bad := range []float64{-1, math.NaN(), math.Inf(1)} {
		v := train
		v.Weight = ramp(train.Len())
		v.Weight[31] = bad
		_, err := s.fit(v, stop)
		errs = append(errs, refused(fmt.Sprintf("a weight of %v", bad), err))
	}
	short := train
	short.Weight = ramp(train.Len() - 1)
	_, err = s.fit(short, stop)
	return errors.Join(append(errs, refused("a fit with a weight too few", err))...)
}

func (s *suite) weightZero() error {
	train, stop := s.toy(700, 1), s.toy(200, 2)
	train.Weight = ramp(train.Len())
	var keep []int
	for i := range train.Len() {
		if i%3 == 0 || i < 40 {
			train.Weight[i] = 0
			train.Class[i] = 1 // a wrong label that must not matter
			s.set(train, i, 0, 1e20)
		} else {
			keep = append(keep, i)
		}
	}
	_, a, err := s.fitBytes(train, stop)
	if err != nil {
		return err
	}
	_, b, err := s.fitBytes(pick(train, keep), stop)
	if err != nil {
		return err
	}
	if !bytes.Equal(a, b) {
		return errors.New("rows of weight 0 give other bytes than the same rows removed")
	}
	return nil
}

func (s *suite) weightTwo() error {
	train, stop := s.toy(600, 1), s.toy(200, 2)
	train.Weight = make([]float64, train.Len())
	var rows []int
	for i := range train.Len() {
		train.Weight[i] = 1
		rows = append(rows, i)
		if i%2 == 0 {
			train.Weight[i] = 2
			rows = append(rows, i)
		}
	}
	twice := pick(train, rows)
	twice.Weight = nil
	a, err := s.fit(train, stop)
	if err != nil {
		return err
	}
	b, err := s.fit(twice, stop)
	if err != nil {
		return err
	}
	test := s.toy(300, 3)
	pa, err := predict(a, test)
	if err != nil {
		return err
	}
	pb, err := predict(b, test)
	if err != nil {
		return err
	}
	for i := range pa.Prob {
		if d := math.Abs(pa.Prob[i] - pb.Prob[i]); d > s.o.DuplicateTol {
			return fmt.Errorf("a row of weight 2 and the same row twice differ by %g in row %d, allowed %g", d, i/pa.K, s.o.DuplicateTol)
		}
	}
	return nil
}

func (s *suite) emptyTrain() error {
	none := pick(s.toy(5, 1), nil)
	_, err := s.fit(none, view.View{})
	errs := []error{refused("a fit on no rows", err)}
	if s.e.Abilities.Weights {
		v := s.toy(300, 1)
		v.Weight = make([]float64, v.Len())
		_, err := s.fit(v, view.View{})
		errs = append(errs, refused("a fit on rows of weight 0 alone", err))
	}
	return errors.Join(errs...)
}

// oneClass: an error that speaks of classes, or a model that predicts the one
// class.
func (s *suite) oneClass() error {
	v := s.toy(300, 1)
	for i := range v.Class {
		v.Class[i] = 1
	}
	f, err := s.fit(v, s.toy(100, 2))
	if err != nil {
		if !strings.Contains(err.Error(), "class") {
			return fmt.Errorf("a fit on one class: the error does not say so: %v", err)
		}
		return nil
	}
	p, err := predict(f, s.toy(50, 3))
	if err != nil {
		return err
	}
	for i := range p.N {
		if p.Row(i)[2] < 0.9 {
			return fmt.Errorf("fitted on class +1 alone, row %d is given it with probability %v", i, p.Row(i)[2])
		}
	}
	return nil
}

func (s *suite) absentClass() error {
	train, stop := s.toy(600, 1), s.toy(200, 2)
	for _, v := range []view.View{train, stop} {
		for i := range v.Class {
			if v.Class[i] == 0 {
				v.Class[i] = -1
			}
		}
	}
	f, err := s.fit(train, stop)
	if err != nil {
		return fmt.Errorf("a fit on classes -1 and +1: %w", err)
	}
	p, err := predict(f, s.toy(200, 3))
	if err != nil {
		return err
	}
	for i := range p.N {
		if p.Row(i)[1] > 0.05 {
			return fmt.Errorf("class 0 was never seen and has probability %v in row %d", p.Row(i)[1], i)
		}
	}
	return nil
}

func (s *suite) constantColumn() error {
	train, stop, test := s.toy(600, 1), s.toy(200, 2), s.toy(100, 3)
	for _, v := range []view.View{train, stop, test} {
		for i := range v.Len() {
			s.set(v, i, 2, 0.1)
		}
	}
	f, err := s.fit(train, stop)
	if err != nil {
		return fmt.Errorf("a fit with a constant column: %w", err)
	}
	a, err := predict(f, test)
	if err != nil {
		return err
	}
	for i := range test.Len() {
		s.set(test, i, 2, float32(i-50))
	}
	b, err := predict(f, test)
	if err != nil {
		return err
	}
	return sameBits("prediction while a column that was constant in the fit moves", a, b)
}

func (s *suite) signal() error {
	f, err := s.fit(s.toy(1500, 1), s.toy(400, 2))
	if err != nil {
		return err
	}
	test := s.toy(1000, 3)
	p, err := predict(f, test)
	if err != nil {
		return err
	}
	loss, err := model.LogLoss(p, test.Class, nil)
	if err == nil && loss > s.o.SignalLoss {
		err = fmt.Errorf("log-loss %.4f on a separable problem, must be below %.4f", loss, s.o.SignalLoss)
	}
	return err
}

func (s *suite) noise() error {
	train, test := s.random(2000, 1), s.random(4000, 3)
	f, err := s.fit(train, s.random(500, 2))
	if err != nil {
		return err
	}
	p, err := predict(f, test)
	if err != nil {
		return err
	}
	loss, err := model.LogLoss(p, test.Class, nil)
	if err != nil {
		return err
	}
	prior := model.ClassPrior(train.Class, nil)
	flat := &model.Prediction{}
	flat.Resize(test.Len(), model.K)
	for i := range flat.N {
		copy(flat.Row(i), prior[:])
	}
	base, err := model.LogLoss(flat, test.Class, nil)
	if err != nil {
		return err
	}
	if loss > base+s.o.NoiseExcess {
		return fmt.Errorf("log-loss %.4f after a fit on random labels, the class prior has %.4f, allowed excess %.4f", loss, base, s.o.NoiseExcess)
	}
	// No model can beat the prior on labels drawn at random by more than luck:
	// the standard error of the difference is below 0.005 here.
	if loss < base-0.03 {
		return fmt.Errorf("log-loss %.4f on labels that are random; the class prior has %.4f", loss, base)
	}
	return nil
}

// stopRows: a learner that claims Stops depends on the stop rows, another does
// not look at them. Both accept that there are none.
func (s *suite) stopRows() error {
	train, stop := s.toy(600, 1), s.toy(200, 2)
	_, a, err := s.fitBytes(train, stop)
	if err != nil {
		return err
	}
	turned := cloneView(stop)
	for i := range turned.Class {
		turned.Class[i] = -turned.Class[i]
		if turned.Class[i] == 0 {
			turned.Class[i] = 1
		}
	}
	_, b, err := s.fitBytes(train, turned)
	if err != nil {
		return err
	}
	_, none, err := s.fitBytes(train, view.View{})
	if err != nil {
		return fmt.Errorf("a fit without stop rows: %w", err)
	}
	if s.e.Abilities.Stops {
		if bytes.Equal(a, b) {
			return errors.New("turning every stop label changes nothing, though the entry claims to stop early")
		}
		return nil
	}
	if !bytes.Equal(a, b) || !bytes.Equal(a, none) {
		return errors.New("the stop rows change the model, though the entry does not claim to use them")
	}
	return nil
}

// stopNeverTrains: column 2 is constant in training and tells the class in the
// stop rows. Whoever learns to use it trained on them.
func (s *suite) stopNeverTrains() error {
	train, stop, test := s.toy(600, 1), s.toy(300, 2), s.toy(100, 3)
	for i := range train.Len() {
		s.set(train, i, 2, 0)
	}
	for i := range stop.Len() {
		s.set(stop, i, 2, 10*float32(stop.Class[i]))
	}
	f, err := s.fit(train, stop)
	if err != nil {
		return err
	}
	for i := range test.Len() {
		s.set(test, i, 2, 0)
	}
	a, err := predict(f, test)
	if err != nil {
		return err
	}
	for i := range test.Len() {
		s.set(test, i, 2, float32(10-20*(i%2)))
	}
	b, err := predict(f, test)
	if err != nil {
		return err
	}
	return sameBits("a column that only the stop rows explain was learnt", a, b)
}

// pollContext is cancelled by being looked at: after limit looks it is done.
type pollContext struct {
	context.Context
	mu    sync.Mutex
	looks int
	limit int
	done  chan struct{}
}

func newPollContext(limit int) *pollContext {
	return &pollContext{Context: context.Background(), limit: limit, done: make(chan struct{})}
}

func (c *pollContext) look() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.looks++
	if c.limit >= 0 && c.looks == c.limit+1 {
		close(c.done)
	}
	return c.limit >= 0 && c.looks > c.limit
}

func (c *pollContext) Err() error {
	if c.look() {
		return context.Canceled
	}
	return nil
}

func (c *pollContext) Done() <-chan struct{} {
	c.look()
	return c.done
}

// cancel: the fit looks at its context more than once, and whichever look finds
// it cancelled, the fit ends with the context's error.
func (s *suite) cancel() error {
	train, stop := s.toy(600, 1), s.toy(200, 2)
	fit := func(limit int) (int, error) {
		ctx := newPollContext(limit)
		_, err := s.fitEnv(ctx, model.Env{Stream: rng.New(11).Stream("fit"), Workers: 1}, train, stop)
		return ctx.looks, err
	}
	looks, err := fit(-1)
	if err != nil {
		return err
	}
	if looks < 2 {
		return fmt.Errorf("the fit looks at its context %d times; once per unit of work is the rule", looks)
	}
	for _, limit := range []int{0, 1, looks / 2, looks - 1} {
		if _, err := fit(limit); !errors.Is(err, context.Canceled) {
			return fmt.Errorf("cancelled at look %d of %d, the fit returns %v instead of the context's error", limit+1, looks, err)
		}
	}
	f, err := s.fit(train, stop)
	if err != nil {
		return err
	}
	if err := f.Predict(newPollContext(0), inputs(train), &model.Prediction{}); !errors.Is(err, context.Canceled) {
		return fmt.Errorf("Predict with a cancelled context returns %v", err)
	}
	return nil
}
