package ingest

import (
	"time"

	"github.com/mlfactory/mlfactory/bar"
)

// Kind is a kind of finding.
type Kind uint8

// Kinds of findings, in the order of the report.
const (
	MissingPrice Kind = iota
	NonPositive
	Duplicate
	OutOfOrder
	HighBelowLow
	Inconsistent
	NegativeVolume
	ZeroVolume
	Jump
	Released
	BadPrint
	Unconfirmed
	kinds
)

func (k Kind) String() string {
	return [...]string{"missing price", "non-positive price", "duplicate stamp", "out of order", "high below low",
		"high or low inconsistent", "negative volume", "zero volume", "jump held", "jump confirmed",
		"bad print dropped", "jump never confirmed"}[k]
}

// Finding is one row that was dropped, repaired or held.
type Finding struct {
	Kind  string  `json:"kind"`
	Line  int64   `json:"line"`
	Time  string  `json:"time"`
	Open  float64 `json:"-"`
	Close float64 `json:"-"`
	Text  string  `json:"text"`
}

// Count is how often a kind of finding occurred.
type Count struct {
	Kind string `json:"kind"`
	N    int64  `json:"n"`
}

// listed is the number of findings of one kind that are listed in full.
const listed = 200

// Report says what was read and what was done to it.
type Report struct {
	Source    string      `json:"source"` // format: csv, parquet, generated …; never a path
	Rows      int64       `json:"rows"`
	Accepted  int64       `json:"accepted"`
	First     string      `json:"first"`
	Last      string      `json:"last"`
	Timeframe string      `json:"timeframe"`
	Stamps    string      `json:"stamps"`
	Assumed   bool        `json:"stamps_assumed"` // the side of the stamps is the user's assumption
	Zone      string      `json:"zone"`
	Columns   [][2]string `json:"columns"` // role, name in the file
	Volume    int64       `json:"rows_with_volume"`
	NoTrade   int64       `json:"minutes_without_trade"`
	Sessions  int         `json:"sessions"`
	Outages   int         `json:"outages"`
	OffClock  int64       `json:"rows_outside_scheduled_hours"`
	Counts    []Count     `json:"counts"`
	Findings  []Finding   `json:"findings"` // at most 200 of each kind
	Notes     []string    `json:"notes"`

	counts [kinds]int64
}

func (r *Report) note(k Kind, b *bar.Bar, line int64, text string) {
	r.counts[k]++
	if r.counts[k] <= listed {
		r.Findings = append(r.Findings, Finding{Kind: k.String(), Line: line, Time: stampText(b.End), Open: b.Open, Close: b.Close, Text: text})
	}
}

// N is the number of findings of kind k.
func (r *Report) N(k Kind) int64 { return r.counts[k] }

func (r *Report) finish() {
	r.Counts = r.Counts[:0]
	for k := Kind(0); k < kinds; k++ {
		if r.counts[k] > 0 {
			r.Counts = append(r.Counts, Count{k.String(), r.counts[k]})
		}
	}
}

func stampText(t int64) string { return time.Unix(0, t).UTC().Format(time.RFC3339Nano) }

func (r *Report) firstLine(k Kind) int64 {
	for _, f := range r.Findings {
		if f.Kind == k.String() {
			return f.Line
		}
	}
	return 0
}
