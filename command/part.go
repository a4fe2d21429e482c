package command

import (
	"context"
	"errors"
	"fmt"
	"path"
	"strings"
	"time"

	"github.com/mlfactory/mlfactory/factory"
	"github.com/mlfactory/mlfactory/flow"
	"github.com/mlfactory/mlfactory/recipe"
	"github.com/mlfactory/mlfactory/report"
	"github.com/mlfactory/mlfactory/store"
)

// Part is the first steps of a run, for the commands that show one of them.
// Its stages are those of a whole run, which later finds them done.
type Part struct {
	ID       string
	Outcomes []*factory.Outcome
	Reports  []*flow.Report

	code   string
	result *factory.Result
}

// part runs a recipe up to a step and hands the result to use, while its files
// are open. It is recorded in the store as a run with the label "command", so
// that its results are not collected as garbage.
func (p *Project) part(ctx context.Context, rec recipe.Recipe, name string, until factory.Step, o RunOptions, use func(*Part) error) (err error) {
	id, text, err := p.identity(ctx, rec, name)
	if err != nil {
		return err
	}
	s, err := store.Open(p.Dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	at, err := s.BeginRun(ctx, id, text, store.Label{Name: "command", Value: name}, store.Label{Name: "markets", Value: markets(rec)})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, at.Finish(context.WithoutCancel(ctx), err)) }()
	res, err := p.Factory.Run(ctx, rec, factory.Env{Store: s, Attempt: at, Workers: o.Workers, Memory: o.Memory, Progress: o.Progress, Planned: o.planned(), Until: until})
	if err != nil {
		return classify(err)
	}
	defer func() { err = errors.Join(err, res.Close()) }()
	part := &Part{ID: id, Outcomes: res.Outcomes, Reports: res.Reports, result: res}
	if part.code, err = p.Code(); err != nil {
		return err
	}
	return use(part)
}

// output finds the output of a stage that ran in the part.
func (p *Part) output(node, name string) (store.Output, bool) {
	for _, rep := range p.Reports {
		if r, ok := rep.Result(node); ok {
			return r.Output(name)
		}
	}
	return store.Output{}, false
}

// file writes one file of the run folder to a path of the caller's.
func (p *Part) file(name, to string) error {
	for _, f := range report.Files(p.Outcomes, nil) {
		if path.Base(f.Name) == name {
			return writeFile(to, f.Write)
		}
	}
	return fmt.Errorf("there is no %s in this result", name)
}

func markets(rec recipe.Recipe) string {
	var names []string
	for _, m := range rec.Markets {
		names = append(names, m.Name)
	}
	return strings.Join(names, " ")
}

// one refuses a recipe of several markets where a command writes one file.
func one(rec recipe.Recipe) error {
	if len(rec.Markets) != 1 {
		return Usage("the recipe has %d markets, this command takes one: say --data FILE, or use a recipe with one market", len(rec.Markets))
	}
	return nil
}

func stamp(ns int64) string { return time.Unix(0, ns).UTC().Format(time.RFC3339) }
