package judge

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math"
	"slices"
	"sync"
)

// Matches reports whether t competes under q: the same instrument and an
// out-of-sample range that shares an instant with [From, To].
func (q Query) Matches(t Trial) bool {
	return t.Instrument == q.Instrument && t.From <= q.To && q.From <= t.To
}

// Check refuses a trial that cannot be counted: no key or instrument, a range
// that ends before it begins, days that do not ascend or do not pair with
// returns, a return that is not finite.
func (t Trial) Check() error {
	switch {
	case t.Key == "":
		return fmt.Errorf("judge: trial %q has no key", t.Name)
	case t.Instrument == "":
		return fmt.Errorf("judge: trial %s has no instrument", t.Key)
	case t.To < t.From:
		return fmt.Errorf("judge: trial %s ends at %d before it begins at %d", t.Key, t.To, t.From)
	}
	if err := checkSeries(t.Days, t.Returns); err != nil {
		return fmt.Errorf("judge: trial %s: %w", t.Key, err)
	}
	return nil
}

// checkSeries refuses days that do not ascend or do not pair with values, and
// values that are not finite.
func checkSeries(days []int32, x []float64) error {
	if len(days) != len(x) {
		return fmt.Errorf("%d days and %d returns", len(days), len(x))
	}
	for i, r := range x {
		if i > 0 && days[i] <= days[i-1] {
			return fmt.Errorf("day %s (position %d) does not come after %s", date(days[i]), i, date(days[i-1]))
		}
		if math.IsNaN(r) || math.IsInf(r, 0) {
			return fmt.Errorf("return of %s (position %d) is %v", date(days[i]), i, r)
		}
	}
	return nil
}

// Digest is the SHA-256 of trials in order of key, over every field: each text
// preceded by its length, numbers as eight bytes, days as four, little endian.
// It is the form of [Snapshot.Digest] for every ledger. The order of the
// argument does not matter; keys are unique.
func Digest(trials []Trial) string {
	byKey := slices.Clone(trials)
	slices.SortFunc(byKey, func(a, b Trial) int { return cmp.Compare(a.Key, b.Key) })
	h := sha256.New()
	buf := appendText(nil, "mlfactory trials 1")
	buf = binary.LittleEndian.AppendUint64(buf, uint64(len(byKey)))
	for _, t := range byKey {
		h.Write(buf)
		buf = t.appendContent(buf[:0])
	}
	h.Write(buf)
	return hex.EncodeToString(h.Sum(nil))
}

func appendText(b []byte, s string) []byte {
	return append(binary.LittleEndian.AppendUint64(b, uint64(len(s))), s...)
}

// appendContent writes every field.
func (t Trial) appendContent(b []byte) []byte {
	u64 := func(v uint64) { b = binary.LittleEndian.AppendUint64(b, v) }
	for _, s := range []string{t.Key, t.Name, t.Instrument} {
		b = appendText(b, s)
	}
	u64(uint64(t.From))
	u64(uint64(t.To))
	if t.Inner {
		u64(1)
	} else {
		u64(0)
	}
	u64(uint64(len(t.Days)))
	for _, d := range t.Days {
		b = binary.LittleEndian.AppendUint32(b, uint32(d))
	}
	for _, r := range t.Returns {
		u64(math.Float64bits(r))
	}
	return b
}

// NewSnapshot is the answer to q from any list of trials: inner trials and
// those that do not compete are left out, a key counts once, the rest is in
// order of key. The same key with different content is an error: the key is the
// content's, so one of the two is not what it says.
func NewSnapshot(q Query, trials []Trial) (Snapshot, error) {
	m := MemoryLedger{}
	for _, t := range trials {
		if _, err := m.record(t); err != nil {
			return Snapshot{}, err
		}
	}
	return m.snapshot(q), nil
}

// MergeSnapshots joins the answers of several ledgers to the same q.
func MergeSnapshots(q Query, parts ...Snapshot) (Snapshot, error) {
	var all []Trial
	for _, p := range parts {
		all = append(all, p.Trials...)
	}
	return NewSnapshot(q, all)
}

// MemoryLedger is a [Ledger] in memory, for tests and for runs that keep no
// store. The zero value is ready; it is safe for concurrent use.
type MemoryLedger struct {
	mu     sync.Mutex
	trials map[string]Trial
}

var _ Ledger = (*MemoryLedger)(nil)

// Record adds t; see [Ledger]. A trial first seen as inner and later as a whole
// strategy is counted from then on, never the other way round. The name that
// came first is kept; any other difference under one key is an error.
func (m *MemoryLedger) Record(ctx context.Context, t Trial) (bool, error) {
	if err := ctx.Err(); err != nil {
		return false, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.record(t)
}

func (m *MemoryLedger) record(t Trial) (bool, error) {
	if err := t.Check(); err != nil {
		return false, err
	}
	old, ok := m.trials[t.Key]
	if ok {
		a, b := old, t
		a.Inner, b.Inner = false, false
		b.Name = a.Name
		if !slices.Equal(a.appendContent(nil), b.appendContent(nil)) {
			return false, fmt.Errorf("judge: trial %s is in the ledger with other content: a key names one record", t.Key)
		}
		if old.Inner && !t.Inner {
			old.Inner = false
			m.trials[t.Key] = old
			return true, nil
		}
		return false, nil
	}
	if m.trials == nil {
		m.trials = map[string]Trial{}
	}
	t.Days, t.Returns = slices.Clone(t.Days), slices.Clone(t.Returns)
	m.trials[t.Key] = t
	return true, nil
}

// Snapshot answers q; see [Ledger].
func (m *MemoryLedger) Snapshot(ctx context.Context, q Query) (Snapshot, error) {
	if err := ctx.Err(); err != nil {
		return Snapshot{}, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.snapshot(q), nil
}

func (m *MemoryLedger) snapshot(q Query) Snapshot {
	out := Snapshot{}
	for _, t := range m.all() {
		if !t.Inner && q.Matches(t) {
			t.Days, t.Returns = slices.Clone(t.Days), slices.Clone(t.Returns)
			out.Trials = append(out.Trials, t)
		}
	}
	out.Digest = Digest(out.Trials)
	return out
}

// all is every trial in order of key.
func (m *MemoryLedger) all() []Trial {
	out := make([]Trial, 0, len(m.trials))
	for _, t := range m.trials {
		out = append(out, t)
	}
	slices.SortFunc(out, func(a, b Trial) int { return cmp.Compare(a.Key, b.Key) })
	return out
}

// Trials are all trials, inner ones too, in order of key.
func (m *MemoryLedger) Trials() []Trial {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.all()
}

// Merge records every trial of o into m.
func (m *MemoryLedger) Merge(ctx context.Context, o *MemoryLedger) error {
	for _, t := range o.Trials() {
		if _, err := m.Record(ctx, t); err != nil {
			return err
		}
	}
	return nil
}
