package factory

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/mlfactory/mlfactory/bar"
	"github.com/mlfactory/mlfactory/bar/calendar"
	"github.com/mlfactory/mlfactory/bar/ingest"
	"github.com/mlfactory/mlfactory/bar/synth"
	"github.com/mlfactory/mlfactory/cost"
	"github.com/mlfactory/mlfactory/feature"
	"github.com/mlfactory/mlfactory/label"
	"github.com/mlfactory/mlfactory/recipe"
	"github.com/mlfactory/mlfactory/view"
)

// stamp writes an instant for a message.
func stamp(t int64) string { return time.Unix(0, t).UTC().Format("2006-01-02T15:04:05Z") }

// FileDigest is the SHA-256 of a file.
func FileDigest(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", fmt.Errorf("%s: %w", path, err)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// loadBars reads or generates a market's base bars.
func loadBars(ctx context.Context, m recipe.Market, inst bar.Instrument) (*bar.Series, *ingest.Report, error) {
	if m.Synth == nil {
		if strings.HasPrefix(m.Data, recipe.ContentPrefix) {
			return nil, nil, fmt.Errorf("the bars of %s are not in the store, and the recipe names their file by its content only: say where it is (--data)", m.Data[:min(len(m.Data), 19)]+"…")
		}
		return ingest.Read(ctx, m.Data, m.Read, inst)
	}
	g, err := synth.Generate(ctx, *m.Synth, inst)
	if err != nil {
		return nil, nil, err
	}
	s := g.Base
	rep := &ingest.Report{
		Source: "generated", Rows: int64(s.Len()), Accepted: int64(s.Len()),
		First: stamp(s.Begin[0]), Last: stamp(s.End[s.Len()-1]), Timeframe: s.Timeframe.String(),
		Stamps: "end", Zone: "UTC", Volume: int64(s.Len()), Sessions: m.Synth.Sessions,
		NoTrade: int64(len(g.Truth.Time) - s.Len()),
	}
	return s, rep, nil
}

// featureSet resolves what the recipe lets models look at for bars of a base;
// timeframes that the base cannot make are left out with a note.
func (c *Catalogue) featureSet(f recipe.Features, base bar.Timeframe) (feature.Set, []string, error) {
	choices := feature.DefaultChoices(base)
	var notes []string
	frames := choices[0].Timeframes
	auto := len(f.Timeframes) == 1 && f.Timeframes[0] == "auto"
	if !auto {
		var tf []bar.Timeframe
		for _, name := range f.Timeframes {
			t, err := bar.ParseTimeframe(name)
			if err != nil {
				return feature.Set{}, nil, err
			}
			if err := bar.CheckMultiple(base, t); err != nil {
				notes = append(notes, fmt.Sprintf("timeframe %s is left out: bars of %s cannot make it", name, base))
				continue
			}
			tf = append(tf, t)
		}
		if len(tf) == 0 {
			return feature.Set{}, nil, fmt.Errorf("none of the timeframes %v can be made from bars of %s", f.Timeframes, base)
		}
		frames = tf
		for i := range choices {
			if len(choices[i].Timeframes) == 1 && i > 0 {
				choices[i].Timeframes = tf[:1]
			} else {
				choices[i].Timeframes = tf
			}
		}
	}
	if !(len(f.Families) == 1 && f.Families[0] == "all") {
		kept := choices[:0:0]
		for _, ch := range choices {
			var fam []string
			for _, x := range ch.Families {
				if slices.Contains(f.Families, x) {
					fam = append(fam, x)
				}
			}
			if len(fam) > 0 {
				ch.Families = fam
				kept = append(kept, ch)
			}
		}
		var families []string
		for _, ch := range choices {
			families = append(families, ch.Families...)
		}
		for _, x := range f.Families {
			if !slices.Contains(families, x) {
				return feature.Set{}, nil, fmt.Errorf("features.families: %w", unknown("family of default features", x, families))
			}
		}
		choices = kept
	}
	if len(f.Add) > 0 {
		choices = append(choices, feature.Choice{Timeframes: frames, Features: f.Add})
	}
	set, err := c.Features.Set(choices)
	if err != nil {
		return feature.Set{}, nil, err
	}
	if len(f.Drop) > 0 {
		hit := map[string]bool{}
		var names []string
		for i := range set.Frames {
			set.Frames[i].Features = slices.DeleteFunc(set.Frames[i].Features, func(s feature.Spec) bool {
				if !slices.Contains(names, s.Name) {
					names = append(names, s.Name)
				}
				if slices.Contains(f.Drop, s.Name) {
					hit[s.Name] = true
					return true
				}
				return false
			})
		}
		for _, d := range f.Drop {
			if !hit[d] {
				return feature.Set{}, nil, fmt.Errorf("features.drop: %w; see mlfactory features list", unknown("feature of this recipe", d, names))
			}
		}
	}
	return set, notes, nil
}

// clockFrame resolves the timeframe of the decision clock: auto is 5m, or the
// base's own bars where those are longer or irregular.
func clockFrame(name string, base bar.Timeframe) (bar.Timeframe, error) {
	if name == "auto" {
		if base != bar.Native && bar.CheckMultiple(base, 5*bar.Minute) == nil {
			return 5 * bar.Minute, nil
		}
		return base, nil
	}
	tf, err := bar.ParseTimeframe(name)
	if err != nil {
		return 0, err
	}
	return tf, bar.CheckMultiple(base, tf)
}

// decide is the decision clock with the width of the barriers at each decision.
func decide(base *bar.Series, cal *calendar.Calendar, tf bar.Timeframe, events label.EventConfig, cfg label.Config) (decisions []int64, width []float64, err error) {
	bars := base
	if tf != base.Timeframe {
		if bars, err = bar.Resample(base, tf, cal); err != nil {
			return nil, nil, err
		}
	}
	if decisions, err = bar.Decisions(base, cal, tf, bar.DecisionOptions{}); err != nil {
		return nil, nil, err
	}
	if width, err = label.Width(bars, decisions, cfg, label.Stale(tf)); err != nil {
		return nil, nil, err
	}
	keep, err := label.Events(bars, decisions, width, events)
	if err != nil || len(keep) == len(decisions) {
		return decisions, width, err
	}
	d2, w2 := make([]int64, len(keep)), make([]float64, len(keep))
	for k, i := range keep {
		d2[k], w2[k] = decisions[i], width[i]
	}
	return d2, w2, nil
}

// labelAll makes the decisions of base bars and labels them.
func labelAll(ctx context.Context, base *bar.Series, cal *calendar.Calendar, tf bar.Timeframe, m *cost.Model, events label.EventConfig, cfg label.Config, workers int) (*label.Set, error) {
	decisions, width, err := decide(base, cal, tf, events, cfg)
	if err != nil {
		return nil, err
	}
	if len(decisions) == 0 {
		return nil, errors.New("the bars give no decision: no bar of the decision clock ends inside a session; is the instrument's session right for this file?")
	}
	return label.Triple(ctx, label.Input{Base: base, Clock: cal, Timeframe: tf, Cost: m, Decisions: decisions, Width: width}, cfg, workers)
}

// tableOf computes features and gathers them at the decisions.
func tableOf(ctx context.Context, r *feature.Registry, base *bar.Series, cal *calendar.Calendar, set feature.Set, decisions []int64, workers int) (*view.Table, error) {
	st, err := feature.Compute(ctx, r, base, cal, set, workers)
	if err != nil {
		return nil, err
	}
	t := &view.Table{}
	return t, feature.Gather(st, decisions, st.Columns(), cal, t)
}
