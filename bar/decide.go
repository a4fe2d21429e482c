package bar

import "github.com/mlfactory/mlfactory/bar/calendar"

// DecisionOptions says which ends of bars are decisions.
type DecisionOptions struct {
	AtClose   bool `yaml:"at_close" doc:"also at instants when the market closes or is closed (the end of a session), where nothing can be entered before the next open"`
	Irregular bool `yaml:"irregular" doc:"also at the ends of bars outside of the scheduled sessions"`
}

// Decisions is the decision clock: the ends of the tf bars built from base, in
// order. Intervals without a trade have no bar and no decision, nor has a bar
// that was known only after its End. In a continuous market the end of a UTC day
// is an instant like any other. The bars come from the same [Builder] as
// everything else, so a decision never depends on what follows it.
func Decisions(base *Series, cal *calendar.Calendar, tf Timeframe, opt DecisionOptions) ([]int64, error) {
	s, err := Resample(base, tf, cal)
	if err != nil {
		return nil, err
	}
	var out []int64
	for i, t := range s.End {
		f := s.Flags[i]
		switch {
		case s.Known[i] > t || f&Late != 0:
			continue
		case f&Irregular != 0:
			if !opt.Irregular {
				continue
			}
		case !opt.AtClose:
			if _, open := cal.At(t); !open {
				continue
			}
		}
		if n := len(out); n == 0 || t > out[n-1] {
			out = append(out, t)
		}
	}
	return out, nil
}
