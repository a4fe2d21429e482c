package nn

import "github.com/mlfactory/mlfactory/model"

// predecessor names the sizes of the networks that this project's predecessor had.
// They are sizes only: its networks differed in more, see the architectures.
const predecessor = "predecessor"

const predecessorDoc = "the sizes and training of this project's predecessor, which are large for most financial data."

// preset is a change of an architecture's default.
func preset[C any](name, doc string, def func() C, change func(c *C)) model.Preset {
	return model.Preset{Name: name, Doc: doc, Config: func() any {
		c := def()
		change(&c)
		return &c
	}}
}

// presets are those of an architecture.
func presets(name string) []model.Preset {
	// train sets what its trainer did: patience, warm-up epochs, AdamW, clipping at 1.
	train := func(c *Common, epochs, batch int, rate, decay float64, patience int, warm float64) {
		c.Epochs, c.Batch, c.LearningRate, c.WeightDecay, c.Patience = epochs, batch, rate, decay, patience
		c.Warmup, c.ClipNorm, c.FinalRate = warm/float64(epochs), 1, 0
	}
	switch name {
	case "lstm":
		return []model.Preset{preset(predecessor, predecessorDoc, DefaultLSTM, func(c *LSTM) {
			c.Layers, c.Hidden, c.Dropout = 2, 256, 0.3
			train(&c.Common, 100, 256, 1e-3, 1e-4, 15, 5)
		})}
	case "gru":
		return []model.Preset{preset(predecessor, predecessorDoc, DefaultGRU, func(c *GRU) {
			c.Layers, c.Hidden, c.Dropout = 2, 256, 0.3
			train(&c.Common, 100, 256, 1e-3, 1e-4, 15, 5)
		})}
	case "nbeats":
		return []model.Preset{preset(predecessor, predecessorDoc, DefaultNBEATS, func(c *NBEATS) {
			c.Stacks, c.Blocks, c.Layers, c.Hidden, c.Theta, c.Degree, c.Harmonics = []string{"generic", "trend", "seasonality"}, 3, 4, 256, 32, 3, 4
			train(&c.Common, 100, 128, 5e-4, 1e-4, 15, 5)
		})}
	case "tcn":
		return []model.Preset{preset(predecessor, predecessorDoc, DefaultTCN, func(c *TCN) {
			c.Channels, c.Kernel, c.WeightNorm, c.Pool, c.Dropout = 64, 3, false, "mean", 0.2
			train(&c.Common, 100, 256, 1e-3, 1e-4, 15, 5)
		})}
	case "inceptiontime":
		return []model.Preset{preset(predecessor, predecessorDoc, DefaultInceptionTime, func(c *InceptionTime) {
			c.Filters, c.Depth, c.Bottleneck, c.Kernel = 32, 18, 32, 40
			train(&c.Common, 100, 64, 1e-3, 1e-4, 15, 5)
		})}
	case "resnet1d":
		return []model.Preset{preset(predecessor, predecessorDoc, DefaultResNet1D, func(c *ResNet1D) {
			c.Channels, c.Widest, c.Stages, c.Blocks, c.Kernel1, c.Kernel2, c.Kernel3, c.Stem, c.Stride = 64, 512, 4, 2, 3, 3, 0, 7, 2
			train(&c.Common, 100, 64, 1e-3, 1e-4, 15, 5)
		})}
	case "transformer":
		return []model.Preset{preset(predecessor, predecessorDoc, DefaultTransformer, func(c *Transformer) {
			c.Heads, c.HeadWidth, c.Layers, c.Hidden, c.Causal = 8, 32, 3, 512, true
			train(&c.Common, 50, 128, 1e-4, 1e-2, 10, 3)
		})}
	case "patchtst":
		return []model.Preset{preset(predecessor, predecessorDoc, DefaultPatchTST, func(c *PatchTST) {
			c.Heads, c.HeadWidth, c.Layers, c.Hidden = 8, 32, 3, 512
			train(&c.Common, 50, 128, 1e-4, 1e-2, 10, 3)
		})}
	case "itransformer":
		return []model.Preset{preset(predecessor, predecessorDoc, DefaultITransformer, func(c *ITransformer) {
			c.Heads, c.HeadWidth, c.Layers, c.Hidden = 8, 32, 2, 512
			train(&c.Common, 50, 256, 1e-4, 1e-2, 10, 3)
		})}
	case "tft":
		return []model.Preset{preset(predecessor, predecessorDoc, DefaultTFT, func(c *TFT) {
			c.Heads, c.HeadWidth = 4, 64
			train(&c.Common, 50, 128, 1e-4, 1e-2, 10, 3)
		})}
	}
	return nil
}
