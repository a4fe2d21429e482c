// Command mlfactory: bars in, models one can trust out.
package main

import (
	"context"
	"fmt"
	"os"
	"time"

	mlfactory "github.com/mlfactory/mlfactory"
	"github.com/mlfactory/mlfactory/factory"
	"github.com/mlfactory/mlfactory/flow"
	"github.com/mlfactory/mlfactory/store"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "mlfactory:", err)
		os.Exit(1)
	}
}

func run() error {
	ctx := context.Background()
	cat, err := factory.NewCatalogue()
	if err != nil {
		return err
	}
	f, err := factory.New(cat, mlfactory.Sources, "generic")
	if err != nil {
		return err
	}
	rec := factory.Pair()
	if err := rec.Complete(cat); err != nil {
		return err
	}
	s, err := store.Open(".mlfactory")
	if err != nil {
		return err
	}
	t0 := time.Now()
	res, err := f.Run(ctx, rec, factory.Env{Store: s, Workers: 2, Progress: func(e flow.Event) {
		if e.State == flow.Ran {
			fmt.Fprintf(os.Stderr, "%6.1fs %s %.2fs\n", time.Since(t0).Seconds(), e.Node, e.Seconds)
		}
	}, Planned: func(p factory.Planned) { fmt.Fprintf(os.Stderr, "%+v\n", p) }})
	if err != nil {
		return err
	}
	for _, o := range res.Outcomes {
		fmt.Println(o.Market, o.Verdict.Status, o.Verdict.Sentence)
		for _, r := range o.Verdict.Reasons {
			fmt.Println("  ", r.Gate, r.OK, r.Text)
		}
		for _, k := range o.Skill {
			fmt.Printf("  skill %s logloss %.5f prior %.5f skill %.5f [%.5f %.5f]\n", k.Name, k.LogLoss, k.Prior, k.Skill, k.SkillLow, k.SkillHi)
		}
		for _, st := range o.Strategy {
			fmt.Println("  strategy", st.Name, st.Record.Stat("Bets"), st.Record.Stat("SharpeAnnual"), "gross", st.Record.Stat("Gross"), "net", st.Record.Stat("Net"))
		}
		fmt.Println("  labels", o.Counts)
	}
	return nil
}
