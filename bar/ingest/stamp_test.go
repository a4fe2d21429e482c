package ingest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

// layouts are the forms of stamps that are read, in the words of package time.
var layouts = []struct {
	layout string
	order  dateOrder
}{
	{"2006-01-02T15:04:05Z07:00", orderYMD},
	{"2006-01-02T15:04:05.999999999Z07:00", orderYMD},
	{"2006-01-02 15:04:05-0700", orderYMD},
	{"2006-01-02 15:04:05 -07", orderYMD},
	{"2006-01-02 15:04:05", orderYMD},
	{"2006-01-02 15:04:05.000", orderYMD},
	{"2006-01-02T15:04", orderYMD},
	{"2006-01-02", orderYMD},
	{"2006/01/02 15:04", orderYMD},
	{"2006/1/2, 15:04:05", orderYMD},
	{"2006.01.02 15:04", orderYMD},
	{"20060102 150405", orderYMD},
	{"20060102;150405", orderYMD},
	{"20060102  15:04:05", orderYMD},
	{"20060102-15:04:05", orderYMD},
	{"20060102150405", orderYMD},
	{"200601021504", orderYMD},
	{"20060102", orderYMD},
	{"02.01.2006 15:04:05.000", orderDMY},
	{"02.01.2006 15:04:05 GMT-0700", orderDMY},
	{"02/01/2006 15:04", orderDMY},
	{"2-1-2006 15:04", orderDMY},
	{"01/02/2006 15:04:05", orderMDY},
	{"1/2/2006 3:04 PM", orderMDY},
	{"1/2/2006 3:04:05 pm", orderMDY},
	{"01/02/06 15:04", orderMDY},
}

func mustZone(t testing.TB, name string) *time.Location {
	t.Helper()
	loc, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return loc
}

// TestStamps_Twin compares every form with package time, in zones of both
// hemispheres, through years and their changes of the clock.
func TestStamps_Twin(t *testing.T) {
	for _, zone := range []string{"UTC", "America/New_York", "Europe/Berlin", "Asia/Kolkata", "Australia/Lord_Howe", "America/St_Johns", "Asia/Tehran", "Pacific/Apia"} {
		loc := mustZone(t, zone)
		r := rand.New(rand.NewPCG(1, 2))
		for _, l := range layouts {
			st := stamper{zone: zoneOf(loc), order: l.order}
			day := time.Date(2004, 1, 1, 0, 0, 0, 0, loc)
			for range 300 {
				day = day.Add(time.Duration(r.Int64N(int64(20 * 24 * time.Hour))))
				text := day.Format(l.layout)
				want, err := time.ParseInLocation(l.layout, text, loc)
				if err != nil {
					t.Fatal(err)
				}
				got, err := st.parse([]byte(text))
				if err != nil {
					if strings.Contains(err.Error(), "does not exist") {
						// A cut-off time, such as the begin of the day, can lie in the hour that is left out.
						wall, _ := time.Parse(l.layout, text)
						if want.Format(time.DateTime) != wall.Format(time.DateTime) {
							continue
						}
					}
					t.Fatalf("%s, %q: %v", zone, text, err)
				}
				if !time.Unix(0, got).Equal(want) && time.Unix(0, got).In(loc).Format(l.layout) != text {
					t.Fatalf("%s, %q: got %v, want %v", zone, text, time.Unix(0, got).In(loc), want)
				}
				if _, off := want.Zone(); off != 0 && st.kind == stampZoned && !time.Unix(0, got).Equal(want) {
					t.Fatalf("%s, %q: got %v, want %v", zone, text, time.Unix(0, got).UTC(), want.UTC())
				}
			}
		}
	}
}

func zoneOf(loc *time.Location) zone { return zone{loc: loc} }

// TestStamps_EveryMinute walks minute by minute, both ways, through changes of
// the clock: each instant's local text must lead back to it, also in the hour
// that happens twice.
func TestStamps_EveryMinute(t *testing.T) {
	for _, x := range []struct {
		zone string
		from time.Time
	}{
		{"America/New_York", time.Date(2021, 11, 6, 0, 0, 0, 0, time.UTC)},
		{"America/New_York", time.Date(2021, 3, 13, 0, 0, 0, 0, time.UTC)},
		{"Europe/Berlin", time.Date(2020, 10, 24, 0, 0, 0, 0, time.UTC)},
		{"Europe/Berlin", time.Date(2020, 3, 28, 0, 0, 0, 0, time.UTC)},
		{"Australia/Lord_Howe", time.Date(2020, 4, 4, 0, 0, 0, 0, time.UTC)}, // by half an hour
		{"America/St_Johns", time.Date(2010, 11, 6, 0, 0, 0, 0, time.UTC)},   // at 00:01
		{"Pacific/Apia", time.Date(2011, 12, 29, 0, 0, 0, 0, time.UTC)},      // a day left out
	} {
		loc := mustZone(t, x.zone)
		for _, step := range []time.Duration{time.Minute, 15 * time.Minute, time.Hour, -time.Minute, -time.Hour} {
			if x.zone == "Australia/Lord_Howe" && step.Abs() == time.Hour {
				continue // the doubled half hour holds one stamp or none
			}
			st := stamper{zone: zoneOf(loc)}
			at := x.from
			if step < 0 {
				at = at.Add(72 * time.Hour)
			}
			for range int(72 * time.Hour / step.Abs()) {
				text := at.In(loc).Format("2006-01-02 15:04:05")
				got, err := st.parse([]byte(text))
				if err != nil || got != at.UnixNano() {
					t.Fatalf("%s by %v: %q gives %v, %v; want %v", x.zone, step, text, time.Unix(0, got).UTC(), err, at)
				}
				at = at.Add(step)
			}
		}
	}
}

func TestStamps_RepeatedRowInDoubledHour(t *testing.T) {
	st := stamper{zone: zoneOf(mustZone(t, "America/New_York"))}
	var got []string
	for _, s := range []string{"2021-11-07 01:29", "2021-11-07 01:30", "2021-11-07 01:30", "2021-11-07 01:31", "2021-11-07 01:00"} {
		ns, err := st.parse([]byte(s))
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, time.Unix(0, ns).UTC().Format("15:04"))
	}
	if s := strings.Join(got, " "); s != "05:29 05:30 05:30 05:31 06:00" {
		t.Error(s)
	}
}

func TestStamps_HourLeftOut(t *testing.T) {
	st := stamper{zone: zoneOf(mustZone(t, "America/New_York"))}
	_, err := st.parse([]byte("2021-03-14 02:30"))
	if err == nil || err.Error() != "2021-03-14 02:30:00 does not exist in America/New_York: the clocks went forward; is the zone right?" {
		t.Error(err)
	}
}

func TestStamps_Epoch(t *testing.T) {
	const want = 1609459260123456789
	for text, cut := range map[string]int64{
		"1609459260": 1e9, "1609459260123": 1e6, "1609459260123456": 1e3, "1609459260123456789": 1,
		"1609459260.123456789": 1, "1609459260.1": 1e8, "1609459260123.456": 1e3, "1609459260.5": 0,
	} {
		var st stamper
		got, err := st.parse([]byte(text))
		w := int64(want)
		if cut > 0 {
			w -= w % cut
		} else {
			w = 1609459260500000000
		}
		if err != nil || got != w {
			t.Errorf("%s: got %d, %v; want %d", text, got, err, w)
		}
		if st.kind != stampEpoch {
			t.Errorf("%s is not seen as an epoch number", text)
		}
		if strings.Contains(text, ".") {
			continue
		}
		// The fast way.
		buf := append([]byte(text+","), make([]byte, padding)...)
		if fast, n := st.fast(buf, 0); n != len(text) || fast != got {
			t.Errorf("%s: the fast way gives %d, %d; want %d", text, fast, n, got)
		}
	}
}

func TestStamps_Refused(t *testing.T) {
	utc := zoneOf(time.UTC)
	for _, x := range []struct {
		before, text string
		order        dateOrder
		want         string
	}{
		{"", "", 0, "the time is empty"},
		{"", "soon", 0, `"soon" is not a date and time or an epoch number`},
		{"", "2021-02-29 10:00", 0, `"2021-02-29 10:00" is not a date and time or an epoch number`},
		{"", "2021-13-01", 0, `"2021-13-01" is not a date and time or an epoch number`},
		{"", "2021-01-01 25:00", 0, `"2021-01-01 25:00" is not a date and time`},
		{"", "2021-01-01 13:00 PM", 0, `"2021-01-01 13:00 PM" is not a date and time`},
		{"", "2021-01-01 10:00 Mars", 0, `"2021-01-01 10:00 Mars" ends with "Mars", which is not an offset like Z or +01:00`},
		{"", "03/04/2021 10:00", 0, `"03/04/2021 10:00" can be day/month or month/day (3 and 4); state which with date_order: dmy or mdy (--date-order)`},
		{"2021-01-01T10:00Z", "2021-01-01T10:01", 0, `"2021-01-01T10:01" has no offset while earlier rows have one: zones are mixed; write every stamp with its offset, or none`},
		{"2021-01-01T10:00", "2021-01-01T10:01+01:00", 0, `"2021-01-01T10:01+01:00" has an offset while earlier rows have none: zones are mixed; write every stamp with its offset, or none`},
		{"1609459200", "2021-01-01", 0, `"2021-01-01" is not an epoch number like the rows before`},
		{"1609459200", "99999999999999999999", 0, `"99999999999999999999" is not an epoch number like the rows before`},
		{"2021-01-01", "1609459200", 0, `"1609459200" is not a date and time like the rows before`},
	} {
		st := stamper{zone: utc, order: x.order}
		if x.before != "" {
			if _, err := st.parse([]byte(x.before)); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := st.parse([]byte(x.text)); err == nil || err.Error() != x.want {
			t.Errorf("%q: %v\nwant %s", x.text, err, x.want)
		}
	}
	var st stamper
	if _, err := st.parse([]byte("2021-01-01 10:00")); !errors.Is(err, errNoZone) {
		t.Error(err)
	}
}

// TestStamps_Fast holds the fast way to the slow one.
func TestStamps_Fast(t *testing.T) {
	loc := mustZone(t, "Europe/Berlin")
	r := rand.New(rand.NewPCG(3, 4))
	hits := 0
	for _, layout := range []string{"2006-01-02T15:04:05Z", "2006-01-02 15:04", "2006-01-02 15:04:05", "2006-01-02T15:04"} {
		slow, quick := stamper{zone: zoneOf(loc)}, stamper{zone: zoneOf(loc)}
		at := time.Date(2020, 10, 20, 0, 0, 0, 0, time.UTC)
		for range 20000 {
			at = at.Add(time.Duration(1+r.IntN(3)) * time.Minute)
			text := at.In(loc).Format(layout)
			if strings.HasSuffix(layout, "Z") {
				text = at.Format(layout)
			}
			want, err := slow.parse([]byte(text))
			if err != nil {
				t.Fatal(err)
			}
			got, n := int64(0), -1
			if quick.kind != stampUnknown {
				got, n = quick.fast(append([]byte(text+","), make([]byte, padding)...), 0)
			}
			if n < 0 {
				if got, err = quick.parse([]byte(text)); err != nil {
					t.Fatal(err)
				}
			} else if hits++; n != len(text) {
				t.Fatalf("%q: ends at %d", text, n)
			}
			if got != want {
				t.Fatalf("%q: fast %d, slow %d", text, got, want)
			}
		}
	}
	if hits < 70000 {
		t.Errorf("the fast way read %d of 80000", hits)
	}
}

func TestDayNumber(t *testing.T) {
	for d := time.Date(1900, 1, 1, 0, 0, 0, 0, time.UTC); d.Year() <= 2200; d = d.AddDate(0, 0, 1) {
		if got := dayNumber(d.Year(), int(d.Month()), d.Day()); got*86400 != d.Unix() {
			t.Fatal(fmt.Sprint(d, got))
		}
	}
}
