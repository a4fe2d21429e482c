package nn

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/mlfactory/mlfactory/model"
	"github.com/mlfactory/mlfactory/model/modeltest"
	"github.com/mlfactory/mlfactory/rng"
	"github.com/mlfactory/mlfactory/view"
)

func TestTCNGolden(t *testing.T) {
	checkGolden(t, "tcn", func(in Shape) network {
		return newTCN(&TCN{Channels: 7, Kernel: 3, Layers: 3, Convolutions: 2, WeightNorm: true, Pool: "last"}, in, rng.New(1))
	})
	checkGolden(t, "tcn_plain", func(in Shape) network {
		return newTCN(&TCN{Channels: 5, Kernel: 4, Layers: 2, Convolutions: 2, Pool: "mean"}, in, rng.New(1))
	})
}

func TestInceptionTimeGolden(t *testing.T) {
	checkGolden(t, "inceptiontime", func(in Shape) network {
		return newInceptionTime(&InceptionTime{Filters: 3, Depth: 6, Bottleneck: 4, Kernel: 12, Residual: true}, in, rng.New(1))
	})
}

func TestResNet1DGolden(t *testing.T) {
	checkGolden(t, "resnet1d", func(in Shape) network {
		return newResNet1D(&ResNet1D{Channels: 4, Widest: 8, Stages: 3, Blocks: 1, Kernel1: 8, Kernel2: 5, Kernel3: 3, Stride: 1}, in, rng.New(1))
	})
	checkGolden(t, "resnet1d_deep", func(in Shape) network {
		return newResNet1D(&ResNet1D{Channels: 4, Widest: 8, Stages: 2, Blocks: 2, Kernel1: 3, Kernel2: 3, Stem: 7, Stride: 2}, in, rng.New(1))
	})
}

func TestModernTCNGolden(t *testing.T) {
	checkGolden(t, "moderntcn", func(in Shape) network {
		return newModernTCN(&ModernTCN{Features: 4, Blocks: 2, Patch: 4, Stride: 2, Large: 5, Small: 3, Ratio: 2}, in, rng.New(1))
	})
}

// The receptive field of every configuration that derives its layers covers the
// window; one that does not is refused.
func TestTCNCoversTheWindow(t *testing.T) {
	for _, c := range []struct{ kernel, convolutions, steps, layers int }{
		{3, 2, 60, 4}, {3, 2, 61, 4}, {3, 2, 62, 5}, {3, 1, 60, 5}, {2, 2, 120, 6}, {7, 2, 16, 2}, {3, 2, 1, 1},
	} {
		cfg := DefaultTCN()
		cfg.Kernel, cfg.Convolutions = c.kernel, c.convolutions
		if got := cfg.layers(c.steps); got != c.layers {
			t.Errorf("kernel %d, %d convolutions, %d bars: %d layers, want %d", c.kernel, c.convolutions, c.steps, got, c.layers)
		}
	}
	cfg := DefaultTCN()
	cfg.Layers, cfg.Epochs, cfg.Patience = 2, 1, 1
	l, err := tcnEntry().New(&cfg)
	if err != nil {
		t.Fatal(err)
	}
	_, err = l.Fit(context.Background(), model.Env{Stream: rng.New(1), Workers: 1}, modeltest.Motif(100, 16, 2, 1), view.View{})
	if err == nil || !strings.Contains(err.Error(), "layers: 2 layers see 13 bars") {
		t.Errorf("layers that do not cover the window: %v", err)
	}
	cfg.Layers = 3
	if l, err = tcnEntry().New(&cfg); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Fit(context.Background(), model.Env{Stream: rng.New(1), Workers: 1}, modeltest.Motif(100, 16, 2, 1), view.View{}); err != nil {
		t.Error(err)
	}
}

func TestModernTCNRefusesWhatDoesNotFit(t *testing.T) {
	for key, change := range map[string]func(*ModernTCN){
		"stride": func(c *ModernTCN) { c.Stride = 9 },
		"patch":  func(c *ModernTCN) { c.Patch = 17 },
		"large":  func(c *ModernTCN) { c.Large = 6 },
		"small":  func(c *ModernTCN) { c.Small = 15 },
	} {
		cfg := DefaultModernTCN()
		change(&cfg)
		l, err := modernTCNEntry().New(&cfg)
		if err != nil {
			t.Fatal(err)
		}
		_, err = l.Fit(context.Background(), model.Env{Stream: rng.New(1), Workers: 1}, modeltest.Motif(100, 16, 2, 1), view.View{})
		if err == nil || !strings.Contains(err.Error(), key+":") {
			t.Errorf("%s: %v", key, err)
		}
	}
}

// convPlanted is how each architecture is fitted to planted patterns, and the
// log-loss it must reach on other windows.
func convPlanted() map[string]struct {
	entry model.Entry
	cfg   func() any
	floor map[string]float64
} {
	quick := func(c *Common, epochs int, rate float64) {
		c.Epochs, c.Patience, c.Batch, c.LearningRate = epochs, 0, 64, rate
	}
	type row = struct {
		entry model.Entry
		cfg   func() any
		floor map[string]float64
	}
	return map[string]row{
		"tcn": {tcnEntry(), func() any {
			c := DefaultTCN()
			quick(&c.Common, 8, 1e-2)
			c.Channels, c.Dropout = 24, 0
			return &c
		}, map[string]float64{"motif": 0.2, "lag": 0.35, "interaction": 0.2, "long range": 0.2, "regime flip": 0.2}},
		"inceptiontime": {inceptionTimeEntry(), func() any {
			c := DefaultInceptionTime()
			quick(&c.Common, 5, 1e-2)
			c.Filters, c.Depth, c.Bottleneck, c.Kernel = 6, 3, 6, 12
			return &c
		}, map[string]float64{"motif": 0.2, "interaction": 0.2, "regime flip": 0.3}},
		"resnet1d": {resNet1DEntry(), func() any {
			c := DefaultResNet1D()
			quick(&c.Common, 5, 1e-2)
			c.Channels, c.Widest, c.Stages = 8, 16, 2
			return &c
		}, map[string]float64{"motif": 0.2, "interaction": 0.2, "regime flip": 0.3}},
		"moderntcn": {modernTCNEntry(), func() any {
			c := DefaultModernTCN()
			quick(&c.Common, 8, 1e-2)
			c.Features, c.Patch, c.Stride, c.Dropout = 8, 4, 2, 0
			return &c
		}, map[string]float64{"motif": 0.2, "interaction": 0.2, "long range": 0.2, "regime flip": 0.2}},
	}
}

func TestConvolutionsLearnPlantedPatterns(t *testing.T) {
	notUnderRace(t)
	const n, length, channels = 1200, 16, 4
	patterns := []struct {
		name string
		make func(n int, seed uint64) view.View
	}{
		{"motif", func(n int, seed uint64) view.View { return modeltest.Motif(n, length, channels, seed) }},
		{"lag", func(n int, seed uint64) view.View { return modeltest.Lag(n, length, channels, 5, seed) }},
		{"interaction", func(n int, seed uint64) view.View { return modeltest.Interaction(n, length, channels, seed) }},
		{"long range", func(n int, seed uint64) view.View { return modeltest.LongRange(n, length, channels, seed) }},
		{"regime flip", func(n int, seed uint64) view.View { return modeltest.RegimeFlip(n, length, channels, seed) }},
	}
	for name, c := range convPlanted() {
		for _, p := range patterns {
			floor, ok := c.floor[p.name]
			if !ok {
				continue
			}
			t.Run(name+"/"+p.name, func(t *testing.T) {
				cfg, rows := c.cfg(), n
				if p.name == "lag" { // a value among noise takes longer
					cfg.(interface{ common() *Common }).common().Epochs, rows = 14, 1500
				}
				m := fitted(t, c.entry, cfg, p.make(rows, 1), view.View{})
				if loss := logLoss(t, m, p.make(400, 2)); loss > floor {
					t.Errorf("log-loss %.3f, want below %v; a linear model is at %.3f", loss, floor, modeltest.Chance)
				}
			})
		}
	}
}

// On shuffled classes no architecture is better than chance, nor much worse
// where it stops early.
func TestConvolutionsAreAtChanceOnShuffledClasses(t *testing.T) {
	for name, c := range convPlanted() {
		t.Run(name, func(t *testing.T) {
			cfg := c.cfg()
			common := cfg.(interface{ common() *Common }).common()
			common.Epochs, common.Patience, common.LearningRate = 4, 2, 2e-3
			train, stop := modeltest.Shuffled(modeltest.Motif(600, 16, 4, 3), 5), modeltest.Shuffled(modeltest.Motif(300, 16, 4, 4), 6)
			m := fitted(t, c.entry, cfg, train, stop)
			loss := logLoss(t, m, modeltest.Shuffled(modeltest.Motif(600, 16, 4, 7), 8))
			if loss < modeltest.Chance-0.02 || loss > modeltest.Chance+0.15 {
				t.Errorf("log-loss %.3f on shuffled classes, chance is %.3f", loss, modeltest.Chance)
			}
		})
	}
}

// Every key of the architectures changes what is learned.
func TestEveryConvolutionalKeyHasAnEffect(t *testing.T) {
	train, stop := modeltest.Motif(150, 16, 3, 1), modeltest.Motif(60, 16, 3, 2)
	probabilities := func(e model.Entry, cfg any) []float64 {
		common := cfg.(interface{ common() *Common }).common()
		common.Epochs, common.Patience = 1, 1
		var p model.Prediction
		if err := fitted(t, e, cfg, train, stop).Predict(context.Background(), stop, &p); err != nil {
			t.Fatal(err)
		}
		return p.Prob
	}
	check := func(e model.Entry, name string, base []float64, cfg any) {
		t.Helper()
		if slices.Equal(probabilities(e, cfg), base) {
			t.Errorf("%s: %s has no effect", e.Name, name)
		}
	}
	{
		small := func() *TCN { c := DefaultTCN(); c.Channels = 6; return &c }
		base := probabilities(tcnEntry(), small())
		for name, change := range map[string]func(*TCN){
			"channels": func(c *TCN) { c.Channels = 5 }, "kernel": func(c *TCN) { c.Kernel = 4 }, "layers": func(c *TCN) { c.Layers = 4 },
			"convolutions": func(c *TCN) { c.Convolutions = 1 }, "weight_norm": func(c *TCN) { c.WeightNorm = false },
			"pool": func(c *TCN) { c.Pool = "mean" }, "dropout": func(c *TCN) { c.Dropout = 0.5 },
		} {
			c := small()
			change(c)
			check(tcnEntry(), name, base, c)
		}
	}
	{
		small := func() *InceptionTime {
			c := DefaultInceptionTime()
			c.Filters, c.Depth, c.Bottleneck, c.Kernel = 4, 3, 4, 12
			return &c
		}
		base := probabilities(inceptionTimeEntry(), small())
		for name, change := range map[string]func(*InceptionTime){
			"filters": func(c *InceptionTime) { c.Filters = 5 }, "depth": func(c *InceptionTime) { c.Depth = 4 }, "bottleneck": func(c *InceptionTime) { c.Bottleneck = 0 },
			"kernel": func(c *InceptionTime) { c.Kernel = 16 }, "residual": func(c *InceptionTime) { c.Residual = false }, "dropout": func(c *InceptionTime) { c.Dropout = 0.5 },
		} {
			c := small()
			change(c)
			check(inceptionTimeEntry(), name, base, c)
		}
	}
	{
		small := func() *ResNet1D { c := DefaultResNet1D(); c.Channels, c.Widest, c.Stages = 4, 8, 2; return &c }
		base := probabilities(resNet1DEntry(), small())
		for name, change := range map[string]func(*ResNet1D){
			"channels": func(c *ResNet1D) { c.Channels = 5 }, "widest": func(c *ResNet1D) { c.Widest = 6 }, "stages": func(c *ResNet1D) { c.Stages = 3 },
			"blocks": func(c *ResNet1D) { c.Blocks = 2 }, "kernel1": func(c *ResNet1D) { c.Kernel1 = 7 }, "kernel2": func(c *ResNet1D) { c.Kernel2 = 4 },
			"kernel3": func(c *ResNet1D) { c.Kernel3 = 0 }, "stem": func(c *ResNet1D) { c.Stem = 3 }, "stride": func(c *ResNet1D) { c.Stride = 2 },
			"dropout": func(c *ResNet1D) { c.Dropout = 0.5 },
		} {
			c := small()
			change(c)
			check(resNet1DEntry(), name, base, c)
		}
	}
	{
		small := func() *ModernTCN {
			c := DefaultModernTCN()
			c.Features, c.Patch, c.Stride, c.Large, c.Small = 3, 4, 2, 5, 3
			return &c
		}
		base := probabilities(modernTCNEntry(), small())
		for name, change := range map[string]func(*ModernTCN){
			"features": func(c *ModernTCN) { c.Features = 4 }, "blocks": func(c *ModernTCN) { c.Blocks = 2 }, "patch": func(c *ModernTCN) { c.Patch = 5 },
			"stride": func(c *ModernTCN) { c.Stride = 4 }, "large": func(c *ModernTCN) { c.Large = 7 }, "small": func(c *ModernTCN) { c.Small = 0 },
			"ratio": func(c *ModernTCN) { c.Ratio = 2 }, "dropout": func(c *ModernTCN) { c.Dropout = 0.5 },
		} {
			c := small()
			change(c)
			check(modernTCNEntry(), name, base, c)
		}
	}
}
