package calendar

import "slices"

// Names of the built-in calendars.
const (
	Always  = "24/7"     // UTC days
	NYSE    = "NYSE"     // New York, 9:30–16:00
	NYSEExt = "NYSE-EXT" // New York, 4:00–20:00, pre- and post-market included
	CME     = "CME"      // Globex equity indices, 17:00–16:00 Chicago
	CBOT    = "CBOT"     // Globex interest rates, 17:00–16:00 Chicago
	NYMEX   = "NYMEX"    // Globex metals and energy, 17:00–16:00 Chicago
	Eurex   = "EUREX"    // index futures, Frankfurt
	NSE     = "NSE"      // India, 9:15–15:30
	Synth   = "SYNTH"    // generated markets: New York, 9:30–16:00, no holidays
)

// builtin describes the built-in calendars. Every weekday of NYSE (1993–2040),
// CME, CBOT and NYMEX (2016–2030) and EUREX (2006–2040) was compared with public
// calendar libraries: golden_test.go names the differences.
func builtin() []Spec {
	return []Spec{
		{Name: Always, Zone: "UTC", Continuous: true},
		{Name: NYSE, Zone: "America/New_York",
			Sessions:   []Hours{{Days: "mon-fri", Open: "09:30", Close: "16:00"}},
			Exceptions: append(nyseHolidays(), nyseEarly("13:00")...)},
		// Pre-market from 4:00; on early-close days trading ends at 17:00.
		{Name: NYSEExt, Zone: "America/New_York",
			Sessions:   []Hours{{Days: "mon-fri", Open: "04:00", Close: "20:00"}},
			Exceptions: append(nyseHolidays(), nyseEarly("17:00")...)},
		// Until 2015-09-18 the day ended at 16:15 with a halt 15:15–15:30; then at
		// 16:00 with the same halt, until that was dropped on 2021-06-27.
		{Name: CME, Zone: "America/Chicago",
			Sessions: []Hours{
				{Days: "mon-fri", Open: "17:00", OpenDay: -1, Close: "16:15", Breaks: []string{"15:15-15:30"}, Until: "2015-09-18"},
				{Days: "mon-fri", Open: "17:00", OpenDay: -1, Close: "16:00", Breaks: []string{"15:15-15:30"}, From: "2015-09-21", Until: "2021-06-25"},
				{Days: "mon-fri", Open: "17:00", OpenDay: -1, Close: "16:00", From: "2021-06-28"},
			},
			Exceptions: slices.Concat(cmeHolidays("12:00", 0, 0), cmeEves("12:15"), julyEve("12:15"), cmeClosed(), goodFridays("08:15"))},
		{Name: CBOT, Zone: "America/Chicago",
			Sessions:   []Hours{{Days: "mon-fri", Open: "17:00", OpenDay: -1, Close: "16:00"}},
			Exceptions: slices.Concat(cmeHolidays("12:00", 0, 0), cmeEves("12:15"), cmeClosed(), goodFridays("10:15"))},
		// Holidays ended at 12:00 until 2021 and at 13:30 since.
		{Name: NYMEX, Zone: "America/Chicago",
			Sessions: []Hours{
				{Days: "mon-fri", Open: "17:00", OpenDay: -1, Close: "16:15", Until: "2015-09-18"},
				{Days: "mon-fri", Open: "17:00", OpenDay: -1, Close: "16:00", From: "2015-09-21"},
			},
			Exceptions: slices.Concat(cmeHolidays("12:00", 0, 2021), cmeHolidays("13:30", 2022, 0), cmeEves("12:45"), cmeClosed())},
		// Index futures (FESX). The dates of the steps before 2018 are approximate:
		// evening trading until 22:00 began in November 2005, the earlier open of
		// 7:50 by 2009, the Asian hours from 1:10 on 2018-12-10.
		{Name: Eurex, Zone: "Europe/Berlin",
			Sessions: []Hours{
				{Days: "mon-fri", Open: "09:00", Close: "20:00", Until: "2005-11-18"},
				{Days: "mon-fri", Open: "09:00", Close: "22:00", From: "2005-11-21", Until: "2008-12-31"},
				{Days: "mon-fri", Open: "07:50", Close: "22:00", From: "2009-01-01", Until: "2018-12-07"},
				{Days: "mon-fri", Open: "01:10", Close: "22:00", From: "2018-12-10"},
			},
			Exceptions: []Exception{
				{Name: "New Year", On: "01-01"}, {Name: "Good Friday", On: "easter-2"}, {Name: "Easter Monday", On: "easter+1"},
				{Name: "Labour Day", On: "05-01"}, {Name: "Christmas Eve", On: "12-24"}, {Name: "Christmas Day", On: "12-25"},
				{Name: "Boxing Day", On: "12-26"}, {Name: "New Year's Eve", On: "12-31"},
			}},
		{Name: NSE, Zone: "Asia/Kolkata",
			Sessions:    []Hours{{Days: "mon-fri", Open: "09:15", Close: "15:30"}},
			Exceptions:  nseDays(),
			MissingDays: 3, DaysPerYear: 247},
		{Name: Synth, Zone: "America/New_York",
			Sessions: []Hours{{Days: "mon-fri", Open: "09:30", Close: "16:00"}}},
	}
}

func closed(name string, dates ...string) []Exception {
	var out []Exception
	for _, d := range dates {
		out = append(out, Exception{Name: name, On: d})
	}
	return out
}

func nyseHolidays() []Exception {
	out := []Exception{
		{Name: "New Year", On: "01-01", Observed: "monday"},
		{Name: "Martin Luther King Day", On: "3 mon jan", From: 1998},
		{Name: "Washington's Birthday", On: "3 mon feb"},
		{Name: "Good Friday", On: "easter-2"},
		{Name: "Memorial Day", On: "last mon may"},
		{Name: "Juneteenth", On: "06-19", Observed: "nearest", From: 2022},
		{Name: "Independence Day", On: "07-04", Observed: "nearest"},
		{Name: "Labor Day", On: "1 mon sep"},
		{Name: "Thanksgiving", On: "4 thu nov"},
		{Name: "Christmas", On: "12-25", Observed: "nearest"},
	}
	out = append(out, closed("hurricane Gloria", "1985-09-27")...)
	out = append(out, closed("day of mourning", "1994-04-27", "2004-06-11", "2007-01-02", "2018-12-05", "2025-01-09")...)
	out = append(out, closed("September 11", "2001-09-11", "2001-09-12", "2001-09-13", "2001-09-14")...)
	return append(out, closed("hurricane Sandy", "2012-10-29", "2012-10-30")...)
}

// nyseEarly are the days that end early; the holidays' own observed days never
// fall on them.
func nyseEarly(at string) []Exception {
	return []Exception{
		{Name: "day after Thanksgiving", On: "4 thu nov +1", Close: at, From: 1993},
		{Name: "Christmas Eve", On: "12-24", Only: "mon-thu", Close: at, From: 1993},
		{Name: "before Independence Day", On: "07-03", Only: "mon,tue,thu", Close: at, From: 1995},
		{Name: "before Independence Day", On: "07-03", Only: "wed", Close: at, From: 2013},
		{Name: "after Independence Day", On: "07-05", Only: "fri", Close: at, From: 1996, Until: 2012},
		{Name: "after Christmas", On: "2003-12-26", Close: at},
		{Name: "before New Year 2000", On: "1999-12-31", Close: at},
		{Name: "after Christmas", On: "1997-12-26", Close: at},
	}
}

// cmeHolidays are the United States holidays on which Globex trades until noon
// or so.
func cmeHolidays(noon string, from, until int) []Exception {
	day := func(name, on, observed string) Exception {
		return Exception{Name: name, On: on, Observed: observed, Close: noon, From: from, Until: until}
	}
	out := []Exception{
		day("Martin Luther King Day", "3 mon jan", ""), day("Washington's Birthday", "3 mon feb", ""),
		day("Memorial Day", "last mon may", ""), day("Independence Day", "07-04", "nearest"),
		day("Labor Day", "1 mon sep", ""), day("Thanksgiving", "4 thu nov", ""), day("Juneteenth", "06-19", "nearest"),
	}
	out[0].From = max(from, 1998)
	out[6].From = max(from, 2022)
	return slices.DeleteFunc(out, func(e Exception) bool { return e.Until != 0 && e.From > e.Until })
}

// cmeEves are the early closes of Globex around its holidays.
func cmeEves(eve string) []Exception {
	return []Exception{
		{Name: "day after Thanksgiving", On: "4 thu nov +1", Close: eve},
		{Name: "Christmas Eve", On: "12-24", Only: "mon-thu", Close: eve},
	}
}

func julyEve(at string) []Exception {
	return []Exception{{Name: "before Independence Day", On: "07-03", Only: "mon-thu", Close: at}}
}

// cmeClosed are the days on which Globex is closed.
func cmeClosed() []Exception {
	return []Exception{
		{Name: "New Year", On: "01-01", Observed: "monday"},
		{Name: "Good Friday", On: "easter-2"},
		{Name: "Christmas", On: "12-25", Observed: "nearest"},
	}
}

// goodFridays are those on the first Friday of April, with an employment report,
// when equity and interest rate futures trade in the morning.
func goodFridays(close string) []Exception {
	var out []Exception
	for _, d := range []string{"2010-04-02", "2012-04-06", "2015-04-03", "2021-04-02", "2023-04-07", "2026-04-03"} {
		out = append(out, Exception{Name: "Good Friday with an employment report", On: d, Close: close})
	}
	return out
}

// nseDays: the holidays with fixed rules and the special sessions of 2012 to
// 2020 (Muhurat trading on Diwali, budget Saturdays, tests of the disaster site).
// The others follow the lunar calendars and are tolerated by MissingDays.
func nseDays() []Exception {
	out := []Exception{
		{Name: "Republic Day", On: "01-26"}, {Name: "Good Friday", On: "easter-2"}, {Name: "Ambedkar Jayanti", On: "04-14"},
		{Name: "Maharashtra Day", On: "05-01"}, {Name: "Independence Day", On: "08-15"}, {Name: "Gandhi Jayanti", On: "10-02"},
		{Name: "Christmas", On: "12-25"},
	}
	special := func(name, date, open, close string) {
		out = append(out, Exception{Name: name, On: date, Open: open, Close: close})
	}
	special("Muhurat", "2012-11-13", "15:45", "17:00")
	special("Muhurat", "2013-11-03", "18:15", "19:15")
	special("Muhurat", "2014-10-23", "18:15", "19:30")
	special("Muhurat", "2015-11-11", "17:45", "18:45")
	special("Muhurat", "2016-10-30", "18:30", "19:30")
	special("Muhurat", "2017-10-19", "18:30", "19:30")
	special("Muhurat", "2018-11-07", "17:30", "18:30")
	special("Muhurat", "2019-10-27", "18:15", "19:15")
	special("Muhurat", "2020-11-14", "18:15", "19:15")
	special("test of the disaster site", "2013-05-11", "11:15", "12:45")
	special("test of the disaster site", "2014-03-22", "11:15", "12:45")
	special("budget", "2015-02-28", "09:15", "15:30")
	special("budget", "2020-02-01", "09:15", "15:30")
	return out
}
