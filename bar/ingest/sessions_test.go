package ingest

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/mlfactory/mlfactory/bar"
)

// TestSessions holds the sessions of whole runs of bars, and what is counted on
// the way, to the plain loops: bar.Assign, and one bar at a time.
func TestSessions(t *testing.T) {
	for _, name := range []string{"BTCUSD", "ES", "SPY", "FESX", "NIFTY"} {
		inst, err := bar.Find(name)
		if err != nil {
			t.Fatal(err)
		}
		cal, err := inst.NewCalendar()
		if err != nil {
			t.Fatal(err)
		}
		for seed := range uint64(30) {
			r := rand.New(rand.NewPCG(seed, 8))
			tf := []bar.Timeframe{bar.Minute, 5 * bar.Minute, bar.Hour, bar.Native}[r.IntN(4)]
			s := bar.NewSeries(tf, 0)
			at := time.Date(2019, 3, 4+r.IntN(200), r.IntN(24), 0, 0, 0, time.UTC).UnixNano()
			late := seed%2 == 1
			end := at // of the bar before
			for range 3000 {
				length := int64(tf)
				if tf == bar.Native {
					length = r.Int64N(int64(20*time.Minute)) + 1 + max(0, end-at)
				}
				b := bar.Bar{Begin: at, End: at + length, Flags: bar.Flag(r.IntN(64))}
				b.Known = b.End
				if late && r.IntN(300) == 0 {
					b.Known += r.Int64N(int64(3 * time.Hour))
				}
				s.Append(&b)
				at, end = b.End, b.End
				switch r.IntN(40) {
				case 0:
					at += r.Int64N(5) * length
				case 1:
					at += r.Int64N(int64(3 * time.Hour))
				case 2:
					if r.IntN(20) == 0 {
						at += r.Int64N(int64(100 * time.Hour))
					}
				case 3:
					if r.IntN(10) == 0 { // begins before the end of the bar before
						at -= length / 2
					}
				}
			}
			want := s.Slice(0, s.Len())
			want.Session, want.Segment, want.Flags = slices.Clone(s.Session), slices.Clone(s.Segment), slices.Clone(s.Flags)
			bar.Assign(want, cal, inst.Limit(tf, cal))
			plain := &builder{inst: inst, cal: cal, tf: tf, rep: &Report{}, out: want}
			for i := range want.End {
				plain.count(i)
			}
			got := &builder{inst: inst, cal: cal, tf: tf, rep: &Report{}, out: s}
			got.sessions()
			if !slices.Equal(s.Session, want.Session) || !slices.Equal(s.Segment, want.Segment) || !slices.Equal(s.Flags, want.Flags) {
				t.Errorf("%s, %v, seed %d: other sessions, segments or flags than bar.Assign gives", name, tf, seed)
			}
			if g, w := got.rep, plain.rep; g.Sessions != w.Sessions || g.OffClock != w.OffClock || g.NoTrade != w.NoTrade {
				t.Errorf("%s, %v, seed %d: %d sessions, %d off hours, %d without a trade; want %d, %d, %d", name, tf, seed, g.Sessions, g.OffClock, g.NoTrade, w.Sessions, w.OffClock, w.NoTrade)
			}
		}
	}
}
