package ingest_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/mlfactory/mlfactory/bar/ingest"
	"github.com/mlfactory/mlfactory/internal/shareddata"
)

func sideNotes(rep *ingest.Report) string {
	var out []string
	for _, n := range rep.Notes {
		if strings.Contains(n, "stamp side") {
			out = append(out, n)
		}
	}
	return strings.Join(out, "; ")
}

// TestRead_OtherSide wants a note where the side that is stated puts bars outside
// of the sessions and the other one does not, and none where both do.
func TestRead_OtherSide(t *testing.T) {
	const days = 5
	zone, err := time.LoadLocation("America/New_York")
	if err != nil {
		t.Fatal(err)
	}
	// file holds the minutes from first to last, both as stamps, of some sessions.
	minutes := func(from, to string) string {
		var l []string
		for d := range days {
			at, err := time.ParseInLocation("2006-01-02 15:04", fmt.Sprintf("2021-03-%02d %s", 8+d, from), zone)
			if err != nil {
				t.Fatal(err)
			}
			for ; at.Format("15:04") <= to; at = at.Add(time.Minute) {
				l = append(l, at.UTC().Format(time.RFC3339)+",100,101,99,100,5")
			}
		}
		return join(l)
	}
	for _, x := range []struct{ name, text, stamps, want string }{
		{"ends as begins", minutes("09:31", "16:00"), "begin", "5 rows lie outside of the scheduled hours; with end stamps 0 of these 5 rows would be off hours: check the stamp side"},
		{"ends assumed begins", minutes("09:31", "16:00"), "assume-begin", "5 rows lie outside of the scheduled hours; with end stamps 0 of these 5 rows would be off hours: check the stamp side"},
		{"begins as ends", minutes("09:30", "15:59"), "end", "5 rows lie outside of the scheduled hours; with begin stamps 0 of these 5 rows would be off hours: check the stamp side"},
		{"ends", minutes("09:31", "16:00"), "end", ""},
		{"begins", minutes("09:30", "15:59"), "begin", ""},
		{"begins with the print of the close", minutes("09:30", "16:00"), "begin", ""},
		{"ends with the print of the open", minutes("09:30", "16:00"), "end", ""},
		{"begins with an hour more", minutes("09:30", "17:00"), "begin", ""},
	} {
		t.Run(x.name, func(t *testing.T) {
			cfg := stated()
			cfg.Stamps = x.stamps
			_, rep, err := ingest.Read(context.Background(), file(t, "f.csv", []byte(x.text)), cfg, find(t, "SPY"))
			if err != nil {
				t.Fatal(err)
			}
			if got := sideNotes(rep); got != x.want {
				t.Errorf("got %q, want %q; %d rows off hours", got, x.want, rep.OffClock)
			}
		})
	}
}

// TestRead_RealOtherSide reads the real files on both sides.
func TestRead_RealOtherSide(t *testing.T) {
	for _, x := range []struct{ file, inst, zone, stamps, want string }{
		{"fesx_1m_2006q1.csv.gz", "FESX", "", "begin", "40 rows lie outside of the scheduled hours; with end stamps 0 of these 40 rows would be off hours: check the stamp side"},
		{"fesx_1m_2006q1.csv.gz", "FESX", "", "end", ""},
		{"nifty50_1m_2012_2021.parquet", "NIFTY", "UTC", "end", ""},
		{"btcperp_1m_202201.csv.gz", "BTCUSD", "", "assume-begin", ""},
		{"spy_1m_lean.csv.gz", "SPY", "", "begin", ""},
		{"nifty50_1m_2012_2021.parquet", "NIFTY", "UTC", "begin", "5034 rows lie outside of the scheduled hours; with end stamps 3059 of these 5034 rows would be off hours: check the stamp side"},
	} {
		cfg := ingest.Default()
		cfg.Stamps, cfg.Zone = x.stamps, x.zone
		_, rep, err := ingest.Read(context.Background(), shareddata.Path(t, x.file), cfg, find(t, x.inst))
		if err != nil {
			t.Fatal(err)
		}
		if got := sideNotes(rep); got != x.want {
			t.Errorf("%s, %s: got %q, want %q; %d rows off hours", x.file, x.stamps, got, x.want, rep.OffClock)
		}
	}
}
