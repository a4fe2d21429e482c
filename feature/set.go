package feature

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/mlfactory/mlfactory/bar"
	"github.com/mlfactory/mlfactory/bar/calendar"
)

// Frame is the features of one timeframe.
type Frame struct {
	Timeframe bar.Timeframe `yaml:"timeframe" doc:"length of the bars"`
	Features  []Spec        `yaml:"features" doc:"kernels pushed with these bars"`
}

// Set is what a store holds: features of one or several timeframes.
type Set struct {
	Frames []Frame `yaml:"frames" doc:"features by timeframe"`
}

// Choice picks features for a list of timeframes, by family or by name.
type Choice struct {
	Timeframes []bar.Timeframe `yaml:"timeframes" doc:"lengths of bars on which these features are computed"`
	Families   []string        `yaml:"families" doc:"families whose default features are taken"`
	Features   []Spec          `yaml:"features" doc:"further features, each by name and parameters"`
}

// DefaultSpecs is the default features, in the order of their columns. None
// changes when all prices are multiplied by a constant.
func DefaultSpecs() []Spec {
	s := func(name string, kv ...any) Spec {
		if len(kv) == 0 {
			return Spec{Name: name}
		}
		p := map[string]float64{}
		for i := 0; i < len(kv); i += 2 {
			p[kv[i].(string)] = float64(kv[i+1].(int))
		}
		return Spec{Name: name, Params: p}
	}
	return []Spec{
		s("log_return", "lag", 1), s("log_return", "lag", 2), s("log_return", "lag", 3), s("log_return", "lag", 5),
		s("log_return", "lag", 20), s("log_return", "lag", 60),
		s("roc", "lag", 10), s("return_sharpe"), s("autocorr"), s("efficiency"),
		s("dist_sma", "window", 20), s("dist_sma", "window", 50), s("dist_sma", "window", 200),
		s("dist_ema", "window", 9), s("dist_ema", "window", 21), s("dist_ema", "window", 100),
		s("dist_vwap"), s("macd"), s("adx"), s("aroon"),
		s("rsi", "window", 14), s("rsi", "window", 5), s("stoch"), s("cci"), s("cmo", "window", 50),
		s("mfi"), s("cmf"), s("volume_balance"), s("obv_slope"),
		s("atr_pct"), s("atr_ratio"), s("parkinson"), s("garman_klass"), s("rogers_satchell"), s("yang_zhang"),
		s("bollinger"), s("keltner"), s("realised_vol", "window", 20), s("realised_vol", "window", 60), s("vol_ratio"), s("down_share"), s("return_moments"),
		s("volume_ratio"), s("volume_z"), s("illiquidity"),
		s("clv"), s("clv", "window", 10), s("wick"), s("range_atr"), s("channel_position"),
		s("clock"), s("session"),
	}
}

// DefaultChoices is what is computed when nothing else is asked for: all
// default features on three timeframes that suit the base, the clock and the
// session on the finest of them only.
func DefaultChoices(base bar.Timeframe) []Choice {
	var tf []bar.Timeframe
	switch {
	case base == bar.Native:
		tf = []bar.Timeframe{bar.Native, 4 * bar.Hour}
	case base == bar.Session:
		tf = []bar.Timeframe{bar.Session}
	case bar.CheckMultiple(base, 5*bar.Minute) == nil:
		tf = []bar.Timeframe{5 * bar.Minute, 15 * bar.Minute, bar.Hour}
	case bar.CheckMultiple(base, 15*bar.Minute) == nil:
		tf = []bar.Timeframe{15 * bar.Minute, bar.Hour, 4 * bar.Hour}
	case bar.CheckMultiple(base, bar.Hour) == nil:
		tf = []bar.Timeframe{bar.Hour, 4 * bar.Hour}
	default:
		tf = []bar.Timeframe{base}
	}
	return []Choice{
		{Timeframes: tf, Families: []string{"return", "trend", "momentum", "volatility", "volume", "shape"}},
		{Timeframes: tf[:1], Families: []string{"session"}},
	}
}

// DefaultSet is the set of [DefaultChoices].
func DefaultSet(r *Registry, base bar.Timeframe) (Set, error) { return r.Set(DefaultChoices(base)) }

// Set writes choices out: for each timeframe, in the order of first mention,
// the default features of the families, then the named ones. A kernel asked for
// twice on a timeframe is taken once. All problems are reported at once.
func (r *Registry) Set(choices []Choice) (Set, error) {
	var set Set
	var problems []error
	seen := map[string]bool{}
	frame := map[bar.Timeframe]int{}
	for c, choice := range choices {
		specs, err := r.choose(choice)
		if err != nil {
			problems = append(problems, fmt.Errorf("feature: choice %d: %w", c, err))
			continue
		}
		for _, tf := range choice.Timeframes {
			f, ok := frame[tf]
			if !ok {
				f = len(set.Frames)
				frame[tf] = f
				set.Frames = append(set.Frames, Frame{Timeframe: tf})
			}
			for _, s := range specs {
				cfg, err := r.Config(s)
				if err != nil {
					problems = append(problems, fmt.Errorf("feature: choice %d: %w", c, err))
					continue
				}
				key := fmt.Sprintf("%s %+v %d", s.Name, cfg, tf)
				if !seen[key] {
					seen[key] = true
					set.Frames[f].Features = append(set.Frames[f].Features, s)
				}
			}
		}
	}
	if err := errors.Join(problems...); err != nil {
		return Set{}, err
	}
	_, err := set.Columns(r)
	return set, err
}

// choose lists the specs of a choice.
func (r *Registry) choose(c Choice) ([]Spec, error) {
	if len(c.Timeframes) == 0 {
		return nil, errors.New("no timeframe is given")
	}
	if len(c.Families)+len(c.Features) == 0 {
		return nil, errors.New("neither a family nor a feature is given")
	}
	var specs []Spec
	for _, family := range c.Families {
		found := false
		for _, s := range DefaultSpecs() {
			if e, ok := r.Entry(s.Name); ok && e.Family == family {
				specs, found = append(specs, s), true
			}
		}
		if !found {
			return nil, fmt.Errorf("family %q has no default features; known: %s", family, strings.Join(r.families(), ", "))
		}
	}
	return append(specs, c.Features...), nil
}

// families are the families that have default features.
func (r *Registry) families() []string {
	var out []string
	for _, s := range DefaultSpecs() {
		if e, ok := r.Entry(s.Name); ok && !slices.Contains(out, e.Family) {
			out = append(out, e.Family)
		}
	}
	return out
}

// Columns names every column of the set, in the order in which a store holds
// them: "rsi_14@5m". Two columns of one name are an error.
func (s Set) Columns(r *Registry) ([]string, error) {
	cal, err := calendar.ByName(calendar.Always) // names do not depend on it
	if err != nil {
		return nil, err
	}
	var out []string
	seen := map[string]bool{}
	for _, f := range s.Frames {
		for _, spec := range f.Features {
			k, err := r.New(spec, Env{Timeframe: f.Timeframe, Calendar: cal})
			if err != nil {
				return nil, err
			}
			for _, n := range k.Names() {
				name := ColumnName(n, f.Timeframe)
				if seen[name] {
					return nil, fmt.Errorf("feature: two features of the set have the column %s", name)
				}
				seen[name] = true
				out = append(out, name)
			}
		}
	}
	return out, nil
}

// ColumnName joins a kernel's name of a value with the timeframe.
func ColumnName(name string, tf bar.Timeframe) string { return name + "@" + tf.String() }
