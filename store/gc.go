package store

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Garbage is what a collection removed, or would remove.
type Garbage struct {
	Stages  int      `json:"stages"`            // results that no run uses
	Objects []string `json:"objects,omitempty"` // digests, in order
	Bytes   int64    `json:"bytes"`             // of the objects and of abandoned temporary files
}

// GC removes the results that no recorded run uses, the objects that no
// remaining result or pin names, states of unfinished stages and abandoned
// temporary files; with dryRun it only counts them (states are not counted). While anybody works in the folder it is refused with
// ErrInUse.
func (s *Store) GC(ctx context.Context, dryRun bool) (g Garbage, err error) {
	alone, err := s.tryLockFile(s.usePath(), exclusive)
	if err != nil {
		return g, err
	}
	if alone == nil {
		return g, fmt.Errorf("store: collect garbage: %w: a run is at work in %s; try again when it has finished", ErrInUse, s.dir)
	}
	defer func() { err = errors.Join(err, alone.Release()) }()

	const unused = "FROM stage WHERE key NOT IN (SELECT stage FROM attempt_stage)"
	kept := map[string]bool{}
	err = s.transact(ctx, "collect garbage", func(tx *sql.Tx) error {
		if err := tx.QueryRowContext(ctx, "SELECT count(*) "+unused).Scan(&g.Stages); err != nil {
			return err
		}
		digests, err := collect(ctx, tx, scanString,
			"SELECT digest FROM stage_output WHERE stage IN (SELECT stage FROM attempt_stage) UNION SELECT digest FROM pin")
		if err != nil {
			return err
		}
		for _, d := range digests {
			kept[d] = true
		}
		if dryRun {
			return nil
		}
		// Records go first: a result without objects would be a lie, an object
		// without a result is garbage for the next collection.
		_, err = tx.ExecContext(ctx, "DELETE "+unused)
		return err
	})
	if err != nil {
		return g, err
	}
	if g.Bytes, err = s.sweepTemp(dryRun); err != nil {
		return g, err
	}
	if !dryRun {
		if err := s.dropStates("*"); err != nil {
			return g, err
		}
	}
	err = s.walkObjects(ctx, func(path, digest string, size int64) error {
		if kept[digest] {
			return nil
		}
		g.Objects = append(g.Objects, digest)
		g.Bytes += size
		if dryRun {
			return nil
		}
		return s.fileError("collect garbage", os.Remove(path))
	})
	return g, err
}

// Pin keeps an object from collection under a name of the caller's, replacing
// what the name kept before.
func (s *Store) Pin(ctx context.Context, name string, o Output) error {
	if !validDigest(o.Digest) {
		return fmt.Errorf("store: pin %s: %q is not a SHA-256 digest", name, o.Digest)
	}
	return s.transact(ctx, "pin "+name, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "INSERT INTO pin VALUES (?, ?) ON CONFLICT DO UPDATE SET digest = excluded.digest", name, o.Digest)
		return err
	})
}

// Unpin lets go of what name keeps.
func (s *Store) Unpin(ctx context.Context, name string) error {
	return s.transact(ctx, "unpin "+name, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "DELETE FROM pin WHERE name = ?", name)
		return err
	})
}

// sweepTemp removes everything in tmp; the caller holds the folder alone.
func (s *Store) sweepTemp(dryRun bool) (bytes int64, err error) {
	dir := filepath.Join(s.dir, "tmp")
	entries, err := os.ReadDir(dir)
	if err != nil {
		return 0, s.fileError("sweep "+dir, err)
	}
	for _, e := range entries {
		if info, err := e.Info(); err == nil {
			bytes += info.Size()
		}
		if !dryRun {
			if err := os.Remove(filepath.Join(dir, e.Name())); err != nil {
				return bytes, s.fileError("sweep "+dir, err)
			}
		}
	}
	return bytes, nil
}

func (s *Store) removeObject(digest string) error {
	if err := os.Remove(s.objectPath(digest)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return s.fileError("remove object "+digest, err)
	}
	return nil
}

// walkObjects visits every file below objects in order. What has not the name
// of an object is not visited.
func (s *Store) walkObjects(ctx context.Context, visit func(path, digest string, size int64) error) error {
	root := filepath.Join(s.dir, "objects")
	return filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
		if err == nil {
			err = context.Cause(ctx)
		}
		if err != nil || e.IsDir() {
			return err
		}
		digest := filepath.Base(filepath.Dir(path)) + filepath.Base(path)
		if !validDigest(digest) {
			return nil
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		return visit(path, digest, info.Size())
	})
}

// Problem kinds of [Store.Verify].
const (
	Missing = "missing" // a result names it and it is not there
	Damaged = "damaged" // its bytes are not those of its name
)

// Problem is an object that is not what its name says.
type Problem struct {
	Digest string   `json:"digest"`
	Kind   string   `json:"kind"`
	Path   string   `json:"path"`
	Stages []string `json:"stages,omitempty"` // "name/output" that made it, in order; none if no result names it
}

// Verify reads every object and recomputes its digest, and looks for the
// objects that results name and that are not there. Problems come in order of
// digest. With forget it also removes those objects and the results that made
// them, so that the next run computes them again; nothing else is changed.
func (s *Store) Verify(ctx context.Context, forget bool) (problems []Problem, err error) {
	release, err := s.Hold(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, release()) }()

	type made struct{ digest, by string }
	rows, err := collect(ctx, s.db, func(r *sql.Rows) (m made, err error) {
		var stage, output string
		err = r.Scan(&m.digest, &stage, &output)
		m.by = stage + ": " + output
		return m, err
	}, "SELECT o.digest, s.name, o.name FROM stage_output o JOIN stage s ON s.key = o.stage ORDER BY o.digest, s.name, o.name")
	if err != nil {
		return nil, s.dbError("verify", err)
	}
	by := map[string][]string{}
	for _, m := range rows {
		if have := by[m.digest]; len(have) == 0 || have[len(have)-1] != m.by {
			by[m.digest] = append(have, m.by)
		}
	}
	there := map[string]bool{}
	err = s.walkObjects(ctx, func(path, digest string, _ int64) error {
		there[digest] = true
		sum, err := fileDigest(path)
		if errors.Is(err, fs.ErrNotExist) {
			return nil // forgotten meanwhile
		}
		if err != nil {
			return s.fileError("verify", err)
		}
		if sum != digest {
			problems = append(problems, Problem{Digest: digest, Kind: Damaged, Path: path, Stages: by[digest]})
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	for _, m := range rows {
		if !there[m.digest] {
			there[m.digest] = true // once
			if _, err := os.Stat(s.objectPath(m.digest)); errors.Is(err, fs.ErrNotExist) {
				problems = append(problems, Problem{Digest: m.digest, Kind: Missing, Path: s.objectPath(m.digest), Stages: by[m.digest]})
			}
		}
	}
	slices.SortFunc(problems, func(a, b Problem) int { return strings.Compare(a.Digest, b.Digest) })
	if forget {
		for _, p := range problems {
			if _, err := s.Forget(ctx, p.Digest); err != nil {
				return problems, err
			}
		}
	}
	return problems, nil
}

func fileDigest(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close() // only read
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
