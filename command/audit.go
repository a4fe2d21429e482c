package command

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/mlfactory/mlfactory/audit"
	"github.com/mlfactory/mlfactory/recipe"
)

// AuditOptions are what does not change what an audit finds.
type AuditOptions struct {
	Dir      string // for copies of the input and stores of its own, removed afterwards; "" for a temporary one beside the store
	Memory   int64
	Progress func(market, check string, ok bool)
}

// Audit audits a recipe from the raw file on. It works in stores of its own,
// so that nothing of the project serves it and no trial is counted. A leak is
// an error of the kind ErrFound, beside the reports.
func (p *Project) Audit(ctx context.Context, rec recipe.Recipe, o AuditOptions) (reps []audit.Report, err error) {
	if _, err := dataDigests(ctx, rec); err != nil {
		return nil, err
	}
	parent := o.Dir
	if parent == "" {
		parent = filepath.Dir(filepath.Clean(p.Dir))
	}
	if err := os.MkdirAll(parent, 0o777); err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp(parent, ".audit-*")
	if err != nil {
		return nil, fmt.Errorf("the audit needs a folder to work in: %w; choose another with --dir", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	if reps, err = audit.Full(ctx, p.Factory, rec, audit.Options{Dir: dir, Memory: o.Memory, Progress: o.Progress}); err != nil {
		return reps, classify(err)
	}
	bad := 0
	for _, r := range reps {
		for _, c := range r.Checks {
			if !c.OK {
				bad++
			}
		}
	}
	if bad > 0 {
		return reps, mark(ErrFound, fmt.Errorf("%d checks failed: something knew the future, or could not be checked", bad))
	}
	return reps, nil
}
