package trade_test

import (
	"context"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/mlfactory/mlfactory/bar"
	"github.com/mlfactory/mlfactory/cost"
	"github.com/mlfactory/mlfactory/label"
	"github.com/mlfactory/mlfactory/model"
	"github.com/mlfactory/mlfactory/trade"
)

const minute = int64(bar.Minute)

// sessions is a market that opens for the first 40 of every 60 minutes.
type sessions struct{}

func (sessions) AddOpenTime(t int64, d time.Duration) int64 {
	hour, open := 60*minute, 40*minute
	for left := int64(d); ; {
		day := t / hour
		in := max(0, day*hour+open-t)
		if left <= in {
			return t + left
		}
		left -= in
		t = (day + 1) * hour
	}
}

// market makes n minutes in sessions, some missing, some late, with an outage in the middle.
func market(seed uint64, n int) *bar.Series {
	r := rand.New(rand.NewPCG(seed, 9))
	s := bar.NewSeries(bar.Minute, n)
	price, seg, at := 100.0, int32(0), int64(0)
	for s.Len() < n {
		if at%(60*minute) >= 40*minute {
			at += 60*minute - at%(60*minute)
		}
		if s.Len() == n/2 && seg == 0 {
			seg = 1
			at += 300 * minute
			at -= at % (60 * minute)
			price *= 1.3
		}
		if r.IntN(15) == 0 {
			at += minute
			continue
		}
		open := price * (1 + 0.0005*r.NormFloat64())
		cl := open * (1 + 0.002*r.NormFloat64())
		b := bar.Bar{Begin: at, End: at + minute, Known: at + minute, Open: open, Close: cl,
			High: max(open, cl) * (1 + 0.0005*r.Float64()), Low: min(open, cl) * (1 - 0.0005*r.Float64()), Session: int32(at / (60 * minute)), Segment: seg}
		if r.IntN(25) == 0 {
			b.Flags = bar.Late
		}
		s.Append(&b)
		price, at = cl, at+minute
	}
	return s
}

func paid() *cost.Model {
	return &cost.Model{Tick: 0.01, PointValue: 5, HalfSpreadTicks: 1, SlippageBps: 0.5, Commission: 0.02, FeeBps: 0.3, Multiplier: 1}
}

// record labels a decision every two minutes and signals at random.
func record(t testing.TB, seed uint64, n int, m *cost.Model) trade.Input {
	t.Helper()
	s := market(seed, n)
	in := label.Input{Base: s, Clock: sessions{}, Timeframe: 2 * bar.Minute, Cost: m}
	for at := 2 * minute; at < s.End[s.Len()-1]; at += 2 * minute {
		in.Decisions, in.Width = append(in.Decisions, at), append(in.Width, 0.006)
	}
	cfg := label.Default()
	cfg.Horizon, cfg.ProfitTake, cfg.StopLoss = 12, 1, 1
	set, err := label.Triple(context.Background(), in, cfg, 1)
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(seed, 10))
	out := trade.Input{Base: s, Labels: set, Cost: m, Side: make([]int8, set.Len()), From: s.Begin[n/10], To: s.End[n-1] - 30*minute, PerYear: 250}
	for i := range out.Side {
		out.Side[i] = int8(max(-1, min(1, r.IntN(9)-4)))
		if r.IntN(2) == 0 {
			out.Side[i] = 0
		}
	}
	return out
}

func simulate(t testing.TB, in trade.Input) *trade.Result {
	t.Helper()
	r, err := trade.Simulate(in)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func sum(x []float64) float64 {
	s := 0.0
	for _, v := range x {
		s += v
	}
	return s
}

// threes is a market that opens for the first 3 of every 60 minutes.
type threes struct{}

func (threes) AddOpenTime(t int64, d time.Duration) int64 {
	for left := int64(d); ; {
		in := max(0, t-t%(60*minute)+3*minute-t)
		if left <= in {
			return t + left
		}
		left -= in
		t += 60*minute - t%(60*minute)
	}
}

func mustLabel(in label.Input, cfg label.Config) *label.Set {
	set, err := label.Triple(context.Background(), in, cfg, 1)
	if err != nil {
		panic(err)
	}
	return set
}

func prediction(rows ...[]float64) *model.Prediction {
	p := &model.Prediction{N: len(rows), K: model.K}
	for _, r := range rows {
		p.Prob = append(p.Prob, r...)
	}
	return p
}

func meanStd(x []float64) (mean, sd float64) {
	for _, v := range x {
		mean += v / float64(len(x))
	}
	for _, v := range x {
		sd += (v - mean) * (v - mean) / float64(len(x)-1)
	}
	return mean, math.Sqrt(sd)
}
