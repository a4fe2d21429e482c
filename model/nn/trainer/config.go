// Package trainer fits networks: it owns mini-batches, the optimiser, its
// schedule and early stopping, and knows nothing of what a network looks like.
//
// # How a fit goes
//
// A [Network] has parameters and turns rows of a [Source] into logits on a tape.
// Each epoch goes through the training rows in an order drawn from the fit's
// stream, in mini-batches. A mini-batch is divided into a number of shards that
// depends on its size alone; workers run shards, gradients are added up in the
// order of the shards, and AdamW (Loshchilov and Hutter 2019) takes a step with
// the learning rate of a linear warm-up and a cosine (Loshchilov and Hutter
// 2017). So the same rows, configuration and stream give the same bytes for any
// number of workers.
//
// # Early stopping
//
// After each epoch the weighted log-loss of the stop rows is measured, with the
// averaged weights where ema is set. Training ends after patience epochs without
// a lower one, and the weights of the best epoch are kept. Without stop rows
// every epoch is run and the last weights count.
//
// # Refusals
//
// A loss or a gradient that is not finite ends the fit at once: with the weights
// of the best epoch and a note if there is one, with an error that names epoch
// and step if not.
package trainer

import (
	"errors"
	"fmt"

	"github.com/mlfactory/mlfactory/param"
)

// Config is what the configuration of every network contains.
type Config struct {
	Epochs         int     `yaml:"epochs" doc:"most passes over the training rows; early stopping may use fewer" min:"1" max:"100000"`
	Patience       int     `yaml:"patience" doc:"stop after this many epochs without a lower loss on the stop rows and keep the best; 0: run all epochs" min:"0" max:"100000"`
	Batch          int     `yaml:"batch" doc:"rows of a mini-batch" min:"1" max:"1000000" search:"int 64 1024"`
	LearningRate   float64 `yaml:"learning_rate" doc:"highest step size of AdamW" min:"1e-8" max:"10" search:"log 1e-4 1e-2"`
	WeightDecay    float64 `yaml:"weight_decay" doc:"decoupled weight decay; biases and norms are left out" min:"0" max:"10" search:"log 1e-6 1e-1"`
	Beta1          float64 `yaml:"beta1" doc:"AdamW: decay of the mean gradient" min:"0" max:"0.9999"`
	Beta2          float64 `yaml:"beta2" doc:"AdamW: decay of the mean squared gradient" min:"0" max:"0.999999"`
	Epsilon        float64 `yaml:"epsilon" doc:"AdamW: added to the root of the mean squared gradient" min:"1e-12" max:"1"`
	Warmup         float64 `yaml:"warmup" doc:"share of all steps in which the step size rises from 0" min:"0" max:"0.9"`
	FinalRate      float64 `yaml:"final_rate" doc:"share of learning_rate that the cosine ends at; 1: no decay" min:"0" max:"1"`
	ClipNorm       float64 `yaml:"clip_norm" doc:"largest norm of the gradient of all parameters; longer ones are scaled; 0: no limit" min:"0" max:"1e6"`
	EMA            float64 `yaml:"ema" doc:"decay of an exponential average of the weights, which then predicts; 0: none" min:"0" max:"0.99999"`
	LabelSmoothing float64 `yaml:"label_smoothing" doc:"share of each label that is spread over all classes" min:"0" max:"0.9" search:"lin 0 0.2"`
	ClassWeight    string  `yaml:"class_weight" doc:"none, or balanced: every class has the same sum of weights" enum:"none,balanced"`
	Order          string  `yaml:"order" doc:"mini-batches of shuffled rows, or of blocks of consecutive rows in shuffled order" enum:"shuffled,blocks"`
}

// Default is a start for small networks on noisy rows.
func Default() Config {
	return Config{
		Epochs: 50, Patience: 8, Batch: 256,
		LearningRate: 1e-3, WeightDecay: 1e-2, Beta1: 0.9, Beta2: 0.999, Epsilon: 1e-8,
		Warmup: 0.05, FinalRate: 0.01, ClipNorm: 1, ClassWeight: "none", Order: "shuffled",
	}
}

// Validate reports every parameter outside its range.
func (c Config) Validate() error {
	err := param.Check(c)
	if c.Patience > c.Epochs {
		err = errors.Join(err, &param.Error{Path: "patience", Problem: fmt.Sprintf("%d epochs of patience are more than the %d epochs there are", c.Patience, c.Epochs)})
	}
	return err
}
