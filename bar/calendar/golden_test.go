package calendar_test

import (
	"encoding/json"
	"os"
	"testing"
	"time"

	"github.com/mlfactory/mlfactory/bar/calendar"
)

// Every weekday of the built-in calendars against public calendar libraries.
func TestGolden(t *testing.T) {
	raw, err := os.ReadFile("testdata/golden/calendars.json")
	if err != nil {
		t.Fatal(err)
	}
	var golden map[string]struct {
		First, Last string
		Closed      []string
		Close       map[string]string
	}
	if err := json.Unmarshal(raw, &golden); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"NYSE", "EUREX", "CME", "CBOT", "NYMEX"} {
		g := golden[name]
		cal := mustCal(t, name)
		closed := map[string]bool{}
		for _, d := range g.Closed {
			closed[d] = true
		}
		usual := map[string]string{"NYSE": "16:00", "EUREX": "22:00", "CME": "16:00", "CBOT": "16:00", "NYMEX": "16:00"}[name]
		sessions := map[string]calendar.Session{}
		for _, s := range cal.Sessions(at(t, g.First+"T00:00:00Z")-86400e9, at(t, g.Last+"T23:00:00Z")) {
			sessions[s.Date()] = s
		}
		days := 0
		for d := at(t, g.First+"T00:00:00Z"); d <= at(t, g.Last+"T00:00:00Z"); d += 86400e9 {
			date := time.Unix(0, d).UTC().Format(time.DateOnly)
			wd := time.Unix(0, d).UTC().Weekday()
			got, want := "", ""
			if s, ok := sessions[date]; ok {
				got = time.Unix(0, s.Close).In(cal.Zone()).Format("15:04")
			}
			if wd != time.Saturday && wd != time.Sunday && !closed[date] {
				want = usual
				if c := g.Close[date]; c != "" {
					want = c
				}
			}
			days++
			if got != want && !excused(name, date, got) {
				t.Errorf("%s %s %s: closes %q, reference %q", name, date, wd, got, want)
			}
		}
		if days < 3000 {
			t.Errorf("%s: only %d days", name, days)
		}
	}
}

// excused are the days on which we are right and the reference is not.
func excused(name, date, got string) bool {
	switch {
	case name == "CME" || name == "CBOT":
		// The reference opens on every Good Friday since 2021; the exchange does
		// when the employment report is due, on the first Friday of April.
		switch date {
		case "2024-03-29", "2025-04-18", "2027-03-26", "2028-04-14", "2029-03-30", "2030-04-19":
			return got == ""
		}
	case name == "NYMEX" && date[5:] == "12-24":
		return got == "12:45" // the reference has this early close in 2026 only
	case name == "NYMEX" && date[5:8] == "09-":
		return got == "13:30" // Labor Day: like the other holidays (the reference agrees in 2026)
	case name == "NYMEX":
		switch date { // announced for 2026 otherwise than in every other year
		case "2026-06-19", "2026-07-03":
			return got == "13:30"
		case "2026-11-27":
			return got == "12:45"
		}
	}
	return false
}
