//go:build !amd64

package vec

// lstmSteps is never called: LSTMStepsFit is false.
func lstmSteps(int, int, []float32, []float32, []float32, []float32, []float32) {}
