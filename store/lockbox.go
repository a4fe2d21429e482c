package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

// Lockbox is the part of a market's history that is kept back for one last
// look: everything from Start on.
type Lockbox struct {
	Key      string `json:"key"`
	Start    int64  `json:"start"`               // ns UTC; recorded at first use, never moved
	OpenedBy string `json:"opened_by,omitempty"` // run that opened it; empty while unopened
	Used     string `json:"used"`                // log: when Start was recorded
	Opened   string `json:"opened,omitempty"`    // log: when it was opened
}

// Lockbox returns the lockbox of key (an instrument, or whatever the caller
// tells lockboxes apart by). At the first use it records start; later it
// returns what was recorded, whatever start says: compare them to tell the
// user.
func (s *Store) Lockbox(ctx context.Context, key string, start int64) (b Lockbox, err error) {
	err = s.transact(ctx, "use lockbox "+key, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, "INSERT INTO lockbox VALUES (?, ?, '', ?, '') ON CONFLICT DO NOTHING", key, start, stamp()); err != nil {
			return err
		}
		b, err = lockbox(ctx, tx, key)
		return err
	})
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

const lockboxColumns = "SELECT key, start, opened_by, logged_used, logged_opened FROM lockbox"

func scanLockbox(r *sql.Rows) (b Lockbox, err error) {
	return b, r.Scan(&b.Key, &b.Start, &b.OpenedBy, &b.Used, &b.Opened)
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
