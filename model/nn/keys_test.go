package nn

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/mlfactory/mlfactory/model"
	"github.com/mlfactory/mlfactory/param"
	"github.com/mlfactory/mlfactory/rng"
	"github.com/mlfactory/mlfactory/view"
)

// Keys of the linear forecasters, mixers, bases and networks of tables change what
// is predicted.
func TestKeysHaveAnEffect(t *testing.T) {
	keys := map[string]string{
		"dlinear": "horizon=3 around=2 head=0 dropout=0.5 input_clip=1 input_scale=robust",
		"nlinear": "horizon=3 head=0 dropout=0.5 input_scale=robust",
		"tsmixer": "blocks=1 hidden=5 horizon=2 dropout=0.5",
		"nbeats":  "stacks=generic blocks=2 layers=1 hidden=9 theta=7 degree=1 harmonics=2 horizon=2",
		"tabm":    "members=3 hidden=9 layers=1 dropout=0.5",
		"realmlp": "hidden=9 layers=1 waves=3 embedding=2 frequency=1 dropout=0.5 input_scale=standard input_clip=1 schedule=cosine",
	}
	seen := 0
	for _, e := range Entries() {
		change, ok := keys[e.Name]
		if !ok {
			continue
		}
		seen++
		train, test := everything(e, 60, 16, 1), everything(e, 20, 16, 2)
		run := func(path, value string) []float64 {
			cfg := small(t, e, 2)
			if path != "" {
				if err := param.Set(cfg, path, value); err != nil {
					t.Fatal(err)
				}
			}
			l, err := e.New(cfg)
			if err != nil {
				t.Fatal(err)
			}
			m, err := l.Fit(context.Background(), model.Env{Stream: rng.New(1), Workers: 1}, train, view.View{})
			if err != nil {
				t.Fatal(err)
			}
			return predicted(t, m, test).Prob
		}
		base := run("", "")
		for _, kv := range strings.Fields(change) {
			path, value, _ := strings.Cut(kv, "=")
			if slices.Equal(run(path, value), base) {
				t.Errorf("%s: %s has no effect", e.Name, kv)
			}
		}
		// Every key of its own is in the list.
		own, err := param.Fields(e.Default())
		if err != nil {
			t.Fatal(err)
		}
		common, err := param.Fields(DefaultCommon())
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range own {
			if !slices.ContainsFunc(common, func(c param.Field) bool { return c.Path == f.Path }) && !strings.Contains(" "+change, fmt.Sprintf(" %s=", f.Path)) {
				t.Errorf("%s: the key %s is not tried", e.Name, f.Path)
			}
		}
	}
	if seen != len(keys) {
		t.Errorf("%d of %d architectures are registered", seen, len(keys))
	}
}
