package nn

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/mlfactory/mlfactory/model"
	"github.com/mlfactory/mlfactory/param"
	"github.com/mlfactory/mlfactory/rng"
	"github.com/mlfactory/mlfactory/view"
)

// Every key of every architecture changes what is predicted, some after others
// that a comma joins. Those that convolve have tests of their own.
func TestKeysHaveAnEffect(t *testing.T) {
	keys := map[string]string{
		"dlinear": "horizon=3 around=2 head=0 dropout=0.5 input_clip=1 input_scale=robust",
		"nlinear": "horizon=3 head=0 dropout=0.5 input_scale=robust",
		"tsmixer": "blocks=1 hidden=5 horizon=2 dropout=0.5",
		"nbeats":  "stacks=generic blocks=2 layers=1 hidden=9 theta=7 degree=1 harmonics=2 horizon=2",
		"tabm":    "members=3 hidden=9 layers=1 dropout=0.5",
		"realmlp": "hidden=9 layers=1 waves=3 embedding=2 frequency=1 dropout=0.5 input_scale=standard input_clip=1 schedule=cosine",
		"mlp":     "hidden=9 layers=1 activation=relu norm=false dropout=0.5",
		"lstm":    "hidden=9 layers=2 dropout=0.5 forget_bias=0",
		"gru":     "hidden=9 layers=2 dropout=0.5 forget_bias=0",
		"xlstm":   "width=6 blocks=2 mlstm=0 blocks=2,slstm=0 heads=2 conv=3 round=6 dropout=0.5",
		"mamba":   "width=6 layers=2 state=3 expand=1 conv=3 dt_rank=3 dropout=0.5",
		"mamba2":  "width=16 layers=2 state=8 head=8 expand=4 conv=3 chunk=3 dropout=0.5",
		"s4d":     "width=9 layers=2 state=8 start=inv discretise=bilinear dt_min=0.02 dt_max=0.5 pre_norm=true pool=mean dropout=0.5",
		"s5":      "width=9 layers=2 state=8 blocks=2 discretise=bilinear dt_min=0.02 dt_max=0.5 pool=mean dropout=0.5",

		"transformer":  "heads=1 head_width=4 layers=2 hidden=9 positions=rotary causal=true pool=last activation=relu dropout=0.5 attention_dropout=0.5",
		"itransformer": "heads=1 head_width=4 layers=2 hidden=9 activation=relu dropout=0.5 attention_dropout=0.5",
		"patchtst":     "patch=4 stride=3 heads=1 head_width=5 layers=2 hidden=9 revin=true head=flatten activation=relu dropout=0.5 attention_dropout=0.5 head_dropout=0.5",
		"tft":          "heads=1 head_width=5 dropout=0.5 attention_dropout=0.5",
		"vsn_lstm":     "width=9 dropout=0.5",
	}
	convolves := []string{"tcn", "inceptiontime", "resnet1d", "moderntcn", "minirocket"}
	seen := 0
	for _, e := range Entries() {
		change, ok := keys[e.Name]
		if !ok {
			if !slices.Contains(convolves, e.Name) {
				t.Errorf("no key of %s is tried", e.Name)
			}
			continue
		}
		seen++
		train, test := everything(e, 60, 16, 1), everything(e, 20, 16, 2)
		run := func(pairs ...string) []float64 {
			cfg := small(t, e, 2)
			for _, pair := range pairs {
				path, value, _ := strings.Cut(pair, "=")
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
		plain := run()
		for _, kv := range strings.Fields(change) {
			pairs, base := strings.Split(kv, ","), plain
			if len(pairs) > 1 {
				base = run(pairs[:len(pairs)-1]...)
			}
			if slices.Equal(run(pairs...), base) {
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
			if !slices.ContainsFunc(common, func(c param.Field) bool { return c.Path == f.Path }) && !strings.Contains(strings.ReplaceAll(" "+change, ",", " "), " "+f.Path+"=") {
				t.Errorf("%s: the key %s is not tried", e.Name, f.Path)
			}
		}
	}
	if seen != len(keys) {
		t.Errorf("%d of %d architectures are registered", seen, len(keys))
	}
}
