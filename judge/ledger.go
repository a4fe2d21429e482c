package judge

import "context"

// Trial is one complete strategy whose out-of-sample return series was
// computed and could have been chosen. Its Key is its content key, so that a
// rerun counts once.
type Trial struct {
	Key        string    `json:"key"`
	Name       string    `json:"name"`       // readable: "stack h20"
	Instrument string    `json:"instrument"` // as in the recipe
	From       int64     `json:"from"`       // first instant of the out-of-sample range
	To         int64     `json:"to"`
	Days       []int32   `json:"days"`    // trading dates, days since 1970-01-01, ascending
	Returns    []float64 `json:"returns"` // net return of each day, flat days 0
	Inner      bool      `json:"inner"`   // a tuning fit: listed, never counted
}

// Query selects the trials that compete with a candidate: the same instrument
// and an out-of-sample range that shares an instant with [From, To], whatever
// file or bar size they came from.
type Query struct {
	Instrument string
	From, To   int64
}

// Snapshot is the ledger's answer: the counted trials in order of key, and the
// digest of that answer, which is an input of the verdict.
type Snapshot struct {
	Digest string
	Trials []Trial
}

// Ledger counts trials. Recording the same key twice counts once.
type Ledger interface {
	Record(ctx context.Context, t Trial) (added bool, err error)
	Snapshot(ctx context.Context, q Query) (Snapshot, error)
}
