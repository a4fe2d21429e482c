// Package trainer fits networks: it owns mini-batches, the optimiser, its
// schedule and early stopping, and knows nothing of what a network looks like.
//
// # How a fit goes
//
// A [Network] has parameters and turns rows of a [Source] into logits on a tape.
// Each epoch goes through the training rows in an order drawn from the fit's
// stream, in mini-batches. A mini-batch is divided into a number of shards that
// depends on its size alone; workers run shards, in portions whose activations
// need little memory, gradients are added up in the order of the shards, and AdamW
// (Loshchilov and Hutter 2019) takes a step with the learning rate of a linear
// warm-up and a cosine (Loshchilov and Hutter 2017). So the same rows, configuration
// and stream give the same bytes for any number of workers.
//
// # Tasks and losses
//
// A task says what outputs mean: scores of classes, the score of the second of two
// classes, a value, or its quantiles. Each has its own loss and others that it may
// be trained with; see [Config.Validate]. A row counts with its weight times its
// class weight in what is trained and in what stops the training. The Sharpe ratio
// is one number of a whole mini-batch: its forward passes come first, then the
// ratio, then the backward passes.
//
// # Early stopping
//
// After each epoch the loss of the stop rows is measured, with the averaged weights
// where ema is set: the task's own loss (log-loss of classes, without smoothing or
// focus), or minus the Sharpe ratio of all stop rows in order if that was trained.
// Training ends after patience epochs without a lower one, and the weights of the
// best epoch are kept. Without stop rows every epoch is run and the last weights
// count.
//
// # Interruption
//
// Where [model.Env] has a checkpoint, the state of the fit is kept there after each
// so many epochs: weights, moments, averages, the best so far, the curve. A fit that
// finds its own state goes on from it and ends with the same bytes as one that was
// never interrupted. A state that is damaged or of another fit (other
// configuration, rows, weights or stream) is not used: the fit starts afresh and
// the report says so.
//
// # Refusals
//
// A loss, a gradient or a stop loss that is not finite ends the fit at once: with
// the last weights known to be good (those of the best epoch, or without stop rows
// of the last epoch after which a step succeeded) and a note, or with an error that
// names epoch and step if there are none.
package trainer

import (
	"errors"
	"fmt"
	"slices"
	"strings"

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
	Order          string  `yaml:"order" doc:"mini-batches of shuffled rows, or of blocks of consecutive rows in shuffled order; auto: whole mini-batches for the loss sharpe, blocks of 16 for lstm where windows of neighbouring rows share most of their bars, else shuffled" enum:"auto,shuffled,blocks"`
	Block          int     `yaml:"block" doc:"rows of a block, of the order blocks; 0: a whole mini-batch" min:"0" max:"1000000"`
	Accumulate     int     `yaml:"accumulate" doc:"mini-batches whose gradients are added up for one step, as if they were one large mini-batch" min:"1" max:"4096"`
	Schedule       string  `yaml:"schedule" doc:"step size after the warm-up: a falling cosine, or coslog4, four waves that fall late (RealMLP)" enum:"cosine,coslog4"`

	Task       string    `yaml:"task" doc:"what is predicted: classes (-1, 0, +1), binary (the two of them that occur, as in meta labels), regression (a target's mean) or quantiles of a target" enum:"classes,binary,regression,quantiles"`
	Loss       string    `yaml:"loss" doc:"what is trained: auto (cross_entropy, mse or quantile, by the task), cross_entropy or focal (classes, binary), mse or huber (regression), quantile (quantiles), sharpe (classes, regression)" enum:"auto,cross_entropy,focal,mse,huber,quantile,sharpe"`
	Quantiles  []float64 `yaml:"quantiles" doc:"levels that the task quantiles predicts, ascending" min:"0.001" max:"0.999"`
	FocalGamma float64   `yaml:"focal_gamma" doc:"focal: how much less rows count that are right already; 0: not" min:"0" max:"10"`
	HuberDelta float64   `yaml:"huber_delta" doc:"huber: error, in deviations of the target, from which on it counts straight" min:"1e-6" max:"1e6"`
	SharpeCost float64   `yaml:"sharpe_cost" doc:"sharpe: cost of changing the position by 1, as a share of the price" min:"0" max:"0.1"`
}

// Default is a start for small networks on noisy rows.
func Default() Config {
	return Config{
		Epochs: 50, Patience: 8, Batch: 256,
		LearningRate: 1e-3, WeightDecay: 1e-2, Beta1: 0.9, Beta2: 0.999, Epsilon: 1e-8,
		Warmup: 0.05, FinalRate: 0.01, ClipNorm: 1, ClassWeight: "none", Order: "auto",
		Accumulate: 1, Schedule: "cosine",
		Task: "classes", Loss: "auto", Quantiles: []float64{0.1, 0.5, 0.9}, FocalGamma: 2, HuberDelta: 1, SharpeCost: 2e-4,
	}
}

// losses are those of a task, its own first.
func losses(task string) []string {
	switch task {
	case "classes":
		return []string{"cross_entropy", "focal", "sharpe"}
	case "binary":
		return []string{"cross_entropy", "focal"}
	case "regression":
		return []string{"mse", "huber", "sharpe"}
	case "quantiles":
		return []string{"quantile"}
	}
	return nil
}

// Trained is the loss that is trained: Loss, or the task's own for auto.
func (c Config) Trained() string {
	if own := losses(c.Task); c.Loss == "auto" && len(own) > 0 {
		return own[0]
	}
	return c.Loss
}

// Classifies reports whether the task is one of classes.
func (c Config) Classifies() bool { return c.Task == "classes" || c.Task == "binary" }

// Outputs is the number of outputs that a network needs for the task; classes is
// the number of classes that there are.
func (c Config) Outputs(classes int) int {
	switch c.Task {
	case "classes":
		return classes
	case "quantiles":
		return len(c.Quantiles)
	}
	return 1
}

// Validate reports every parameter outside its range, a loss that is not one of the
// task's (classes: cross_entropy, focal, sharpe; binary: cross_entropy, focal;
// regression: mse, huber, sharpe; quantiles: quantile) and parameters that exclude
// each other.
func (c Config) Validate() error {
	err := param.Check(c)
	bad := func(path, format string, a ...any) {
		err = errors.Join(err, &param.Error{Path: path, Problem: fmt.Sprintf(format, a...)})
	}
	own, loss := losses(c.Task), c.Trained()
	if len(own) > 0 && !slices.Contains(own, loss) {
		bad("loss", "%s is no loss of the task %s; it has %s", loss, c.Task, strings.Join(own, ", "))
	}
	if c.Task == "quantiles" && len(c.Quantiles) == 0 {
		bad("quantiles", "the task quantiles needs at least one level")
	}
	for i, q := range c.Quantiles {
		if i > 0 && q <= c.Quantiles[i-1] {
			bad("quantiles", "level %v follows %v; levels ascend", q, c.Quantiles[i-1])
		}
	}
	if c.LabelSmoothing > 0 && loss != "cross_entropy" {
		bad("label_smoothing", "labels are smoothed in the loss cross_entropy only, not in %s", loss)
	}
	if c.ClassWeight == "balanced" && !c.Classifies() {
		bad("class_weight", "the task %s has no classes to balance", c.Task)
	}
	if loss == "sharpe" && c.Order == "shuffled" {
		bad("order", "the loss sharpe charges for turnover between consecutive rows; it needs the order blocks or auto")
	}
	if c.Block > 0 && c.Order != "blocks" {
		bad("block", "the order %s takes no size of blocks; set order=blocks", c.Order)
	}
	if size := c.Batch * c.Accumulate; c.Block > size {
		bad("block", "a block of %d rows is larger than a step, which has %d (batch × accumulate)", c.Block, size)
	}
	if loss == "sharpe" && c.Block > 0 {
		bad("block", "the Sharpe ratio is that of consecutive rows: a mini-batch is one block; set block=0")
	}
	if loss == "sharpe" && c.Accumulate > 1 {
		bad("accumulate", "the Sharpe ratio is one number of a whole mini-batch; take a larger batch instead")
	}
	return err
}
