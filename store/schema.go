package store

import (
	"context"
	"database/sql"
	"fmt"
)

// applicationID marks factory.db as ours in its file header ("MLFy").
const applicationID = 0x4d4c4679

// migrations lead from an empty database to the current schema; entry i takes
// version i to i+1. Entries are never changed once released, only added.
//
// Columns named logged_… and seconds are log: they are shown, never hashed.
var migrations = []string{
	`
CREATE TABLE stage (
	key            TEXT PRIMARY KEY,
	name           TEXT NOT NULL,
	kind           TEXT NOT NULL,
	code           TEXT NOT NULL,
	params         TEXT NOT NULL,
	seconds        REAL NOT NULL,
	logged_created TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE stage_input (
	stage    TEXT NOT NULL REFERENCES stage(key) ON DELETE CASCADE,
	position INTEGER NOT NULL,
	input    TEXT NOT NULL,
	PRIMARY KEY (stage, position)
) STRICT, WITHOUT ROWID;
CREATE TABLE stage_output (
	stage   TEXT NOT NULL REFERENCES stage(key) ON DELETE CASCADE,
	name    TEXT NOT NULL,
	digest  TEXT NOT NULL,
	size    INTEGER NOT NULL,
	logical TEXT NOT NULL,
	PRIMARY KEY (stage, name)
) STRICT, WITHOUT ROWID;
CREATE INDEX stage_output_digest ON stage_output(digest);

CREATE TABLE run (
	id             TEXT PRIMARY KEY,
	recipe_digest  TEXT NOT NULL,
	recipe         BLOB NOT NULL,
	logged_created TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE run_label (
	run   TEXT NOT NULL REFERENCES run(id) ON DELETE CASCADE,
	name  TEXT NOT NULL,
	value TEXT NOT NULL,
	PRIMARY KEY (run, name)
) STRICT, WITHOUT ROWID;
CREATE TABLE attempt (
	run            TEXT NOT NULL REFERENCES run(id) ON DELETE CASCADE,
	number         INTEGER NOT NULL,
	status         TEXT NOT NULL,
	error          TEXT NOT NULL,
	logged_started TEXT NOT NULL,
	logged_ended   TEXT NOT NULL,
	PRIMARY KEY (run, number)
) STRICT, WITHOUT ROWID;
CREATE TABLE attempt_stage (
	run     TEXT NOT NULL,
	number  INTEGER NOT NULL,
	name    TEXT NOT NULL,
	stage   TEXT NOT NULL,
	status  TEXT NOT NULL,
	seconds REAL NOT NULL,
	PRIMARY KEY (run, number, name),
	FOREIGN KEY (run, number) REFERENCES attempt(run, number) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
CREATE INDEX attempt_stage_stage ON attempt_stage(stage);
CREATE TABLE pin (
	name   TEXT PRIMARY KEY,
	digest TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE trial (
	key          TEXT PRIMARY KEY,
	name         TEXT NOT NULL,
	instrument   TEXT NOT NULL,
	first        INTEGER NOT NULL,
	last         INTEGER NOT NULL,
	days         BLOB NOT NULL,
	returns      BLOB NOT NULL,
	inner_fit    INTEGER NOT NULL,
	logged_added TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX trial_instrument ON trial(instrument, inner_fit);
CREATE TABLE lockbox (
	key           TEXT PRIMARY KEY,
	start         INTEGER NOT NULL,
	opened_by     TEXT NOT NULL,
	logged_used   TEXT NOT NULL,
	logged_opened TEXT NOT NULL
) STRICT, WITHOUT ROWID;
`,
	// A lockbox is a range of an instrument's time. Of older ones nobody knows
	// where they end (0) and what was developed on before them (nothing).
	`
ALTER TABLE lockbox ADD COLUMN instrument TEXT NOT NULL DEFAULT '';
ALTER TABLE lockbox ADD COLUMN dev_from INTEGER NOT NULL DEFAULT 0;
ALTER TABLE lockbox ADD COLUMN stop INTEGER NOT NULL DEFAULT 0;
ALTER TABLE lockbox ADD COLUMN recorded_by TEXT NOT NULL DEFAULT '';
UPDATE lockbox SET dev_from = start;
`,
}

// migrate brings the database to the current schema. The caller holds the
// schema lock, so it is alone in it.
func (s *Store) migrate(ctx context.Context) error {
	var version, app int
	if err := s.db.QueryRowContext(ctx, "PRAGMA user_version").Scan(&version); err != nil {
		return s.dbError("open", err)
	}
	if err := s.db.QueryRowContext(ctx, "PRAGMA application_id").Scan(&app); err != nil {
		return s.dbError("open", err)
	}
	if app != applicationID {
		var tables int
		if err := s.db.QueryRowContext(ctx, "SELECT count(*) FROM sqlite_schema").Scan(&tables); err != nil {
			return s.dbError("open", err)
		}
		if app != 0 || version != 0 || tables != 0 {
			return fmt.Errorf("store: open: %w: %s was written by another program; choose another project folder", ErrDatabase, s.dbPath())
		}
	}
	if version > len(migrations) {
		return fmt.Errorf("store: open: %w: %s has schema %d and this program knows up to %d; update mlfactory, or choose another project folder",
			ErrDatabase, s.dbPath(), version, len(migrations))
	}
	if app == applicationID && version == len(migrations) {
		return nil
	}
	var mode string
	if err := s.db.QueryRowContext(ctx, "PRAGMA journal_mode(WAL)").Scan(&mode); err != nil {
		return s.dbError("open", err)
	}
	if mode != "wal" {
		return fmt.Errorf("store: open: %s does not support write-ahead logging (journal mode %q); put the project folder on a local file system", s.dbPath(), mode)
	}
	for v := version; v < len(migrations); v++ {
		err := s.transact(ctx, "migrate", func(tx *sql.Tx) error {
			if _, err := tx.ExecContext(ctx, migrations[v]); err != nil {
				return fmt.Errorf("to schema %d: %w", v+1, err)
			}
			_, err := tx.ExecContext(ctx, fmt.Sprintf("PRAGMA application_id = %d; PRAGMA user_version = %d", applicationID, v+1))
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}
