// Command verdict measures how often the factory's verdict is right on
// generated markets with a known answer, on seeds that nothing was tuned on.
//
// For each seed it runs, in the small preset: the planted market, the same at
// half strength, the null market, the null market judged at zero cost, and the
// null market with a feature that reads one bar ahead and the audit off. The
// last must pass: it shows that a gate that refuses the null can see an edge
// when one is there.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"time"

	mlfactory "github.com/mlfactory/mlfactory"
	"github.com/mlfactory/mlfactory/factory"
	"github.com/mlfactory/mlfactory/feature"
	"github.com/mlfactory/mlfactory/feature/featuretest"
	"github.com/mlfactory/mlfactory/internal/simd"
	"github.com/mlfactory/mlfactory/judge"
	"github.com/mlfactory/mlfactory/param"
	"github.com/mlfactory/mlfactory/recipe"
	"github.com/mlfactory/mlfactory/store"
)

// A variant is one kind of market and how it is judged.
type variant struct {
	name   string
	change func(r *recipe.Recipe)
	leaky  bool
}

func keep(r *recipe.Recipe, name string) {
	for _, m := range r.Markets {
		if m.Name == name {
			r.Markets = []recipe.Market{m}
			return
		}
	}
}

func variants() []variant {
	return []variant{
		{name: "planted", change: func(r *recipe.Recipe) { keep(r, "planted") }},
		{name: "half", change: func(r *recipe.Recipe) {
			keep(r, "planted")
			r.Markets[0].Synth.Coupling /= 2
		}},
		{name: "null", change: func(r *recipe.Recipe) { keep(r, "null") }},
		{name: "null_zero_cost", change: func(r *recipe.Recipe) {
			keep(r, "null")
			r.Cost.Multiplier = 0
		}},
		{name: "null_leak", leaky: true, change: func(r *recipe.Recipe) {
			keep(r, "null")
			r.Features.Add = []feature.Spec{{Name: featuretest.Leaky().Name}}
			r.Audit = "off"
		}},
	}
}

type result struct {
	Variant string       `json:"variant"`
	Seed    uint64       `json:"seed"`
	Status  judge.Status `json:"status"`
	Sharpe  judge.Number `json:"net_sharpe_annual"`
	DSR     judge.Number `json:"dsr"`
	Bets    int          `json:"bets"`
}

func main() {
	seeds := flag.Int("seeds", 100, "number of held-out seeds")
	first := flag.Uint64("first", 1001, "first seed")
	workers := flag.Int("workers", runtime.NumCPU(), "markets at once")
	out := flag.String("out", "", "file for one JSON line a market")
	dir := flag.String("dir", os.TempDir(), "folder for the temporary stores")
	only := flag.String("only", "", "one variant")
	flag.Parse()
	if err := run(*seeds, *first, *workers, *out, *dir, *only); err != nil {
		fmt.Fprintln(os.Stderr, "verdict:", err)
		os.Exit(1)
	}
}

func run(seeds int, first uint64, workers int, out, dir, only string) error {
	ctx := context.Background()
	type job struct {
		v    variant
		seed uint64
	}
	var jobs []job
	for k := range seeds {
		for _, v := range variants() {
			if only == "" || only == v.name {
				jobs = append(jobs, job{v, first + uint64(k)})
			}
		}
	}
	results := make([]result, len(jobs))
	errs := make([]error, len(jobs))
	var log *os.File
	if out != "" {
		f, err := os.Create(out)
		if err != nil {
			return err
		}
		defer f.Close()
		log = f
	}
	var mu sync.Mutex
	var wg sync.WaitGroup
	start := time.Now()
	next, done := 0, 0
	for range workers {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for {
				mu.Lock()
				i := next
				next++
				mu.Unlock()
				if i >= len(jobs) {
					return
				}
				results[i], errs[i] = one(ctx, jobs[i].v, jobs[i].seed, dir)
				mu.Lock()
				done++
				if log != nil && errs[i] == nil {
					errs[i] = json.NewEncoder(log).Encode(results[i])
				}
				if done%20 == 0 {
					fmt.Fprintf(os.Stderr, "%d of %d markets, %.0f s\n", done, len(jobs), time.Since(start).Seconds())
				}
				mu.Unlock()
			}
		}()
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	fmt.Printf("%-16s %6s %6s %6s %10s %12s %8s\n", "market", "pass", "fail", "little", "pass rate", "mean Sharpe", "bets")
	for _, v := range variants() {
		var n, pass, fail, little, bets int
		var sharpe float64
		for _, r := range results {
			if r.Variant != v.name {
				continue
			}
			n++
			switch r.Status {
			case judge.Pass:
				pass++
			case judge.Fail:
				fail++
			default:
				little++
			}
			if r.Sharpe.Exists() {
				sharpe += float64(r.Sharpe)
			}
			bets += r.Bets
		}
		if n == 0 {
			continue
		}
		p := float64(pass) / float64(n)
		fmt.Printf("%-16s %6d %6d %6d %6.3f±%.3f %12.2f %8d\n", v.name, pass, fail, little, p, math.Sqrt(p*(1-p)/float64(n)), sharpe/float64(n), bets/n)
	}
	fmt.Printf("%.1f s a market and core\n", time.Since(start).Seconds()*float64(workers)/float64(len(jobs)))
	rate := func(name string) float64 {
		n, pass := 0, 0
		for _, r := range results {
			if r.Variant == name {
				n++
				if r.Status == judge.Pass {
					pass++
				}
			}
		}
		return float64(pass) / math.Max(1, float64(n))
	}
	for _, v := range variants() {
		if only == "" || only == v.name {
			fmt.Printf("RATIO %s_pass_rate %.3f\n", v.name, rate(v.name))
		}
	}
	return nil
}

// one runs one market in a store of its own.
func one(ctx context.Context, v variant, seed uint64, dir string) (result, error) {
	fail := func(err error) (result, error) {
		return result{}, fmt.Errorf("%s, seed %d: %w", v.name, seed, err)
	}
	cat, err := factory.NewCatalogue()
	if err != nil {
		return fail(err)
	}
	if v.leaky {
		if err := cat.Features.Add(featuretest.Leaky()); err != nil {
			return fail(err)
		}
	}
	f, err := factory.New(cat, mlfactory.Sources, simd.Current().String())
	if err != nil {
		return fail(err)
	}
	rec := factory.SmallPair(seed)
	v.change(&rec)
	if err := rec.Complete(cat); err != nil {
		return fail(err)
	}
	if err := param.Validate(&rec); err != nil {
		return fail(err)
	}
	tmp, err := os.MkdirTemp(dir, "verdict")
	if err != nil {
		return fail(err)
	}
	defer os.RemoveAll(tmp)
	s, err := store.Open(filepath.Join(tmp, "store"))
	if err != nil {
		return fail(err)
	}
	defer s.Close()
	res, err := f.Run(ctx, rec, factory.Env{Store: s, Workers: 1, NoSkill: true})
	if err != nil {
		return fail(err)
	}
	defer res.Close()
	o := res.Outcomes[0]
	return result{Variant: v.name, Seed: seed, Status: o.Verdict.Status, Sharpe: o.Verdict.SharpeAnnual.Value, DSR: o.Verdict.DSR, Bets: o.Verdict.Bets}, nil
}
