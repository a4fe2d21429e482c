package command

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"

	"github.com/mlfactory/mlfactory/factory"
	"github.com/mlfactory/mlfactory/recipe"
	"github.com/mlfactory/mlfactory/store"
)

// Project is what the commands work with: the catalogue, the code and, for
// those that need it, the store of one project folder.
type Project struct {
	Factory *factory.Factory
	Dir     string // of the store
}

// NewProject prepares the program for a project folder, which is not opened
// yet. sources is the source tree that code versions come from, kernel the name
// of the kernel path in use.
func NewProject(dir string, sources fs.FS, kernel string) (*Project, error) {
	cat, err := factory.NewCatalogue()
	if err != nil {
		return nil, err
	}
	f, err := factory.New(cat, sources, kernel)
	if err != nil {
		return nil, err
	}
	return &Project{Factory: f, Dir: dir}, nil
}

// look opens the store for a command that only reads.
func (p *Project) look() (*store.Store, error) {
	s, err := store.OpenExisting(p.Dir)
	if errors.Is(err, store.ErrNotFound) {
		return nil, Usage("there is no project in %s yet: start a run, or say --store DIR", p.Dir)
	}
	return s, err
}

// Code is the version of everything that a run's folder depends on.
func (p *Project) Code() (string, error) { return p.Factory.Code.Version("command") }

// dataDigests is the SHA-256 of each market's file, "" for generated markets.
func dataDigests(ctx context.Context, r recipe.Recipe) ([]string, error) {
	out := make([]string, len(r.Markets))
	for i, m := range r.Markets {
		if m.Data == "" {
			continue
		}
		if d, ok := strings.CutPrefix(m.Data, recipe.ContentPrefix); ok {
			out[i] = d
			continue
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		d, err := factory.FileDigest(m.Data)
		if err != nil {
			return nil, mark(ErrData, err)
		}
		out[i] = d
	}
	return out, nil
}

// identity is the id of what a command does with a recipe, and the recipe that
// is recorded with it.
func (p *Project) identity(ctx context.Context, r recipe.Recipe, name string) (id string, text []byte, err error) {
	digests, err := dataDigests(ctx, r)
	if err != nil {
		return "", nil, err
	}
	ident, err := r.Identity(digests)
	if err != nil {
		return "", nil, err
	}
	if text, err = recipe.Marshal(ident); err != nil {
		return "", nil, err
	}
	code, err := p.Code()
	if err != nil {
		return "", nil, err
	}
	h := sha256.New()
	fmt.Fprintf(h, "mlfactory %s 1\n%s\n", name, code)
	h.Write(text)
	return hex.EncodeToString(h.Sum(nil)), text, nil
}

func absolute(path string) (string, error) {
	a, err := filepath.Abs(path)
	if err != nil {
		return "", fmt.Errorf("%s: %w", path, err)
	}
	return a, nil
}
