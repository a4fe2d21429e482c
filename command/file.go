package command

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// writeFile writes a file beside its place and renames it, so that it is
// complete or absent.
func writeFile(path string, write func(io.Writer) error) (err error) {
	if path == "" {
		return Usage("say where the file is to be written: --out FILE")
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		return err
	}
	t, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return fmt.Errorf("%s cannot be written: %w", path, err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("%s: %w", path, err), os.Remove(t.Name()))
		}
	}()
	b := bufio.NewWriterSize(t, 1<<20)
	if err := errors.Join(write(b), b.Flush(), t.Chmod(0o644), t.Close()); err != nil {
		return err
	}
	return os.Rename(t.Name(), path)
}
