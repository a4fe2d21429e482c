package modeltest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"reflect"
	"strings"
	"sync"
	"testing"

	"github.com/mlfactory/mlfactory/internal/race"
	"github.com/mlfactory/mlfactory/model"
	"github.com/mlfactory/mlfactory/param"
	"github.com/mlfactory/mlfactory/rng"
	"github.com/mlfactory/mlfactory/view"
)

// Options sets the bounds of the laws that have one. The zero value is the
// default of each.
type Options struct {
	// Config makes the config under test; nil means the entry's Default. Tests
	// of slow learners make it smaller.
	Config func() any
	// SignalLoss is the log-loss that must be reached on fresh rows of a
	// separable problem of three classes (prior: 1.1 nats). 0 means 0.65.
	SignalLoss float64
	// NoiseExcess is by how much the log-loss on fresh rows may exceed that of
	// the class prior when the training labels are random. 0 means 0.03 nats.
	NoiseExcess float64
	// DuplicateTol is the largest difference of a probability between a row of
	// weight 2 and the same row twice. 0 means 1e-4.
	DuplicateTol float64
	// RowAllocs is the number of allocations allowed to predict one row into a
	// warm buffer. 0 means none.
	RowAllocs int
	// Length is the number of bars of the laws' windows. 0 means 12.
	Length int
}

// Law is one claim; Check returns nil when the learner keeps it.
type Law struct {
	Name  string
	Check func() error
}

// Run runs every law of [Laws] as a subtest.
func Run(t *testing.T, e model.Entry, o Options) {
	t.Helper()
	for _, law := range Laws(e, o) {
		t.Run(law.Name, func(t *testing.T) {
			if err := law.Check(); err != nil {
				t.Errorf("%s: %v", e.Name, err)
			}
		})
	}
}

// Laws are the laws that entry e is held to, in a fixed order. A panic inside
// a law is a failure of it.
func Laws(e model.Entry, o Options) []Law {
	if o.Config == nil {
		o.Config = e.Default
	}
	def := func(p *float64, x float64) {
		if *p == 0 {
			*p = x
		}
	}
	if o.Length == 0 {
		o.Length = 12
	}
	def(&o.SignalLoss, 0.65)
	def(&o.NoiseExcess, 0.03)
	def(&o.DuplicateTol, 1e-4)
	s := &suite{maker{e.Input, o.Length}, e, o, map[int]*plainFit{}}
	laws := []Law{
		{"entry", s.entry},
		{"fit-twice", s.fitTwice},
		{"inputs-untouched", s.inputsUntouched},
		{"save-load", s.saveLoad},
		{"damaged-bytes", s.damaged},
		{"workers", s.workers},
		{"row-by-row", s.rowByRow},
		{"simplex", s.simplex},
		{"predict-buffers", s.buffers},
		{"predict-concurrent", s.concurrent},
		{"predict-no-rows", s.noRows},
		{"columns", s.columns},
		{"shapes", s.shapes},
		{"infinite-refused", s.infinite},
		{"missing", s.missing},
		{"weights", s.weights},
		{"empty-train", s.emptyTrain},
		{"one-class", s.oneClass},
		{"absent-class", s.absentClass},
		{"constant-column", s.constantColumn},
		{"signal", s.signal},
		{"noise", s.noise},
		{"stop-rows", s.stopRows},
		{"stop-never-trains", s.stopNeverTrains},
		{"cancel", s.cancel},
	}
	if e.Abilities.Weights {
		laws = append(laws, Law{"weight-zero", s.weightZero}, Law{"weight-two", s.weightTwo})
	}
	if e.Input != model.InputTable {
		laws = append(laws, Law{"windows", s.windows}, Law{"missing-bars", s.missingBars}, Law{"shared-bars", s.sharedBars},
			Law{"static", s.static}, Law{"known-future", s.known})
	}
	for i := range laws {
		check := laws[i].Check
		laws[i].Check = func() (err error) {
			defer func() {
				if r := recover(); r != nil {
					err = fmt.Errorf("panic: %v", r)
				}
			}()
			return check()
		}
	}
	return laws
}

type suite struct {
	maker
	e     model.Entry
	o     Options
	plain map[int]*plainFit // by rows
}

// plainFit is a model of toy rows and its bytes.
type plainFit struct {
	model.Fitted
	bytes []byte
	err   error
}

// once is a model fitted on n toy rows, with a third of them to stop. It is fitted
// once for all laws that look at a model and not at how it came about. Laws run one
// after the other.
func (s *suite) once(n int) *plainFit {
	if s.plain[n] == nil {
		f := &plainFit{}
		s.plain[n] = f
		f.Fitted, f.bytes, f.err = s.fitBytes(s.toy(n, 1), s.toy(n/3, 2))
	}
	return s.plain[n]
}

// const
var background = context.Background()

func (s *suite) fit(train, stop view.View) (model.Fitted, error) {
	return s.fitEnv(background, model.Env{Stream: rng.New(11).Stream("fit"), Workers: 1}, train, stop)
}

func (s *suite) fitEnv(ctx context.Context, env model.Env, train, stop view.View) (model.Fitted, error) {
	l, err := s.e.New(s.o.Config())
	if err != nil {
		return nil, fmt.Errorf("New: %w", err)
	}
	f, err := l.Fit(ctx, env, train, stop)
	if err == nil && f == nil {
		return nil, errors.New("Fit returned neither a model nor an error")
	}
	return f, err
}

// overwrite makes what the caller owns useless to a model that still looks at it.
func overwrite(v view.View) {
	if v.Table != nil {
		clear(v.Table.Data)
		for j := range v.Table.Names {
			v.Table.Names[j] = "overwritten"
		}
	}
	for _, w := range v.Streams {
		clear(w.Data)
		for j := range w.Names {
			w.Names[j] = "overwritten"
		}
	}
}

func encode(f model.Fitted) ([]byte, error) {
	var b bytes.Buffer
	if err := f.Encode(&b); err != nil {
		return nil, fmt.Errorf("Encode: %w", err)
	}
	if b.Len() == 0 {
		return nil, errors.New("Encode wrote nothing")
	}
	return b.Bytes(), nil
}

func (s *suite) fitBytes(train, stop view.View) (model.Fitted, []byte, error) {
	f, err := s.fit(train, stop)
	if err != nil {
		return nil, nil, err
	}
	b, err := encode(f)
	return f, b, err
}

func predict(f model.Fitted, v view.View) (*model.Prediction, error) {
	p := &model.Prediction{}
	if err := f.Predict(background, inputs(v), p); err != nil {
		return nil, fmt.Errorf("Predict: %w", err)
	}
	if p.N != v.Len() || p.K != model.K || len(p.Prob) != v.Len()*model.K {
		return nil, fmt.Errorf("Predict gave %d×%d (%d values) for %d rows", p.N, p.K, len(p.Prob), v.Len())
	}
	return p, p.Check()
}

// sameBits compares predictions bit for bit.
func sameBits(what string, a, b *model.Prediction) error {
	for i := range a.Prob {
		if math.Float64bits(a.Prob[i]) != math.Float64bits(b.Prob[i]) {
			return fmt.Errorf("%s: row %d class %d: %v and %v", what, i/a.K, i%a.K-1, a.Prob[i], b.Prob[i])
		}
	}
	return nil
}

// names says whether err is an error that mentions the column.
func names(what string, err error, column string) error {
	if err == nil {
		return fmt.Errorf("%s was accepted", what)
	}
	if !strings.Contains(err.Error(), column) {
		return fmt.Errorf("%s: the error does not name column %q: %v", what, column, err)
	}
	return nil
}

func refused(what string, err error) error {
	if err == nil {
		return fmt.Errorf("%s was accepted", what)
	}
	return nil
}

func (s *suite) entry() error {
	e := s.e
	if e.Name == "" || e.Family == "" || e.Doc == "" || e.Default == nil || e.New == nil || e.Decode == nil {
		return errors.New("the entry lacks a name, family, doc, Default, New or Decode")
	}
	a, b := e.Default(), e.Default()
	if v := reflect.ValueOf(a); v.Kind() != reflect.Pointer || v.IsNil() || v.Elem().Kind() != reflect.Struct {
		return fmt.Errorf("Default gives a %T, want a pointer to a struct", a)
	}
	if reflect.TypeOf(a).Elem().NumField() > 0 && reflect.ValueOf(a).Pointer() == reflect.ValueOf(b).Pointer() {
		return errors.New("Default gives the same pointer twice")
	}
	if !reflect.DeepEqual(a, b) {
		return errors.New("Default gives two different configs")
	}
	if _, err := param.Fields(a); err != nil {
		return fmt.Errorf("the tags of the config: %w", err)
	}
	if err := param.Validate(a); err != nil {
		return fmt.Errorf("Default is outside its own bounds: %w", err)
	}
	if _, err := e.New(a); err != nil {
		return fmt.Errorf("New refuses Default: %w", err)
	}
	if !reflect.DeepEqual(a, b) {
		return errors.New("New changes the config it is given")
	}
	for _, bad := range []any{nil, struct{}{}, "default"} {
		if _, err := e.New(bad); err == nil {
			return fmt.Errorf("New accepts a config of type %T", bad)
		}
	}
	return nil
}

func (s *suite) fitTwice() error {
	train, stop := s.toy(600, 1), s.toy(200, 2)
	l, err := s.e.New(s.o.Config())
	if err != nil {
		return err
	}
	var first []byte
	for range 2 { // the same learner twice, with the same stream
		f, err := l.Fit(background, model.Env{Stream: rng.New(11).Stream("fit"), Workers: 1}, train, stop)
		if err != nil {
			return err
		}
		b, err := encode(f)
		if err != nil {
			return err
		}
		if first == nil {
			first = b
		} else if !bytes.Equal(first, b) {
			return errors.New("one learner fitted twice gives different bytes")
		}
	}
	_, b, err := s.fitBytes(train, stop)
	if err != nil {
		return err
	}
	if !bytes.Equal(first, b) {
		return errors.New("two learners of one config give different bytes")
	}
	return nil
}

func (s *suite) inputsUntouched() error {
	train, stop := s.toy(400, 1), s.toy(200, 2)
	if s.e.Abilities.Weights {
		train.Weight = ramp(train.Len())
	}
	a, b := cloneView(train), cloneView(stop)
	f, err := s.fit(train, stop)
	if err != nil {
		return err
	}
	if !reflect.DeepEqual(a, train) || !reflect.DeepEqual(b, stop) {
		return errors.New("Fit changed the views it was given")
	}
	if _, err := predict(f, train); err != nil {
		return err
	}
	if !reflect.DeepEqual(a, train) {
		return errors.New("Predict changed the view it was given")
	}
	// The model must not look at the training table any more.
	before, err := predict(f, stop)
	if err != nil {
		return err
	}
	clear(train.Class)
	overwrite(train)
	after, err := predict(f, b)
	if err != nil {
		return fmt.Errorf("after the training table was reused: %w", err)
	}
	return sameBits("prediction before and after the training table was reused", before, after)
}

func (s *suite) saveLoad() error {
	test, f := s.toy(300, 3), s.once(600)
	if f.err != nil {
		return f.err
	}
	b := f.bytes
	g, err := s.e.Decode(bytes.NewReader(b))
	if err != nil {
		return fmt.Errorf("Decode: %w", err)
	}
	pf, err := predict(f, test)
	if err != nil {
		return err
	}
	pg, err := predict(g, test)
	if err != nil {
		return err
	}
	if err := sameBits("prediction before and after a file", pf, pg); err != nil {
		return err
	}
	again, err := encode(g)
	if err != nil {
		return err
	}
	if !bytes.Equal(b, again) {
		return errors.New("what was read back is written with different bytes")
	}
	return nil
}

func (s *suite) damaged() error {
	f := s.once(300)
	if f.err != nil {
		return f.err
	}
	b := f.bytes
	try := func(what string, raw []byte) (err error) {
		defer func() {
			if r := recover(); r != nil {
				err = fmt.Errorf("Decode panics on %s: %v", what, r)
			}
		}()
		f, err := s.e.Decode(bytes.NewReader(raw))
		if err == nil || f != nil {
			return fmt.Errorf("Decode accepts %s (error %v)", what, err)
		}
		return nil
	}
	if err := try("no bytes", nil); err != nil {
		return err
	}
	if err := try("text", []byte("not a model")); err != nil {
		return err
	}
	if err := try("a model with a byte after it", append(bytes.Clone(b), 0)); err != nil {
		return err
	}
	const samples = 64
	for i := range samples {
		at := i * len(b) / samples
		if err := try(fmt.Sprintf("the first %d of %d bytes", at, len(b)), b[:at]); err != nil {
			return err
		}
		c := bytes.Clone(b)
		c[at] ^= 1 << (i % 8)
		if err := try(fmt.Sprintf("bit %d of byte %d of %d turned", i%8, at, len(b)), c); err != nil {
			return err
		}
	}
	return nil
}

func (s *suite) workers() error {
	n := 5000 // enough for trees to share out
	if s.input != model.InputTable {
		n = 400
	}
	train, stop := s.toy(n, 1), s.toy(300, 2)
	var first []byte
	var p1 *model.Prediction
	for _, n := range []int{1, 2, 4} {
		f, err := s.fitEnv(background, model.Env{Stream: rng.New(11).Stream("fit"), Workers: n}, train, stop)
		if err != nil {
			return err
		}
		b, err := encode(f)
		if err != nil {
			return err
		}
		p, err := predict(f, stop)
		if err != nil {
			return err
		}
		if first == nil {
			first, p1 = b, p
			continue
		}
		if !bytes.Equal(first, b) {
			return fmt.Errorf("%d workers give other bytes than 1", n)
		}
		if err := sameBits(fmt.Sprintf("1 and %d workers", n), p1, p); err != nil {
			return err
		}
	}
	return nil
}

func (s *suite) rowByRow() error {
	test := s.toy(700, 3)
	f := s.once(600)
	if f.err != nil {
		return f.err
	}
	all, err := predict(f, test)
	if err != nil {
		return err
	}
	for i := 0; i < test.Len(); i += 7 {
		one, err := predict(f, pick(test, []int{i}))
		if err != nil {
			return err
		}
		if err := sameBits(fmt.Sprintf("row %d in a batch and alone", i), &model.Prediction{N: 1, K: model.K, Prob: all.Row(i)}, one); err != nil {
			return err
		}
	}
	return nil
}

func (s *suite) simplex() error {
	f := s.once(600)
	if f.err != nil {
		return f.err
	}
	test := s.toy(64, 3)
	extreme := []float32{0, 1e30, -1e30, math.MaxFloat32, -math.MaxFloat32, 1e-40}
	for i := range test.Len() {
		for j := range columnNames {
			if (i+j)%3 == 0 {
				s.set(test, i, j, extreme[(i/3+j)%len(extreme)])
			}
		}
	}
	_, err := predict(f, test)
	return err
}

func (s *suite) buffers() error {
	f := s.once(600)
	if f.err != nil {
		return f.err
	}
	a, b := s.toy(50, 3), s.toy(50, 4)
	want, err := predict(f, b)
	if err != nil {
		return err
	}
	out, err := predict(f, a)
	if err != nil {
		return err
	}
	at := &out.Prob[0]
	for i := range out.Prob {
		out.Prob[i] = math.NaN()
	}
	if err := f.Predict(background, inputs(b), out); err != nil {
		return err
	}
	if &out.Prob[0] != at {
		return errors.New("Predict does not reuse a buffer that is large enough")
	}
	if err := sameBits("prediction into a used and a new buffer", want, out); err != nil {
		return err
	}
	one := inputs(pick(a, []int{0}))
	if n := testing.AllocsPerRun(100, func() { err = f.Predict(background, one, out) }); err == nil && !race.Enabled && int(n) > s.o.RowAllocs {
		return fmt.Errorf("predicting one row allocates %v times, allowed %d", n, s.o.RowAllocs)
	}
	return err
}

func (s *suite) concurrent() error {
	f := s.once(600)
	if f.err != nil {
		return f.err
	}
	views := make([]view.View, 8)
	want := make([]*model.Prediction, len(views))
	n := 150
	if s.input != model.InputTable {
		n = 60 // a row of windows takes longer
	}
	for i := range views {
		views[i] = s.toy(n+i, uint64(10+i))
		var err error
		if want[i], err = predict(f, views[i]); err != nil {
			return err
		}
	}
	errs := make([]error, len(views))
	var wg sync.WaitGroup
	for i := range views {
		wg.Go(func() {
			for range 10 {
				got, err := predict(f, views[i])
				if err == nil {
					err = sameBits("prediction alone and beside others", want[i], got)
				}
				if err != nil {
					errs[i] = err
					return
				}
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

func (s *suite) noRows() error {
	f := s.once(300)
	if f.err != nil {
		return f.err
	}
	_, err := predict(f, pick(s.toy(5, 1), nil))
	return err
}
