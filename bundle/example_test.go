package bundle_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"time"

	mlfactory "github.com/mlfactory/mlfactory"
	"github.com/mlfactory/mlfactory/bar"
	"github.com/mlfactory/mlfactory/bar/ingest"
	"github.com/mlfactory/mlfactory/bar/synth"
	"github.com/mlfactory/mlfactory/bundle"
	"github.com/mlfactory/mlfactory/factory"
	"github.com/mlfactory/mlfactory/recipe"
	"github.com/mlfactory/mlfactory/store"
)

// A run is turned into a file, the file into a runtime, and the runtime decides
// on the last session, bar by bar.
func Example() {
	ctx := context.Background()
	if err := example(ctx); err != nil {
		fmt.Println(err)
	}
	// Output:
	// 77 decisions, the first at 13:35, the last at 19:55
}

func example(ctx context.Context) error {
	dir, err := os.MkdirTemp("", "bundle")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)

	// Train.
	cat, err := factory.NewCatalogue()
	if err != nil {
		return err
	}
	f, err := factory.New(cat, mlfactory.Sources, "generic")
	if err != nil {
		return err
	}
	market := synth.Default()
	market.Sessions = 60
	rec := smallRecipe(recipe.Market{Name: "small", Instrument: "SYNTH", Synth: &market, Read: ingest.Default()})
	rec.Models, rec.Ensembles, rec.Candidate = rec.Models[:1], nil, "logistic"
	if err := rec.Complete(cat); err != nil {
		return err
	}
	s, err := store.Open(dir)
	if err != nil {
		return err
	}
	defer s.Close()
	res, err := f.Run(ctx, rec, factory.Env{Store: s, Workers: 2})
	if err != nil {
		return err
	}
	defer res.Close()

	// Write and read.
	made, err := f.Bundle(s, res, "small", "logistic", 0)
	if err != nil {
		return err
	}
	var file bytes.Buffer
	if err := made.Encode(&file); err != nil {
		return err
	}
	read, err := bundle.Decode(&file)
	if err != nil {
		return err
	}

	// Decide.
	rt, err := read.Open(bundle.Registries{Models: cat.Models, Ensembles: cat.Ensembles, Features: cat.Features})
	if err != nil {
		return err
	}
	bars := res.Outcomes[0].Base
	last := bars.Session[bars.Len()-1]
	var b bar.Bar
	var times []string
	for i := range bars.Len() {
		bars.At(i, &b)
		if err := rt.Push(&b); err != nil {
			return err
		}
		decisions, err := rt.Advance(ctx, b.Known)
		if err != nil {
			return err
		}
		for _, d := range decisions {
			if bars.Session[i] == last {
				times = append(times, clock(d.Time))
			}
		}
	}
	fmt.Printf("%d decisions, the first at %s, the last at %s\n", len(times), times[0], times[len(times)-1])
	return nil
}

func clock(t int64) string { return time.Unix(0, t).UTC().Format("15:04") }
