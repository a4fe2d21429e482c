package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Result is what a stage computed: everything that its key stands for and the
// objects it made.
type Result struct {
	Key     string
	Name    string   // of the node that computed it first
	Kind    string   // "features", "fit" …
	Code    string   // code version
	Params  string   // canonical parameters
	Inputs  []string // keys of the stages it read, in order
	Outputs []Output // in order of name
	Seconds float64  // log: how long it took
}

// Stage statuses of an attempt.
const (
	StageCached = "cached" // the result was there
	StageRan    = "ran"    // this attempt computed it
)

// Use says that an attempt at a run used a stage's result.
type Use struct {
	Name    string // of the node
	Key     string
	Status  string // StageCached or StageRan
	Seconds float64
}

// SaveResult records a result, whose objects are in place, in one transaction,
// and that attempt (nil for none) has run it. A result that was there under the
// key is replaced. changed tells that it had other outputs, which means that
// the stage is not a pure function of its key.
func (s *Store) SaveResult(ctx context.Context, r Result, attempt *Attempt) (changed bool, err error) {
	if r.Key == "" || len(r.Outputs) == 0 {
		return false, fmt.Errorf("store: save result %q of %s: a key and at least one output are needed", r.Key, r.Name)
	}
	for i, o := range r.Outputs {
		if !validDigest(o.Digest) || o.Name == "" || i > 0 && r.Outputs[i-1].Name >= o.Name {
			return false, fmt.Errorf("store: save result %s of %s: outputs must have digests and distinct names in order, output %d (%q) has not", r.Key, r.Name, i, o.Name)
		}
	}
	err = s.transact(ctx, "save result of "+r.Name, func(tx *sql.Tx) error {
		old, err := outputsOf(ctx, tx, r.Key)
		if err != nil {
			return err
		}
		changed = len(old) > 0 && !slices.Equal(old, r.Outputs)
		if _, err := tx.ExecContext(ctx, "DELETE FROM stage WHERE key = ?", r.Key); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, "INSERT INTO stage VALUES (?, ?, ?, ?, ?, ?, ?)",
			r.Key, r.Name, r.Kind, r.Code, r.Params, r.Seconds, stamp()); err != nil {
			return err
		}
		for i, in := range r.Inputs {
			if _, err := tx.ExecContext(ctx, "INSERT INTO stage_input VALUES (?, ?, ?)", r.Key, i, in); err != nil {
				return err
			}
		}
		for _, o := range r.Outputs {
			if _, err := tx.ExecContext(ctx, "INSERT INTO stage_output VALUES (?, ?, ?, ?, ?)", r.Key, o.Name, o.Digest, o.Size, o.Logical); err != nil {
				return err
			}
		}
		if attempt == nil {
			return nil
		}
		return attempt.use(ctx, tx, Use{Name: r.Name, Key: r.Key, Status: StageRan, Seconds: r.Seconds})
	})
	return changed, err
}

// querier is what reading needs: a database or a transaction.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// collect reads all rows of a query.
func collect[T any](ctx context.Context, q querier, scan func(*sql.Rows) (T, error), query string, args ...any) ([]T, error) {
	rows, err := q.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close() // rows.Err tells what went wrong
	var all []T
	for rows.Next() {
		v, err := scan(rows)
		if err != nil {
			return nil, err
		}
		all = append(all, v)
	}
	return all, rows.Err()
}

func outputsOf(ctx context.Context, q querier, key string) ([]Output, error) {
	return collect(ctx, q, func(r *sql.Rows) (o Output, err error) {
		return o, r.Scan(&o.Name, &o.Digest, &o.Size, &o.Logical)
	}, "SELECT name, digest, size, logical FROM stage_output WHERE stage = ? ORDER BY name", key)
}

func scanString(r *sql.Rows) (v string, err error) { return v, r.Scan(&v) }

// Outputs returns what the stage with this key made, or ErrNotFound. It does
// not look at the objects: [Store.Object] does.
func (s *Store) Outputs(ctx context.Context, key string) ([]Output, error) {
	outs, err := outputsOf(ctx, s.db, key)
	if err != nil {
		return nil, s.dbError("read stage "+key, err)
	}
	if len(outs) == 0 {
		return nil, fmt.Errorf("store: stage %s: %w", key, ErrNotFound)
	}
	return outs, nil
}

// Ready returns the outputs of a stage if it has a result and all its objects
// pass the checks of [Store.Object]; otherwise ok is false and the stage must
// run (again).
func (s *Store) Ready(ctx context.Context, key string) (outs []Output, ok bool, err error) {
	outs, err = s.Outputs(ctx, key)
	if errors.Is(err, ErrNotFound) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, err
	}
	for _, o := range outs {
		if _, err := s.Object(o); errors.Is(err, ErrNotFound) || errors.Is(err, ErrDamaged) {
			return nil, false, nil
		} else if err != nil {
			return nil, false, err
		}
	}
	return outs, true, nil
}

// Result returns all that is recorded about a stage; key may be any unambiguous
// beginning of one.
func (s *Store) Result(ctx context.Context, key string) (Result, error) {
	found, err := collect(ctx, s.db, func(r *sql.Rows) (v Result, err error) {
		return v, r.Scan(&v.Key, &v.Name, &v.Kind, &v.Code, &v.Params, &v.Seconds)
	}, "SELECT key, name, kind, code, params, seconds FROM stage WHERE substr(key, 1, ?) = ? ORDER BY key LIMIT 2", len(key), key)
	if err != nil {
		return Result{}, s.dbError("read stage "+key, err)
	}
	switch {
	case len(found) == 0 || key == "":
		return Result{}, fmt.Errorf("store: stage %q: %w", key, ErrNotFound)
	case len(found) > 1 && found[0].Key != key:
		return Result{}, fmt.Errorf("store: stage %q: %w: several keys begin with it; give more of it", key, ErrNotFound)
	}
	v := found[0]
	if v.Inputs, err = collect(ctx, s.db, scanString, "SELECT input FROM stage_input WHERE stage = ? ORDER BY position", v.Key); err != nil {
		return Result{}, s.dbError("read stage "+key, err)
	}
	v.Outputs, err = s.Outputs(ctx, v.Key)
	return v, err
}

// Lineage returns a stage and everything it was computed from, each once, every
// stage after its inputs. Inputs whose record was collected are left out.
func (s *Store) Lineage(ctx context.Context, key string) ([]Result, error) {
	seen := map[string]bool{}
	var all []Result
	var visit func(key string) error
	visit = func(key string) error {
		r, err := s.Result(ctx, key)
		if err != nil {
			return err
		}
		if seen[r.Key] {
			return nil
		}
		seen[r.Key] = true
		for _, in := range r.Inputs {
			if seen[in] {
				continue
			}
			if err := visit(in); err != nil && !errors.Is(err, ErrNotFound) {
				return err
			}
		}
		all = append(all, r)
		return nil
	}
	if err := visit(key); err != nil {
		return nil, err
	}
	return all, nil
}

// Forget removes the records of the stages that made an object, so that the
// next run computes them again, and the object itself. It returns the names of
// those stages in order.
func (s *Store) Forget(ctx context.Context, digest string) (names []string, err error) {
	if !validDigest(digest) {
		return nil, fmt.Errorf("store: forget: %q is not a SHA-256 digest", digest)
	}
	err = s.transact(ctx, "forget "+digest, func(tx *sql.Tx) error {
		names, err = collect(ctx, tx, scanString,
			"SELECT DISTINCT name FROM stage WHERE key IN (SELECT stage FROM stage_output WHERE digest = ?) ORDER BY name", digest)
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, "DELETE FROM stage WHERE key IN (SELECT stage FROM stage_output WHERE digest = ?)", digest)
		return err
	})
	if err != nil {
		return nil, err
	}
	return names, s.removeObject(digest)
}

// shortKey is a key as people read it.
func shortKey(key string) string { return strings.ToLower(key[:min(12, len(key))]) }
