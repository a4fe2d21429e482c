package model_test

import (
	"bytes"
	"fmt"

	"github.com/mlfactory/mlfactory/model"
)

func ExampleLogLoss() {
	p := &model.Prediction{N: 2, K: 3, Prob: []float64{0.5, 0.3, 0.2, 0.1, 0.1, 0.8}}
	loss, err := model.LogLoss(p, []int8{-1, 1}, nil)
	fmt.Printf("%.4f %v\n", loss, err)
	// Output: 0.4581 <nil>
}

func ExampleReadArtifact() {
	var file bytes.Buffer
	if err := model.WriteArtifact(&file, "toy", 1, []byte("weights")); err != nil {
		fmt.Println(err)
		return
	}
	file.Bytes()[file.Len()-1] ^= 1
	_, err := model.ReadArtifact(&file, "toy", 1)
	fmt.Println(err)
	// Output: model: reading a toy: digest mismatch: damaged or foreign bytes
}
