package store

import (
	"errors"
	"fmt"
	"io/fs"
	"syscall"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// Conditions a caller may want to tell apart with errors.Is.
var (
	// ErrDiskFull: there was no space to finish a write. Nothing partial is left.
	ErrDiskFull = errors.New("disk full")
	// ErrNotFound: the object, run, stage or lockbox is not in this project.
	ErrNotFound = errors.New("not found")
	// ErrDamaged: an object's bytes are not those that were stored.
	ErrDamaged = errors.New("damaged object")
	// ErrDatabase: factory.db is not a readable database of this program.
	ErrDatabase = errors.New("unusable project database")
	// ErrInUse: other work in the folder forbids the operation for now.
	ErrInUse = errors.New("project in use")
	// ErrConflict: a key is already recorded with different content.
	ErrConflict = errors.New("conflicting record")
	// ErrLockboxOpened: the lockbox was opened before, by another run.
	ErrLockboxOpened = errors.New("lockbox already opened")
)

// fileError says what a failed file operation was doing and, where the cause is
// known, what to do about it.
func (s *Store) fileError(doing string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, ErrDiskFull):
		return err
	case diskFull(err):
		return fmt.Errorf("store: %s: %w; nothing partial was kept: free space for %s and run again (%w)", doing, ErrDiskFull, s.dir, err)
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS):
		return fmt.Errorf("store: %s: the project folder %s cannot be written; change its permissions or choose another folder: %w", doing, s.dir, err)
	}
	return fmt.Errorf("store: %s: %w", doing, err)
}

func diskFull(err error) bool {
	return noSpace(err) || sqliteCode(err) == sqlite3.SQLITE_FULL
}

// sqliteCode returns the primary result code of an error of the driver, or 0.
func sqliteCode(err error) int {
	var e *sqlite.Error
	if errors.As(err, &e) {
		return e.Code() & 0xff
	}
	return 0
}

// dbError is fileError for the database.
func (s *Store) dbError(doing string, err error) error {
	if err == nil {
		return nil
	}
	switch sqliteCode(err) {
	case sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB:
		return fmt.Errorf("store: %s: %w: %s is damaged (%w); move it away and run again: "+
			"objects and reports stay, results are computed anew, but the counts of trials and the lockbox are lost with it, so restore it from a copy if there is one",
			doing, ErrDatabase, s.dbPath(), err)
	case sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM:
		return fmt.Errorf("store: %s: the project folder %s cannot be written; change its permissions or choose another folder: %w", doing, s.dir, err)
	case sqlite3.SQLITE_BUSY:
		return fmt.Errorf("store: %s: %w: another process kept %s locked for more than %s; try again when it has finished (%w)", doing, ErrInUse, s.dbPath(), busyTimeout, err)
	}
	return s.fileError(doing, err)
}
