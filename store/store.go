package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// FolderName is the usual name of a project folder.
const FolderName = ".mlfactory"

const dbName = "factory.db"

const busyTimeout = 20 * time.Second

// Store is an open project folder. Its methods may be called from several
// goroutines, and several processes may have the same folder open.
type Store struct {
	dir     string
	db      *sql.DB
	newTemp func(dir string) (tempFile, error) // creates a temporary file; replaced in tests

	scratch bool // nothing is synced to the disk

	write sync.Mutex // one writing transaction of this Store at a time, instead of the database's polling

	mu   sync.Mutex // guards held and use
	held int        // number of Hold that are not released
	use  *Lock      // shared lock on the folder while held > 0
}

// Open opens the project folder dir and makes it if it does not exist.
func Open(dir string) (*Store, error) { return open(dir, false) }

// OpenScratch opens a project folder that is thrown away when its work is done,
// such as an audit's worlds or a test's: nothing is synced to the disk, which
// takes most of the time of small stages. All promises hold but one: after a
// crash of the machine (not of the process) the folder may be damaged.
func OpenScratch(dir string) (*Store, error) { return open(dir, true) }

func open(dir string, scratch bool) (*Store, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("store: open %s: %w", dir, err)
	}
	s := &Store{dir: abs, newTemp: makeTemp, scratch: scratch}
	synchronous := "FULL"
	if scratch {
		synchronous = "OFF"
	}
	for _, sub := range []string{"objects", "locks", "tmp"} {
		if err := os.MkdirAll(filepath.Join(abs, sub), 0o777); err != nil {
			return nil, s.fileError("open", err)
		}
	}
	u := url.URL{Scheme: "file", Path: filepath.ToSlash(s.dbPath()), RawQuery: url.Values{
		"_txlock": {"immediate"},
		"_pragma": {
			fmt.Sprintf("busy_timeout(%d)", busyTimeout.Milliseconds()),
			"synchronous(" + synchronous + ")",
			"foreign_keys(1)",
		},
	}.Encode()}
	if s.db, err = sql.Open("sqlite", u.String()); err != nil {
		return nil, s.dbError("open", err)
	}
	s.db.SetMaxOpenConns(4)
	s.db.SetMaxIdleConns(4)
	ctx := context.Background()
	if err := s.prepare(ctx); err != nil {
		return nil, errors.Join(err, s.db.Close())
	}
	return s, nil
}

// OpenExisting opens the project folder dir, or returns ErrNotFound if there is
// none: for commands that only look.
func OpenExisting(dir string) (*Store, error) {
	if _, err := os.Stat(filepath.Join(dir, dbName)); errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("store: open %s: %w: no project is there; `run` makes one", dir, ErrNotFound)
	}
	return Open(dir)
}

// prepare migrates the database and sweeps abandoned temporary files, each
// under its lock.
func (s *Store) prepare(ctx context.Context) error {
	schema, err := s.lockFile(ctx, filepath.Join(s.dir, "locks", "schema"), exclusive)
	if err != nil {
		return err
	}
	if err := errors.Join(s.migrate(ctx), schema.Release()); err != nil {
		return err
	}
	// Whoever writes holds the folder; if nobody does, tmp holds only what the dead left.
	alone, err := s.tryLockFile(s.usePath(), exclusive)
	if err != nil || alone == nil {
		return err
	}
	_, err = s.sweepTemp(false)
	return errors.Join(err, alone.Release())
}

// Close releases the folder. Objects opened from it stay valid.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var err error
	if s.use != nil {
		err = s.use.Release()
		s.use, s.held = nil, 0
	}
	return errors.Join(err, s.db.Close())
}

// Dir returns the absolute path of the project folder.
func (s *Store) Dir() string { return s.dir }

func (s *Store) dbPath() string  { return filepath.Join(s.dir, dbName) }
func (s *Store) usePath() string { return filepath.Join(s.dir, "locks", "use") }

// Hold keeps every object of the folder from being collected until the
// returned function is called: take it before looking results up that will be
// used. Holds are shared among goroutines and processes; it waits only while
// another process collects garbage.
func (s *Store) Hold(ctx context.Context) (release func() error, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.held == 0 {
		if s.use, err = s.lockFile(ctx, s.usePath(), shared); err != nil {
			return nil, err
		}
	}
	s.held++
	var once sync.Once
	return func() error {
		var err error
		once.Do(func() {
			s.mu.Lock()
			defer s.mu.Unlock()
			if s.held == 0 {
				return // closed before
			}
			if s.held--; s.held == 0 {
				err = s.use.Release()
				s.use = nil
			}
		})
		return err
	}, nil
}

// transact runs f in one short BEGIN IMMEDIATE transaction.
func (s *Store) transact(ctx context.Context, doing string, f func(*sql.Tx) error) error {
	s.write.Lock()
	defer s.write.Unlock()
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return s.dbError(doing, err)
	}
	if err := f(tx); err != nil {
		_ = tx.Rollback() // the cause is err; a failed rollback adds nothing to it
		return s.dbError(doing, err)
	}
	return s.dbError(doing, tx.Commit())
}

// stamp is the text of a log column.
func stamp() string { return time.Now().UTC().Format(time.RFC3339) }
