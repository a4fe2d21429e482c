package ingest

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/mlfactory/mlfactory/param"
)

// role is what a column means.
type role uint8

const (
	roleTime role = iota
	roleClock
	roleOpen
	roleHigh
	roleLow
	roleClose
	roleVolume
	roles
)

func (r role) String() string {
	return [...]string{"time", "clock", "open", "high", "low", "close", "volume"}[r]
}

// aliases are the names under which each column is commonly found, lower case,
// without brackets, spaces and underscores; the first match of a file wins, and
// two matches of one role are told apart by the order here.
func aliases(r role) []string {
	switch r {
	case roleTime:
		return []string{"ts", "timestamp", "time", "datetime", "dateandtime", "date", "opentime", "closetime", "unix", "timeutc", "barstart", "barend", "gmttime", "localtime", "index"}
	case roleClock:
		return []string{"time", "clock", "hour", "hhmm", "timeofday"}
	case roleOpen:
		return []string{"open", "o", "openprice", "first"}
	case roleHigh:
		return []string{"high", "h", "highprice", "max"}
	case roleLow:
		return []string{"low", "l", "lowprice", "min"}
	case roleClose:
		return []string{"close", "c", "closeprice", "last", "adjclose"}
	case roleVolume:
		return []string{"volume", "vol", "v", "realvolume", "tickvolume", "tickvol", "volumebtc", "basevolume", "cumvol"}
	}
	return nil
}

func plainName(s string) string {
	s = strings.ToLower(strings.Trim(s, " \t\"'<>()[]\ufeff"))
	return strings.NewReplacer("_", "", " ", "", ".", "", "-", "").Replace(s)
}

// Columns names the columns of a file where the usual names do not serve.
type Columns struct {
	Time   string `yaml:"time" doc:"column of the stamp (or of the date, with clock)"`
	Clock  string `yaml:"clock" doc:"column of the time of day where the stamp is two columns"`
	Open   string `yaml:"open" doc:"column of the first price"`
	High   string `yaml:"high" doc:"column of the highest price"`
	Low    string `yaml:"low" doc:"column of the lowest price"`
	Close  string `yaml:"close" doc:"column of the last price"`
	Volume string `yaml:"volume" doc:"column of the volume"`
}

func (c Columns) of(r role) string {
	return [...]string{c.Time, c.Clock, c.Open, c.High, c.Low, c.Close, c.Volume}[r]
}

// layout maps roles to positions; −1 where there is none.
type layout struct {
	at    [roles]int
	names []string
}

// findColumns maps a header. Time and the four prices are needed.
func findColumns(header []string, want Columns) (layout, error) {
	l := layout{names: header}
	for r := range l.at {
		l.at[r] = -1
	}
	plain := make([]string, len(header))
	for i, h := range header {
		plain[i] = plainName(h)
	}
	var errs []error
	for r := role(0); r < roles; r++ {
		if name := want.of(r); name != "" {
			i := slices.Index(header, name)
			if i < 0 {
				i = slices.Index(plain, plainName(name))
			}
			if i < 0 {
				hint := ""
				if near, ok := param.Nearest(name, header); ok {
					hint = fmt.Sprintf("; did you mean %q?", near)
				}
				errs = append(errs, fmt.Errorf("column %q (for %s) is not in the file%s", name, r, hint))
			}
			l.at[r] = i
		}
	}
	for r := role(0); r < roles; r++ {
		if l.at[r] >= 0 || r == roleClock || want.of(r) != "" {
			continue
		}
		for _, a := range aliases(r) {
			if i := slices.Index(plain, a); i >= 0 {
				l.at[r] = i
				break
			}
		}
	}
	// A date column beside a time column: the stamp is both.
	if t := slices.Index(plain, "time"); want.Time == "" && want.Clock == "" && t >= 0 {
		if d := slices.Index(plain, "date"); d >= 0 {
			l.at[roleTime], l.at[roleClock] = d, t
		}
	}
	for _, r := range []role{roleTime, roleOpen, roleHigh, roleLow, roleClose} {
		if l.at[r] < 0 && want.of(r) == "" {
			errs = append(errs, fmt.Errorf("no column for %s (looked for %s)", r, strings.Join(aliases(r), ", ")))
		}
	}
	if len(errs) > 0 {
		errs = append(errs, fmt.Errorf("the file has the columns %s; name the right ones with columns: in the recipe or --columns time=…,open=…", quoted(header)))
		return l, errors.Join(errs...)
	}
	return l, nil
}

func quoted(names []string) string {
	if len(names) > 20 {
		names = append(slices.Clone(names[:20]), "…")
	}
	out := make([]string, len(names))
	for i, n := range names {
		out[i] = fmt.Sprintf("%q", clip([]byte(n)))
	}
	return strings.Join(out, ", ")
}
