package store

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Output is one named result of a stage.
type Output struct {
	Name    string `json:"name"`
	Digest  string `json:"digest"`            // SHA-256 of the bytes, hexadecimal
	Size    int64  `json:"size"`              // length in bytes
	Logical string `json:"logical,omitempty"` // digest of what the bytes mean (schema and values), if the writer gave one
}

// Identity is what a stage that reads the output is keyed by: the logical
// digest if there is one, else the digest of the bytes.
func (o Output) Identity() string {
	if o.Logical != "" {
		return o.Logical
	}
	return o.Digest
}

// tempFile is what Put needs of a file; tests inject failing ones.
type tempFile interface {
	io.Writer
	Chmod(fs.FileMode) error
	Sync() error
	Close() error
	Name() string
}

func makeTemp(dir string) (tempFile, error) { return os.CreateTemp(dir, "put-*") }

// sink counts, hashes and remembers the first error, so that a full disk is
// reported as such even by a writer that hides the cause.
type sink struct {
	w    io.Writer
	hash hash.Hash
	size int64
	err  error
}

func (s *sink) Write(p []byte) (int, error) {
	if s.err != nil {
		return 0, s.err
	}
	n, err := s.w.Write(p)
	if err == nil && n < len(p) {
		err = io.ErrShortWrite
	}
	s.hash.Write(p[:n])
	s.size += int64(n)
	s.err = err
	return n, err
}

// Put stores what write writes and returns its digest and size. The object
// appears under its name only when all of it is on disk. Equal bytes are stored
// once; several goroutines and processes may put the same bytes at once.
func (s *Store) Put(ctx context.Context, write func(io.Writer) error) (o Output, err error) {
	release, err := s.Hold(ctx)
	if err != nil {
		return Output{}, err
	}
	defer func() { err = errors.Join(err, release()) }()

	f, err := s.newTemp(filepath.Join(s.dir, "tmp"))
	if err != nil {
		return Output{}, s.fileError("write object", err)
	}
	placed := false
	defer func() {
		if !placed {
			_ = os.Remove(f.Name()) // already reporting why it was not placed
		}
	}()
	out := &sink{w: f, hash: sha256.New()}
	buf := bufio.NewWriterSize(out, 256<<10)
	err = write(buf)
	if err == nil {
		err = buf.Flush()
	}
	if out.err != nil && !errors.Is(err, out.err) {
		err = errors.Join(out.err, err)
	}
	if err == nil {
		err = f.Chmod(0o444)
	}
	if err == nil && !s.scratch {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		return Output{}, s.fileError("write object", err)
	}
	o = Output{Digest: hex.EncodeToString(out.hash.Sum(nil)), Size: out.size}
	if err := s.place(f.Name(), o.Digest); err != nil {
		return Output{}, s.fileError("write object "+o.Digest, err)
	}
	placed = true
	return o, nil
}

// place renames a complete file to its name by digest and syncs the folder. An
// object that is there already is replaced: its bytes are the same, unless they
// were damaged.
func (s *Store) place(temp, digest string) error {
	path := s.objectPath(digest)
	dir := filepath.Dir(path)
	if err := os.Mkdir(dir, 0o777); err == nil {
		if err := s.syncDir(filepath.Dir(dir)); err != nil {
			return err
		}
	} else if !errors.Is(err, fs.ErrExist) {
		return err
	}
	if err := os.Rename(temp, path); err != nil {
		return err
	}
	return s.syncDir(dir)
}

// syncDir makes the names in a folder last, unless the project is scratch.
func (s *Store) syncDir(dir string) error {
	if s.scratch {
		return nil
	}
	return syncDir(dir)
}

// PutBytes stores b.
func (s *Store) PutBytes(ctx context.Context, b []byte) (Output, error) {
	return s.Put(ctx, func(w io.Writer) error {
		_, err := w.Write(b)
		return err
	})
}

func (s *Store) objectPath(digest string) string {
	return filepath.Join(s.dir, "objects", digest[:2], digest[2:])
}

// validDigest tells whether d is a digest in the form that names objects.
func validDigest(d string) bool {
	return len(d) == 2*sha256.Size && strings.Trim(d, "0123456789abcdef") == ""
}

// Object is a stored output, ready to be read. It stays readable for whoever
// opened it even if it is removed or replaced later.
type Object struct {
	Output
	path string
}

// Object finds an output and checks its length and, for the formats that have
// one (.parquet, .arrow by the output's name), the magic at its both ends. It
// does not read the rest: [Store.Verify] does.
func (s *Store) Object(o Output) (*Object, error) {
	if !validDigest(o.Digest) {
		return nil, fmt.Errorf("store: object %q: %q is not a SHA-256 digest", o.Name, o.Digest)
	}
	b := &Object{Output: o, path: s.objectPath(o.Digest)}
	info, err := os.Stat(b.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("store: object %s (%q): %w; run again to compute it anew", o.Digest, o.Name, ErrNotFound)
	}
	if err != nil {
		return nil, s.fileError("open object "+o.Digest, err)
	}
	if info.Size() != o.Size {
		return nil, fmt.Errorf("store: object %s (%q): %w: %d bytes instead of %d; `store verify` lists and forgets damaged objects", o.Digest, o.Name, ErrDamaged, info.Size(), o.Size)
	}
	if err := b.checkFrame(); err != nil {
		return nil, err
	}
	return b, nil
}

// checkFrame looks at the first and last bytes of the formats that end with a
// magic word.
func (b *Object) checkFrame() error {
	var magic string
	switch filepath.Ext(b.Name) {
	case ".parquet":
		magic = "PAR1"
	case ".arrow":
		magic = "ARROW1"
	default:
		return nil
	}
	f, err := os.Open(b.path)
	if err != nil {
		return fmt.Errorf("store: open object %s (%q): %w", b.Digest, b.Name, err)
	}
	defer f.Close() // only read
	ends := make([]byte, 2*len(magic))
	if b.Size >= int64(len(ends)) {
		_, err = f.ReadAt(ends[:len(magic)], 0)
		if err == nil {
			_, err = f.ReadAt(ends[len(magic):], b.Size-int64(len(magic)))
		}
		if err != nil {
			return fmt.Errorf("store: read object %s (%q): %w", b.Digest, b.Name, err)
		}
	}
	if !bytes.Equal(ends, []byte(magic+magic)) {
		return fmt.Errorf("store: object %s (%q): %w: it does not begin and end with %s; `store verify` lists and forgets damaged objects", b.Digest, b.Name, ErrDamaged, magic)
	}
	return nil
}

// Path returns the object's file, which must not be written.
func (b *Object) Path() string { return b.path }

// Open opens the object for reading.
func (b *Object) Open() (*os.File, error) {
	f, err := os.Open(b.path)
	if err != nil {
		return nil, fmt.Errorf("store: open object %s (%q): %w", b.Digest, b.Name, err)
	}
	return f, nil
}

// Bytes reads the whole object and checks its digest.
func (b *Object) Bytes() ([]byte, error) {
	p, err := os.ReadFile(b.path)
	if err != nil {
		return nil, fmt.Errorf("store: read object %s (%q): %w", b.Digest, b.Name, err)
	}
	if sum := sha256.Sum256(p); hex.EncodeToString(sum[:]) != b.Digest {
		return nil, b.damaged()
	}
	return p, nil
}

// CopyTo writes the object to w and checks its digest on the way; on a damaged
// object it fails after having written it.
func (b *Object) CopyTo(w io.Writer) error {
	f, err := b.Open()
	if err != nil {
		return err
	}
	defer f.Close() // only read
	h := sha256.New()
	if _, err := io.Copy(io.MultiWriter(w, h), f); err != nil {
		return fmt.Errorf("store: copy object %s (%q): %w", b.Digest, b.Name, err)
	}
	if hex.EncodeToString(h.Sum(nil)) != b.Digest {
		return b.damaged()
	}
	return nil
}

func (b *Object) damaged() error {
	return fmt.Errorf("store: object %s (%q): %w: its bytes have another digest; `store verify` lists and forgets damaged objects", b.Digest, b.Name, ErrDamaged)
}
