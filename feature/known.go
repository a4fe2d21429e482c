package feature

import (
	"errors"
	"fmt"
	"slices"
	"sort"
	"time"

	"github.com/mlfactory/mlfactory/bar"
	"github.com/mlfactory/mlfactory/bar/calendar"
	"github.com/mlfactory/mlfactory/view"
)

// KnownChannels names the channels of [Known], in order.
func KnownChannels() []string {
	return []string{"session_sin", "session_cos", "week_sin", "week_cos", "minutes_to_close", "minutes_closed"}
}

// Known fills dst with what is known at each decision of the bars that are still
// to come: window i is the next ahead bars of the timeframe that the calendar
// schedules to end after decisions[i], the next one first. The first five channels
// are those of the feature "clock"; minutes_closed is how long the market is shut
// between the bar and the one scheduled before it, 0 inside a session.
//
// It is a function of instants and calendar alone and sees no bar, so that nothing
// of the future but its schedule can enter; whether a scheduled bar comes to trade
// is not known. Intervals are those of [bar.Builder]; one that lies in a scheduled
// break is none. Windows share their bars; dst's buffers are reused.
//
// Bars of no fixed length have no schedule and are an error, as is a calendar that
// ends before the last window. Complexity O(n·log bars + bars) for the scheduled
// bars between the first and the last decision.
func Known(decisions []int64, tf bar.Timeframe, ahead int, cal *calendar.Calendar, dst *view.Windows) error {
	switch {
	case cal == nil:
		return errors.New("feature: the known future needs a calendar")
	case ahead < 1:
		return fmt.Errorf("feature: a known future of %d bars; it has at least 1", ahead)
	case tf != bar.Session && tf <= 0:
		return fmt.Errorf("feature: bars of %v follow no schedule, so that nothing is known of those to come", tf)
	}
	names := KnownChannels()
	dst.Timeframe, dst.Length, dst.Names, dst.Width = tf.String(), ahead, names, len(names)
	dst.Columns, dst.Segment, dst.Last, dst.Data = dst.Columns[:0], nil, dst.Last[:0], dst.Data[:0]
	for j := range names {
		dst.Columns = append(dst.Columns, int32(j)) // #nosec G115 -- channels are few
	}
	if len(decisions) == 0 {
		return nil
	}
	from, to := slices.Min(decisions), slices.Max(decisions)
	ends, err := schedule(from, to, tf, ahead, cal, dst)
	if err != nil {
		return err
	}
	for _, t := range decisions {
		next := sort.Search(len(ends), func(i int) bool { return ends[i] > t })
		dst.Last = append(dst.Last, int32(next+ahead-1)) // #nosec G115 -- below 2³¹ bars
	}
	return nil
}

// schedule appends the rows of the bars scheduled to end after from, up to the
// ahead-th after to, and returns their ends.
func schedule(from, to int64, tf bar.Timeframe, ahead int, cal *calendar.Calendar, dst *view.Windows) ([]int64, error) {
	s, in := cal.At(from)
	if !in {
		s = cal.Next(from)
	}
	before := s.Open // end of the bar before
	if last := cal.Last(s.Open - 1); last.Close != 0 {
		before = last.Close
	}
	var ends []int64
	clock := &clock{cal: cal}
	var v [5]float64
	after := 0 // ends after to
	for {
		if s.Close == 0 {
			return nil, fmt.Errorf("feature: the calendar %s ends before %d bars of %v after %s", cal.Name(), ahead, tf, stamp(to))
		}
		for begin := s.Open; begin < s.Close; {
			end := s.Close
			if tf != bar.Session {
				end = min(end, begin+int64(tf))
			}
			if cal.OpenTime(begin, end) > 0 {
				if end > from {
					clock.next(begin, end, &v)
					for _, x := range v {
						dst.Data = append(dst.Data, float32(x))
					}
					closed := int64(0)
					if begin > before {
						closed = begin - before - int64(cal.OpenTime(before, begin))
					}
					dst.Data = append(dst.Data, float32(float64(closed)/float64(time.Minute)))
					ends = append(ends, end)
					if end > to {
						if after++; after == ahead {
							return ends, nil
						}
					}
				}
				before = end
			}
			begin = end
		}
		s = cal.Next(s.Close)
	}
}
