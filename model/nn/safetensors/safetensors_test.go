package safetensors_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/mlfactory/mlfactory/model/nn/safetensors"
)

func Example() {
	var b bytes.Buffer
	_ = safetensors.Write(&b, []safetensors.Tensor{{Name: "w", Shape: []int{2, 2}, Data: []float32{1, 2, 3, 4}}}, nil)
	f, _ := safetensors.Read(b.Bytes())
	w, _ := f.Take("w", 2, 2)
	fmt.Println(w, strings.TrimSpace(string(b.Bytes()[8:b.Len()-16])))
	// Output: [1 2 3 4] {"w":{"dtype":"F32","shape":[2,2],"data_offsets":[0,16]}}
}

func sample(t testing.TB) []byte {
	var b bytes.Buffer
	err := safetensors.Write(&b, []safetensors.Tensor{
		{Name: "layer.weight", Shape: []int{2, 3}, Data: []float32{1, -2, 3.5, 0, 1e-30, 6}},
		{Name: "empty", Shape: []int{0, 4}},
		{Name: "bias \"ä\"", Shape: []int{2}, Data: []float32{7, 8}},
	}, map[string]string{"b": "2", "a": "1"})
	if err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestRoundTrip(t *testing.T) {
	b := sample(t)
	if n := binary.LittleEndian.Uint64(b); n%8 != 0 {
		t.Errorf("a header of %d bytes", n)
	}
	f, err := safetensors.Read(b)
	if err != nil {
		t.Fatal(err)
	}
	if f.Metadata["a"] != "1" || f.Metadata["b"] != "2" {
		t.Errorf("metadata %v", f.Metadata)
	}
	if f.Left() != "bias \"ä\"" {
		t.Errorf("left %q", f.Left())
	}
	w, err := f.Take("layer.weight", 2, 3)
	if err != nil || !slices.Equal(w, []float32{1, -2, 3.5, 0, 1e-30, 6}) {
		t.Errorf("%v %v", w, err)
	}
	if _, err := f.Take("layer.weight", 2, 3); err == nil {
		t.Error("taken twice")
	}
	if _, err := f.Take("bias \"ä\"", 3); err == nil || !strings.Contains(err.Error(), "shape [2], want [3]") {
		t.Errorf("error %v", err)
	}
}

func TestWriteRefuses(t *testing.T) {
	for name, list := range map[string][]safetensors.Tensor{
		"twice":    {{Name: "a", Shape: []int{0}}, {Name: "a", Shape: []int{0}}},
		"reserved": {{Name: "__metadata__", Shape: []int{0}}},
		"shape":    {{Name: "a", Shape: []int{3}, Data: []float32{1}}},
		"negative": {{Name: "a", Shape: []int{-1, -1}, Data: []float32{1}}},
	} {
		if err := safetensors.Write(&bytes.Buffer{}, list, nil); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// file puts a header before some bytes.
func file(header string, data int) []byte {
	return append(append(binary.LittleEndian.AppendUint64(nil, uint64(len(header))), header...), make([]byte, data)...)
}

func TestReadRefuses(t *testing.T) {
	nan := file(`{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}`, 0)
	nan = binary.LittleEndian.AppendUint32(nan, math.Float32bits(float32(math.NaN())))
	if f, err := safetensors.Read(nan); err != nil {
		t.Error(err)
	} else if _, err := f.Take("a"); err == nil {
		t.Error("a NaN passes")
	}
	for name, b := range map[string][]byte{
		"short":       {1, 2},
		"long header": binary.LittleEndian.AppendUint64(nil, 1<<60),
		"no json":     file("{", 0),
		"type":        file(`{"a":{"dtype":"F16","shape":[1],"data_offsets":[0,2]}}`, 2),
		"shape":       file(`{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}}`, 4),
		"huge shape":  file(`{"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,0]}}`, 0),
		"outside":     file(`{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}`, 4),
		"gap":         file(`{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}`, 8),
		"overlap":     file(`{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}`, 4),
		"rest":        file(`{}`, 4),
		"metadata":    file(`{"__metadata__":7}`, 0),
	} {
		if _, err := safetensors.Read(b); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func FuzzRead(f *testing.F) {
	f.Add(sample(f))
	f.Fuzz(func(t *testing.T, b []byte) {
		file, err := safetensors.Read(b)
		if err != nil {
			return
		}
		for name := file.Left(); name != ""; name = file.Left() {
			if _, err := file.Take(name); err != nil {
				return
			}
		}
	})
}
