package trade_test

import "testing"

func TestFrames(t *testing.T) {
	r := simulate(t, record(t, 11, 1500, paid()))
	f, err := r.TradesFrame()
	if err != nil {
		t.Fatal(err)
	}
	net, reason := f.Column("net").Float64, f.Column("reason").String
	if f.Rows() != len(r.Trades) || f.Rows() == 0 {
		t.Fatalf("%d rows for %d trades", f.Rows(), len(r.Trades))
	}
	for i, x := range r.Trades {
		if f.Time[i] != x.EntryTime || net[i] != x.Net || reason[i] != x.Reason.String() || f.Column("exit").Float64[i] != x.Exit || f.Column("side").Int8[i] != x.Side {
			t.Fatalf("trade %d differs", i)
		}
	}
	d, err := r.DaysFrame()
	if err != nil {
		t.Fatal(err)
	}
	sum := 0.0
	for i, x := range r.Days {
		sum += x.Net
		if d.Time[i] != int64(x.ID)*86400e9 || d.Column("net").Float64[i] != x.Net || d.Column("equity").Float64[i] != sum || d.Column("market").Float64[i] != x.Market {
			t.Fatalf("day %d differs", i)
		}
	}
}
