// Package safetensors reads and writes named float32 arrays in the safetensors
// format: eight bytes with the length of a JSON header, the header (for each
// name its type, shape and place), and the values, little-endian.
//
// The format is that of the Hugging Face library of the same name (format
// description of 2022). Only F32 is written and read. Names are written in the
// order given, each array behind the one before; the header is padded with
// spaces to a multiple of eight bytes. Equal arrays give equal bytes.
//
// Reading refuses headers that do not fit the file, types other than F32, shapes
// that do not match their place, arrays that overlap or leave gaps, and values
// that are not finite.
package safetensors

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
)

// Tensor is a named array, row-major.
type Tensor struct {
	Name  string
	Shape []int
	Data  []float32
}

// place is how the header describes a tensor.
type place struct {
	Type    string   `json:"dtype"`
	Shape   []int    `json:"shape"`
	Offsets [2]int64 `json:"data_offsets"`
}

const metadataKey = "__metadata__"

// size is the number of values of a shape, −1 if it is none.
func size(shape []int) int64 {
	n := int64(1)
	for _, d := range shape {
		if d < 0 || d > 0 && n > math.MaxInt32/int64(d) {
			return -1
		}
		n *= int64(d)
	}
	return n
}

// Write writes the tensors and the metadata.
func Write(w io.Writer, tensors []Tensor, metadata map[string]string) error {
	var h bytes.Buffer
	h.WriteByte('{')
	if len(metadata) > 0 {
		m, err := json.Marshal(metadata) // keys are sorted
		if err != nil {
			return fmt.Errorf("safetensors: %w", err)
		}
		fmt.Fprintf(&h, "%q:%s", metadataKey, m)
	}
	seen := map[string]bool{metadataKey: true}
	at := int64(0)
	for _, t := range tensors {
		if seen[t.Name] {
			return fmt.Errorf("safetensors: the name %q occurs twice or is reserved", t.Name)
		}
		seen[t.Name] = true
		if size(t.Shape) != int64(len(t.Data)) {
			return fmt.Errorf("safetensors: %q has shape %v and %d values", t.Name, t.Shape, len(t.Data))
		}
		end := at + 4*int64(len(t.Data))
		name, err := json.Marshal(t.Name)
		if err != nil {
			return fmt.Errorf("safetensors: %w", err)
		}
		p, err := json.Marshal(place{"F32", t.Shape, [2]int64{at, end}})
		if err != nil {
			return fmt.Errorf("safetensors: %w", err)
		}
		if h.Len() > 1 {
			h.WriteByte(',')
		}
		fmt.Fprintf(&h, "%s:%s", name, p)
		at = end
	}
	h.WriteByte('}')
	for h.Len()%8 != 0 {
		h.WriteByte(' ')
	}
	out := binary.LittleEndian.AppendUint64(nil, uint64(h.Len())) // #nosec G115 -- a length
	out = append(out, h.Bytes()...)
	for _, t := range tensors {
		for _, v := range t.Data {
			out = binary.LittleEndian.AppendUint32(out, math.Float32bits(v))
		}
	}
	_, err := w.Write(out)
	return err
}

// File is what [Read] found.
type File struct {
	Metadata map[string]string
	tensors  map[string]place
	data     []byte
}

// Read reads a whole file.
func Read(b []byte) (*File, error) {
	if len(b) < 8 {
		return nil, fmt.Errorf("safetensors: %d bytes, too few for a header", len(b))
	}
	n := binary.LittleEndian.Uint64(b)
	if n > uint64(len(b)-8) {
		return nil, fmt.Errorf("safetensors: a header of %d bytes in a file of %d", n, len(b))
	}
	var raw map[string]json.RawMessage
	if err := json.Unmarshal(b[8:8+n], &raw); err != nil {
		return nil, fmt.Errorf("safetensors: the header: %w", err)
	}
	f := &File{tensors: map[string]place{}, data: b[8+n:]}
	var order []place
	for name, text := range raw {
		if name == metadataKey {
			if err := json.Unmarshal(text, &f.Metadata); err != nil {
				return nil, fmt.Errorf("safetensors: the metadata: %w", err)
			}
			continue
		}
		var p place
		if err := json.Unmarshal(text, &p); err != nil {
			return nil, fmt.Errorf("safetensors: %q: %w", name, err)
		}
		if p.Type != "F32" {
			return nil, fmt.Errorf("safetensors: %q has type %q; only F32 is read", name, p.Type)
		}
		if s := size(p.Shape); s < 0 || p.Offsets[1]-p.Offsets[0] != 4*s || p.Offsets[0] < 0 || p.Offsets[1] > int64(len(f.data)) {
			return nil, fmt.Errorf("safetensors: %q of shape %v lies at bytes %d to %d of %d", name, p.Shape, p.Offsets[0], p.Offsets[1], len(f.data))
		}
		f.tensors[name] = p
		order = append(order, p)
	}
	slices.SortFunc(order, func(a, b place) int {
		if a.Offsets[0] != b.Offsets[0] {
			return int(a.Offsets[0] - b.Offsets[0])
		}
		return int(a.Offsets[1] - b.Offsets[1])
	})
	at := int64(0)
	for _, p := range order {
		if p.Offsets[0] != at {
			return nil, fmt.Errorf("safetensors: arrays overlap or leave a gap at byte %d", at)
		}
		at = p.Offsets[1]
	}
	if at != int64(len(f.data)) {
		return nil, fmt.Errorf("safetensors: %d bytes belong to no array", int64(len(f.data))-at)
	}
	return f, nil
}

// Take returns the values of a tensor, which must have the given shape, and
// removes it from the file. The shape is not checked where none is given.
func (f *File) Take(name string, shape ...int) ([]float32, error) {
	p, ok := f.tensors[name]
	if !ok {
		return nil, fmt.Errorf("safetensors: there is no %q", name)
	}
	if len(shape) > 0 && !slices.Equal(shape, p.Shape) {
		return nil, fmt.Errorf("safetensors: %q has shape %v, want %v", name, p.Shape, shape)
	}
	delete(f.tensors, name)
	b := f.data[p.Offsets[0]:p.Offsets[1]]
	v := make([]float32, len(b)/4)
	for i := range v {
		v[i] = math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:]))
		if v[i]-v[i] != 0 {
			return nil, fmt.Errorf("safetensors: %q value %d is %v", name, i, v[i])
		}
	}
	return v, nil
}

// Shape is the shape of a tensor that was not taken yet.
func (f *File) Shape(name string) ([]int, bool) {
	p, ok := f.tensors[name]
	return p.Shape, ok
}

// Left names a tensor that was not taken, the first in the alphabet; "" if there
// is none.
func (f *File) Left() string {
	var names []string
	for n := range f.tensors {
		names = append(names, n)
	}
	if len(names) == 0 {
		return ""
	}
	return slices.MinFunc(names, strings.Compare)
}
