package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

// Lockbox is a part of an instrument's history that is kept back for one last
// look: the decisions in [Start, End). What led to it was developed on the
// decisions in [From, Start).
type Lockbox struct {
	Key        string `json:"key"`
	Instrument string `json:"instrument"`            // empty in a record of schema 1, whose key begins with it
	From       int64  `json:"from"`                  // ns UTC; Start where nobody knows
	Start      int64  `json:"start"`                 // recorded at first use, never moved
	End        int64  `json:"end"`                   // where the files known so far end; 0 where nobody knows
	By         string `json:"recorded_by,omitempty"` // run that recorded it
	OpenedBy   string `json:"opened_by,omitempty"`   // who opened it; empty while unopened
	Used       string `json:"used"`                  // log: when Start was recorded
	Opened     string `json:"opened,omitempty"`      // log: when it was opened
}

// Locked says whether nothing may be developed on the decisions in [Start, End).
func (b *Lockbox) Locked() bool { return b.OpenedBy == "" && b.Start < b.End }

// UseLockbox decides which lockbox a run on an instrument has. place is given
// all that are recorded for the instrument, in order of start and key, and
// returns the one to use: a new one, which is recorded, or one of those with
// another From or End. Of these the earlier From is kept and, while the lockbox
// is unopened, the later End; Start and the rest never change. An error of place
// is returned as it is. All of it is one transaction, so two runs at once see
// each other's.
func (s *Store) UseLockbox(ctx context.Context, instrument string, place func(known []Lockbox) (Lockbox, error)) (b Lockbox, err error) {
	var refused error
	err = s.transact(ctx, "use lockbox of "+instrument, func(tx *sql.Tx) error {
		known, err := collect(ctx, tx, scanLockbox, lockboxColumns+
			" WHERE instrument = ?1 OR instrument = '' AND (key = ?1 OR substr(key, 1, length(?1) + 1) = ?1 || '/') ORDER BY start, key", instrument)
		if err != nil {
			return err
		}
		want, err := place(known)
		if err != nil {
			refused = err
			return err
		}
		if _, err := tx.ExecContext(ctx, `INSERT INTO lockbox (key, start, opened_by, logged_used, logged_opened, instrument, dev_from, stop, recorded_by)
			VALUES (?, ?, '', ?, '', ?, ?, ?, ?) ON CONFLICT (key) DO UPDATE SET instrument = excluded.instrument,
			dev_from = min(dev_from, excluded.dev_from), stop = CASE WHEN opened_by = '' THEN max(stop, excluded.stop) ELSE stop END`,
			want.Key, want.Start, stamp(), instrument, want.From, want.End, want.By); err != nil {
			return err
		}
		if b, err = lockbox(ctx, tx, want.Key); err == nil && b.Start != want.Start {
			err = fmt.Errorf("%w: lockbox %s begins at %d, not at %d", ErrConflict, b.Key, b.Start, want.Start)
		}
		return err
	})
	if refused != nil {
		return Lockbox{}, refused
	}
	return b, err
}

// OpenLockbox records that run opens the lockbox of key. It can be opened once:
// for another run it is ErrLockboxOpened, for the same run (which was killed
// and goes on) it succeeds again.
func (s *Store) OpenLockbox(ctx context.Context, key, run string) (b Lockbox, err error) {
	if run == "" {
		return Lockbox{}, fmt.Errorf("store: open lockbox %s: no run given", key)
	}
	err = s.transact(ctx, "open lockbox "+key, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, "UPDATE lockbox SET opened_by = ?, logged_opened = ? WHERE key = ? AND opened_by = ''", run, stamp(), key); err != nil {
			return err
		}
		if b, err = lockbox(ctx, tx, key); err != nil {
			return err
		}
		if b.OpenedBy != run {
			return fmt.Errorf("%w by run %s at %s: its rows are burnt; wait for new data", ErrLockboxOpened, b.OpenedBy, b.Opened)
		}
		return nil
	})
	return b, err
}

// Lockboxes lists all lockboxes in order of key.
func (s *Store) Lockboxes(ctx context.Context) ([]Lockbox, error) {
	all, err := collect(ctx, s.db, scanLockbox, lockboxColumns+" ORDER BY key")
	return all, s.dbError("list lockboxes", err)
}

const lockboxColumns = "SELECT key, instrument, dev_from, start, stop, recorded_by, opened_by, logged_used, logged_opened FROM lockbox"

func scanLockbox(r *sql.Rows) (b Lockbox, err error) {
	return b, r.Scan(&b.Key, &b.Instrument, &b.From, &b.Start, &b.End, &b.By, &b.OpenedBy, &b.Used, &b.Opened)
}

func lockbox(ctx context.Context, q querier, key string) (Lockbox, error) {
	found, err := collect(ctx, q, scanLockbox, lockboxColumns+" WHERE key = ?", key)
	if err == nil && len(found) == 0 {
		err = errors.Join(ErrNotFound, fmt.Errorf("lockbox %q was never used", key))
	}
	if err != nil {
		return Lockbox{}, err
	}
	return found[0], nil
}
