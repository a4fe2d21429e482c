package frame_test

import (
	"bytes"
	"fmt"
	"math"
	"time"

	"github.com/mlfactory/mlfactory/frame"
)

func Example() {
	day := time.Date(2024, 3, 1, 0, 0, 0, 0, time.UTC).UnixNano()
	f, err := frame.New([]int64{day, day + 60e9, day + 120e9},
		frame.Float64("return", []float64{0.001, math.NaN(), -0.002}),
		frame.Int8("class", []int8{1, 0, -1}))
	if err != nil {
		fmt.Println(err)
		return
	}

	var file bytes.Buffer
	if err := f.WriteParquet(&file); err != nil {
		fmt.Println(err)
		return
	}
	back, err := frame.ReadParquet(bytes.NewReader(file.Bytes()), int64(file.Len()))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(back.Rows(), back.Column("class").Int8, back.Digest() == f.Digest())

	_, err = frame.ReadParquet(bytes.NewReader(file.Bytes()), 100)
	fmt.Println(err)
	// Output:
	// 3 [1 0 -1] true
	// frame: read parquet: truncated after 100 bytes (no PAR1 at its end)
}
