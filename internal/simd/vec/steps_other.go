//go:build !amd64

package vec

func lstmSteps(int, int, []float32, []float32, []float32, []float32, []float32) {
	panic("vec: there is no kernel for the steps of an LSTM") // LSTMStepsFit says so
}
