package store

import (
	"bufio"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// File is one file of a run folder.
type File struct {
	Name  string // slash-separated path inside the folder
	Write func(io.Writer) error
}

// File returns a copy of the object as a file of a run folder. The copy is
// checked against the digest while it is written.
func (b *Object) File(name string) File { return File{Name: name, Write: b.CopyTo} }

// WriteRunFolder writes files into dir in the order given. Each appears (or
// replaces its predecessor) complete or not at all; other files in dir are left
// alone, except what a killed WriteRunFolder left half written.
func WriteRunFolder(dir string, files []File) error {
	s := &Store{dir: dir} // for its locks and its wording of errors
	seen := map[string]bool{}
	for _, f := range files {
		if !filepath.IsLocal(filepath.FromSlash(f.Name)) || seen[f.Name] {
			return fmt.Errorf("store: write run folder %s: %q is not a path inside it, or comes twice", dir, f.Name)
		}
		seen[f.Name] = true
	}
	swept := map[string]bool{}
	for _, f := range files {
		path := filepath.Join(dir, filepath.FromSlash(f.Name))
		parent := filepath.Dir(path)
		if err := os.MkdirAll(parent, 0o777); err != nil {
			return s.fileError("write "+f.Name, err)
		}
		if !swept[parent] {
			swept[parent] = true
			if err := s.sweepWriting(parent); err != nil {
				return err
			}
		}
		if err := s.writeFile(path, f.Write); err != nil {
			return s.fileError("write "+f.Name, err)
		}
	}
	return nil
}

const writing = ".writing-"

// sweepWriting removes the temporary files in dir whose writers are dead: those
// that nobody has locked.
func (s *Store) sweepWriting(dir string) error {
	old, err := filepath.Glob(filepath.Join(escapeGlob(dir), writing+"*"))
	if err != nil {
		return s.fileError("sweep "+dir, err)
	}
	for _, path := range old {
		l, err := s.tryLockFile(path, exclusive)
		if err != nil {
			return err
		}
		if l == nil {
			continue // its writer is alive
		}
		if err := errors.Join(os.Remove(path), l.Release()); err != nil {
			return s.fileError("sweep "+dir, err)
		}
	}
	return nil
}

func escapeGlob(dir string) string {
	if filepath.Separator == '\\' {
		return dir // there is no escape character there
	}
	return strings.NewReplacer(`\`, `\\`, "*", `\*`, "?", `\?`, "[", `\[`).Replace(dir)
}

// writeFile writes path by way of a locked temporary file beside it.
func (s *Store) writeFile(path string, write func(io.Writer) error) (err error) {
	var l *Lock
	var temp string
	for l == nil { // nil: a sweep looked at it in the instant between making and locking it
		temp = filepath.Join(filepath.Dir(path), writing+rand.Text())
		if l, err = s.tryLockFile(temp, exclusive); err != nil {
			return err
		}
	}
	defer func() {
		if err != nil {
			_ = os.Remove(temp) // already reporting why
		}
		err = errors.Join(err, l.Release())
	}()
	out := &sink{w: l.f, hash: sha256.New()}
	buf := bufio.NewWriterSize(out, 64<<10)
	err = write(buf)
	if err == nil {
		err = buf.Flush()
	}
	if out.err != nil && !errors.Is(err, out.err) {
		err = errors.Join(out.err, err)
	}
	if err == nil {
		err = l.f.Chmod(0o644)
	}
	if err == nil {
		err = l.f.Sync()
	}
	if err == nil && !removeHeldLocks {
		err = l.Release() // an open file cannot be renamed there
	}
	if err != nil {
		return err
	}
	if err := os.Rename(temp, path); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}
