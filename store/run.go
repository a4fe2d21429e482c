package store

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
)

// Statuses of an attempt at a run.
const (
	Running     = "running"
	Done        = "done"
	Failed      = "failed"
	Interrupted = "interrupted" // its process died; reported, never stored
)

// Label is a name and a value that a user put on a run.
type Label struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Run is one identity (resolved recipe, data, code) and the attempts at it. A
// repeated run is another attempt at the same Run.
type Run struct {
	ID           string    `json:"id"`
	RecipeDigest string    `json:"recipe_digest"`
	Recipe       []byte    `json:"-"`
	Labels       []Label   `json:"labels,omitempty"` // in order of name
	Attempts     []Attempt `json:"attempts"`         // oldest first
}

// Last returns the latest attempt.
func (r Run) Last() Attempt { return r.Attempts[len(r.Attempts)-1] }

// Attempt is one execution of a run.
type Attempt struct {
	Number  int    `json:"number"` // from 1
	Status  string `json:"status"`
	Error   string `json:"error,omitempty"`
	Started string `json:"started"` // log: RFC 3339
	Ended   string `json:"ended,omitempty"`
	Stages  []Use  `json:"stages,omitempty"` // in order of name; filled by Run, not by Runs

	run     string
	store   *Store
	lock    *Lock
	release func() error
}

// BeginRun records an attempt at the run id, whose resolved recipe is given,
// and holds the folder's objects until the attempt is finished. The same id
// must come with the same recipe. Labels are added to those the run has.
func (s *Store) BeginRun(ctx context.Context, id string, recipe []byte, labels ...Label) (_ *Attempt, err error) {
	if id == "" || strings.ContainsAny(id, "/\\ \t\n") {
		return nil, fmt.Errorf("store: begin run: %q is not a run id", id)
	}
	recipe = append([]byte{}, recipe...) // nil would be stored as NULL
	sum := sha256.Sum256(recipe)
	digest := hex.EncodeToString(sum[:])
	a := &Attempt{Status: Running, Started: stamp(), run: id, store: s}
	if a.release, err = s.Hold(ctx); err != nil {
		return nil, err
	}
	err = s.transact(ctx, "begin run "+id, func(tx *sql.Tx) error {
		old, err := collect(ctx, tx, scanString, "SELECT recipe_digest FROM run WHERE id = ?", id)
		if err != nil {
			return err
		}
		if len(old) > 0 && old[0] != digest {
			return fmt.Errorf("%w: run %s is recorded with recipe %s, not %s", ErrConflict, id, shortKey(old[0]), shortKey(digest))
		}
		if _, err := tx.ExecContext(ctx, "INSERT INTO run VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING", id, digest, recipe, a.Started); err != nil {
			return err
		}
		for _, l := range labels {
			if _, err := tx.ExecContext(ctx, "INSERT INTO run_label VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET value = excluded.value", id, l.Name, l.Value); err != nil {
				return err
			}
		}
		if err := tx.QueryRowContext(ctx, "SELECT coalesce(max(number), 0) + 1 FROM attempt WHERE run = ?", id).Scan(&a.Number); err != nil {
			return err
		}
		// Taken inside the transaction: nobody sees the attempt without its lock.
		if a.lock, err = s.TryLock(attemptLock(id, a.Number)); err != nil {
			return err
		}
		if a.lock == nil {
			return fmt.Errorf("%w: attempt %d at run %s is locked", ErrInUse, a.Number, id)
		}
		_, err = tx.ExecContext(ctx, "INSERT INTO attempt VALUES (?, ?, ?, '', ?, '')", id, a.Number, Running, a.Started)
		return err
	})
	if err != nil {
		if a.lock != nil {
			err = errors.Join(err, a.lock.Release())
		}
		return nil, errors.Join(err, a.release())
	}
	return a, nil
}

func attemptLock(run string, number int) string { return fmt.Sprintf("attempt %d at %s", number, run) }

// RunID returns the id of the run this is an attempt at.
func (a *Attempt) RunID() string { return a.run }

// Use records results that the attempt used, in one transaction. Recording a
// node again keeps the first record.
func (a *Attempt) Use(ctx context.Context, uses []Use) error {
	if len(uses) == 0 {
		return nil
	}
	return a.store.transact(ctx, "record stages of run "+a.run, func(tx *sql.Tx) error {
		for _, u := range uses {
			if err := a.use(ctx, tx, u); err != nil {
				return err
			}
		}
		return nil
	})
}

func (a *Attempt) use(ctx context.Context, tx *sql.Tx, u Use) error {
	_, err := tx.ExecContext(ctx, "INSERT INTO attempt_stage VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING", a.run, a.Number, u.Name, u.Key, u.Status, u.Seconds)
	return err
}

// Finish records how the attempt ended (cause is nil for success) and lets go
// of the folder. A second call does nothing.
func (a *Attempt) Finish(ctx context.Context, cause error) error {
	if a.lock == nil {
		return nil
	}
	a.Status, a.Error = Done, ""
	if cause != nil {
		a.Status, a.Error = Failed, cause.Error()
	}
	a.Ended = stamp()
	err := a.store.transact(context.WithoutCancel(ctx), "finish run "+a.run, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "UPDATE attempt SET status = ?, error = ?, logged_ended = ? WHERE run = ? AND number = ?", a.Status, a.Error, a.Ended, a.run, a.Number)
		return err
	})
	err = errors.Join(err, a.lock.Release(), a.release())
	a.lock = nil
	return err
}

// Runs lists all runs in the order in which they were first begun (to the second, then by id), without the stages of their attempts.
func (s *Store) Runs(ctx context.Context) ([]Run, error) {
	ids, err := collect(ctx, s.db, scanString, "SELECT id FROM run ORDER BY logged_created, id")
	if err != nil {
		return nil, s.dbError("list runs", err)
	}
	runs := make([]Run, 0, len(ids))
	for _, id := range ids {
		r, err := s.run(ctx, id)
		if errors.Is(err, ErrNotFound) {
			continue // removed since
		}
		if err != nil {
			return nil, err
		}
		runs = append(runs, r)
	}
	return runs, nil
}

// Run returns one run with the stages of its attempts; id may be any
// unambiguous beginning.
func (s *Store) Run(ctx context.Context, id string) (Run, error) {
	id, err := s.resolveRun(ctx, id)
	if err != nil {
		return Run{}, err
	}
	r, err := s.run(ctx, id)
	if err != nil {
		return Run{}, err
	}
	for i := range r.Attempts {
		r.Attempts[i].Stages, err = collect(ctx, s.db, func(rows *sql.Rows) (u Use, err error) {
			return u, rows.Scan(&u.Name, &u.Key, &u.Status, &u.Seconds)
		}, "SELECT name, stage, status, seconds FROM attempt_stage WHERE run = ? AND number = ? ORDER BY name", id, r.Attempts[i].Number)
		if err != nil {
			return Run{}, s.dbError("read run "+id, err)
		}
	}
	return r, nil
}

func (s *Store) resolveRun(ctx context.Context, id string) (string, error) {
	found, err := collect(ctx, s.db, scanString, "SELECT id FROM run WHERE substr(id, 1, ?) = ? ORDER BY id LIMIT 2", len(id), id)
	if err != nil {
		return "", s.dbError("read run "+id, err)
	}
	switch {
	case len(found) == 0 || id == "":
		return "", fmt.Errorf("store: run %q: %w in %s; `runs list` shows those there are", id, ErrNotFound, filepath.Base(s.dir))
	case len(found) > 1 && found[0] != id:
		return "", fmt.Errorf("store: run %q: %w: several ids begin with it; give more of it", id, ErrNotFound)
	}
	return found[0], nil
}

func (s *Store) run(ctx context.Context, id string) (Run, error) {
	r := Run{ID: id}
	err := s.db.QueryRowContext(ctx, "SELECT recipe_digest, recipe FROM run WHERE id = ?", id).Scan(&r.RecipeDigest, &r.Recipe)
	if errors.Is(err, sql.ErrNoRows) {
		return Run{}, fmt.Errorf("store: run %q: %w", id, ErrNotFound)
	}
	if err == nil {
		r.Labels, err = collect(ctx, s.db, func(rows *sql.Rows) (l Label, err error) {
			return l, rows.Scan(&l.Name, &l.Value)
		}, "SELECT name, value FROM run_label WHERE run = ? ORDER BY name", id)
	}
	if err == nil {
		r.Attempts, err = collect(ctx, s.db, func(rows *sql.Rows) (a Attempt, err error) {
			return a, rows.Scan(&a.Number, &a.Status, &a.Error, &a.Started, &a.Ended)
		}, "SELECT number, status, error, logged_started, logged_ended FROM attempt WHERE run = ? ORDER BY number", id)
	}
	if err != nil {
		return Run{}, s.dbError("read run "+id, err)
	}
	for i := range r.Attempts {
		a := &r.Attempts[i]
		if a.Status != Running {
			continue
		}
		l, err := s.TryLock(attemptLock(id, a.Number))
		if err != nil {
			return Run{}, err
		}
		if l == nil {
			continue // it is alive
		}
		// It may have finished between the two looks.
		err = s.db.QueryRowContext(ctx, "SELECT status, error, logged_ended FROM attempt WHERE run = ? AND number = ?", id, a.Number).Scan(&a.Status, &a.Error, &a.Ended)
		if a.Status == Running {
			a.Status = Interrupted
		}
		if err = errors.Join(err, l.Release()); err != nil {
			return Run{}, s.dbError("read run "+id, err)
		}
	}
	return r, nil
}

// SetLabel puts a label on a run, or takes it off if value is empty.
func (s *Store) SetLabel(ctx context.Context, id string, l Label) error {
	id, err := s.resolveRun(ctx, id)
	if err != nil {
		return err
	}
	return s.transact(ctx, "label run "+id, func(tx *sql.Tx) error {
		if l.Value == "" {
			_, err := tx.ExecContext(ctx, "DELETE FROM run_label WHERE run = ? AND name = ?", id, l.Name)
			return err
		}
		_, err := tx.ExecContext(ctx, "INSERT INTO run_label VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET value = excluded.value", id, l.Name, l.Value)
		return err
	})
}

// RemoveRun removes the record of a run. Its trials stay counted, and its
// objects stay until [Store.GC] finds that no other run uses them. A run that
// is at work is refused.
func (s *Store) RemoveRun(ctx context.Context, id string) error {
	r, err := s.Run(ctx, id)
	if err != nil {
		return err
	}
	for _, a := range r.Attempts {
		if a.Status == Running {
			return fmt.Errorf("store: remove run %s: %w: attempt %d is still running", r.ID, ErrInUse, a.Number)
		}
	}
	return s.transact(ctx, "remove run "+r.ID, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "DELETE FROM run WHERE id = ?", r.ID)
		return err
	})
}

// StageDiff is a stage that differs between two runs. Where only one has the
// stage, the other's fields are empty.
type StageDiff struct {
	Name             string `json:"name"`
	KeyA             string `json:"key_a,omitempty"`
	KeyB             string `json:"key_b,omitempty"`
	CodeChanged      bool   `json:"code_changed,omitempty"`
	ParamsA, ParamsB string `json:",omitempty"`             // canonical, where they differ
	SameOutputs      bool   `json:"same_outputs,omitempty"` // computed differently, with the same bytes
}

// RunDiff is what differs between two runs.
type RunDiff struct {
	A          string      `json:"a"`
	B          string      `json:"b"`
	SameRecipe bool        `json:"same_recipe"`
	Same       int         `json:"same"`   // stages with equal keys
	Stages     []StageDiff `json:"stages"` // the others, in order of name
}

// DiffRuns compares the latest attempts at two runs stage by stage.
func (s *Store) DiffRuns(ctx context.Context, a, b string) (RunDiff, error) {
	ra, err := s.Run(ctx, a)
	if err != nil {
		return RunDiff{}, err
	}
	rb, err := s.Run(ctx, b)
	if err != nil {
		return RunDiff{}, err
	}
	d := RunDiff{A: ra.ID, B: rb.ID, SameRecipe: ra.RecipeDigest == rb.RecipeDigest}
	sa, sb := ra.Last().Stages, rb.Last().Stages
	for i, j := 0, 0; i < len(sa) || j < len(sb); {
		switch {
		case j == len(sb) || i < len(sa) && sa[i].Name < sb[j].Name:
			d.Stages = append(d.Stages, StageDiff{Name: sa[i].Name, KeyA: sa[i].Key})
			i++
		case i == len(sa) || sb[j].Name < sa[i].Name:
			d.Stages = append(d.Stages, StageDiff{Name: sb[j].Name, KeyB: sb[j].Key})
			j++
		default:
			if sa[i].Key == sb[j].Key {
				d.Same++
			} else {
				sd, err := s.diffStage(ctx, sa[i], sb[j])
				if err != nil {
					return RunDiff{}, err
				}
				d.Stages = append(d.Stages, sd)
			}
			i, j = i+1, j+1
		}
	}
	return d, nil
}

func (s *Store) diffStage(ctx context.Context, a, b Use) (StageDiff, error) {
	d := StageDiff{Name: a.Name, KeyA: a.Key, KeyB: b.Key}
	ra, err := s.Result(ctx, a.Key)
	if errors.Is(err, ErrNotFound) {
		return d, nil // forgotten since
	}
	if err != nil {
		return d, err
	}
	rb, err := s.Result(ctx, b.Key)
	if errors.Is(err, ErrNotFound) {
		return d, nil
	}
	if err != nil {
		return d, err
	}
	d.CodeChanged = ra.Code != rb.Code
	if ra.Params != rb.Params {
		d.ParamsA, d.ParamsB = ra.Params, rb.Params
	}
	d.SameOutputs = slices.Equal(ra.Outputs, rb.Outputs)
	return d, nil
}
