package store

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

type lockMode bool

const (
	shared    lockMode = false
	exclusive lockMode = true
)

// errWouldBlock: somebody else holds a lock that excludes ours.
var errWouldBlock = errors.New("locked")

// Lock is a held lock. It is released by Release or by the death of the
// process, whichever comes first.
type Lock struct {
	f    *os.File
	path string // removed on release when not empty
}

// Lock waits for the exclusive lock on key. Goroutines of one process exclude
// one another like processes do.
func (s *Store) Lock(ctx context.Context, key string) (*Lock, error) {
	return s.lockFile(ctx, s.keyLockPath(key), exclusive)
}

// TryLock takes the lock on key if it is free; it returns nil, nil if not.
func (s *Store) TryLock(key string) (*Lock, error) {
	return s.tryLockFile(s.keyLockPath(key), exclusive)
}

func (s *Store) keyLockPath(key string) string {
	sum := sha256.Sum256([]byte(key))
	return filepath.Join(s.dir, "locks", "k-"+hex.EncodeToString(sum[:16]))
}

func (s *Store) lockFile(ctx context.Context, path string, mode lockMode) (*Lock, error) {
	for wait := time.Millisecond; ; wait = min(2*wait, 50*time.Millisecond) {
		l, err := s.tryLockFile(path, mode)
		if l != nil || err != nil {
			return l, err
		}
		t := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			t.Stop()
			return nil, context.Cause(ctx)
		case <-t.C:
		}
	}
}

func (s *Store) tryLockFile(path string, mode lockMode) (*Lock, error) {
	for {
		f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o666)
		if err != nil {
			return nil, s.fileError("lock", err)
		}
		if err := flock(f, mode); err != nil {
			_ = f.Close() // nothing was written
			if errors.Is(err, errWouldBlock) {
				return nil, nil
			}
			return nil, s.fileError("lock", err)
		}
		// The holder before us removes a key's file when it releases it. If that
		// happened between our open and our lock, ours is on a file that nobody
		// else will find.
		mine, err1 := f.Stat()
		there, err2 := os.Stat(path)
		if err1 == nil && err2 == nil && os.SameFile(mine, there) {
			l := &Lock{f: f}
			if filepath.Base(path)[0] == 'k' {
				l.path = path
			}
			return l, nil
		}
		_ = f.Close() // nothing was written
		if err := errors.Join(err1, err2); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, s.fileError("lock", err)
		}
	}
}

// Release gives the lock back. A second call does nothing.
func (l *Lock) Release() error {
	if l.f == nil {
		return nil
	}
	if l.path != "" && removeHeldLocks {
		_ = os.Remove(l.path) // it only keeps the folder small
	}
	err := l.f.Close()
	l.f = nil
	return err
}
