//go:build !amd64

package vec

// lstmSteps is never called: LSTMStepsFit is false.
func lstmSteps(*StepWeights, int, []float32, []float32, []float32, []float32, int, int) {}
