package store

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash"
	"math"
	"slices"

	"github.com/mlfactory/mlfactory/judge"
)

var _ judge.Ledger = (*Store)(nil)

// Record adds a trial to the ledger; added is false if its key is counted
// already. A key that was recorded as an inner fit and comes again as a
// strategy is counted from then on; the other way round it stays counted. The
// name that came first is kept; any other difference is ErrConflict.
func (s *Store) Record(ctx context.Context, t judge.Trial) (added bool, err error) {
	if err := checkTrial(t); err != nil {
		return false, fmt.Errorf("store: record trial %q (%s): %w", t.Key, t.Name, err)
	}
	err = s.transact(ctx, "record trial "+t.Key, func(tx *sql.Tx) error {
		old, err := collect(ctx, tx, scanTrial, trialColumns+" WHERE key = ?", t.Key)
		if err != nil {
			return err
		}
		if len(old) == 0 {
			_, err = tx.ExecContext(ctx, "INSERT INTO trial VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
				t.Key, t.Name, t.Instrument, t.From, t.To, packDays(t.Days), packReturns(t.Returns), t.Inner, stamp())
			added = err == nil
			return err
		}
		o := old[0]
		if o.Instrument != t.Instrument || o.From != t.From || o.To != t.To || !slices.Equal(o.Days, t.Days) || !slices.EqualFunc(o.Returns, t.Returns, sameBits) {
			return fmt.Errorf("%w: the key is recorded with other content, so the strategy is not a pure function of its key", ErrConflict)
		}
		if o.Inner && !t.Inner {
			_, err = tx.ExecContext(ctx, "UPDATE trial SET inner_fit = 0 WHERE key = ?", t.Key)
			added = err == nil
		}
		return err
	})
	return added, err
}

func sameBits(a, b float64) bool { return math.Float64bits(a) == math.Float64bits(b) }

func checkTrial(t judge.Trial) error {
	switch {
	case t.Key == "":
		return fmt.Errorf("it has no key")
	case t.Instrument == "":
		return fmt.Errorf("it has no instrument")
	case t.From > t.To:
		return fmt.Errorf("its range is reversed: from %d to %d", t.From, t.To)
	case len(t.Days) != len(t.Returns):
		return fmt.Errorf("it has %d days and %d returns", len(t.Days), len(t.Returns))
	}
	for i := range t.Days {
		if i > 0 && t.Days[i] <= t.Days[i-1] {
			return fmt.Errorf("day %d (index %d) does not come after day %d", t.Days[i], i, t.Days[i-1])
		}
		if math.IsNaN(t.Returns[i]) || math.IsInf(t.Returns[i], 0) {
			return fmt.Errorf("the return of day %d (index %d) is %v", t.Days[i], i, t.Returns[i])
		}
	}
	return nil
}

// Snapshot returns the counted trials of the query's instrument whose range
// shares an instant with the query's, in order of key, and the SHA-256 over
// their content. The digest depends on nothing else: not on the query, on the
// order of recording or on when it was.
func (s *Store) Snapshot(ctx context.Context, q judge.Query) (judge.Snapshot, error) {
	if q.From > q.To {
		return judge.Snapshot{}, fmt.Errorf("store: ledger snapshot: range is reversed: from %d to %d", q.From, q.To)
	}
	trials, err := collect(ctx, s.db, scanTrial,
		trialColumns+" WHERE instrument = ? AND inner_fit = 0 AND first <= ? AND last >= ? ORDER BY key", q.Instrument, q.To, q.From)
	if err != nil {
		return judge.Snapshot{}, s.dbError("ledger snapshot", err)
	}
	return judge.Snapshot{Digest: TrialsDigest(trials), Trials: trials}, nil
}

// Trials lists every trial, inner fits too, in order of key.
func (s *Store) Trials(ctx context.Context) ([]judge.Trial, error) {
	trials, err := collect(ctx, s.db, scanTrial, trialColumns+" ORDER BY key")
	return trials, s.dbError("list trials", err)
}

// MergeLedger records every trial of another project here and returns how many
// were new.
func (s *Store) MergeLedger(ctx context.Context, from *Store) (added int, err error) {
	trials, err := from.Trials(ctx)
	if err != nil {
		return 0, err
	}
	for _, t := range trials {
		ok, err := s.Record(ctx, t)
		if err != nil {
			return added, err
		}
		if ok {
			added++
		}
	}
	return added, nil
}

// TrialsDigest returns the SHA-256 over the content of trials in the order
// given: each text preceded by its length, numbers as eight bytes, little
// endian.
func TrialsDigest(trials []judge.Trial) string {
	h := sha256.New()
	text(h, "mlfactory trials 1")
	number(h, uint64(len(trials)))
	for _, t := range trials {
		text(h, t.Key)
		text(h, t.Name)
		text(h, t.Instrument)
		number(h, uint64(t.From))
		number(h, uint64(t.To))
		if t.Inner {
			number(h, 1)
		} else {
			number(h, 0)
		}
		number(h, uint64(len(t.Days)))
		h.Write(packDays(t.Days))
		h.Write(packReturns(t.Returns))
	}
	return hex.EncodeToString(h.Sum(nil))
}

func number(h hash.Hash, v uint64) { h.Write(binary.LittleEndian.AppendUint64(nil, v)) }

func text(h hash.Hash, v string) {
	number(h, uint64(len(v)))
	h.Write([]byte(v))
}

const trialColumns = "SELECT key, name, instrument, first, last, days, returns, inner_fit FROM trial"

func scanTrial(r *sql.Rows) (t judge.Trial, err error) {
	var days, returns []byte
	if err := r.Scan(&t.Key, &t.Name, &t.Instrument, &t.From, &t.To, &days, &returns, &t.Inner); err != nil {
		return t, err
	}
	if len(days)%4 != 0 || len(returns)%8 != 0 || len(days)/4 != len(returns)/8 {
		return t, fmt.Errorf("%w: trial %s has %d bytes of days and %d of returns", ErrDatabase, t.Key, len(days), len(returns))
	}
	t.Days = make([]int32, len(days)/4)
	t.Returns = make([]float64, len(t.Days))
	for i := range t.Days {
		t.Days[i] = int32(binary.LittleEndian.Uint32(days[4*i:]))
		t.Returns[i] = math.Float64frombits(binary.LittleEndian.Uint64(returns[8*i:]))
	}
	return t, nil
}

func packDays(days []int32) []byte {
	b := make([]byte, 0, 4*len(days))
	for _, d := range days {
		b = binary.LittleEndian.AppendUint32(b, uint32(d))
	}
	return b
}

func packReturns(returns []float64) []byte {
	b := make([]byte, 0, 8*len(returns))
	for _, r := range returns {
		b = binary.LittleEndian.AppendUint64(b, math.Float64bits(r))
	}
	return b
}
