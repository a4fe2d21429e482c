package nn

import (
	"bytes"

	"github.com/mlfactory/mlfactory/model"
)

// Network is what a fitted model of this package offers beside predictions.
type Network interface {
	model.Fitted
	// Describe says what was fitted.
	Describe() Info
	// ExportONNX writes the model, scaling included, for ONNX runtimes.
	ExportONNX() ([]byte, error)
	// ExportSafetensors writes scales and weights as a safetensors file whose
	// names and shapes are those of PyTorch; the metadata "mlfactory" holds the
	// configuration and the columns.
	ExportSafetensors() ([]byte, error)
}

// Info describes a fitted network.
type Info struct {
	Name       string
	Seeds      int
	Parameters int // of one seed
	Inputs     []InputInfo
}

// InputInfo is one part of the input.
type InputInfo struct {
	Name      string   // "table", "stream.0", "known"
	Timeframe string   // of windows
	Length    int      // bars of a window; 0 for the table
	Columns   []string // or channels
}

// Describe says what was fitted.
func (f *predictor) Describe() Info {
	i := Info{Name: f.name, Seeds: len(f.nets)}
	for _, p := range f.nets[0].Params() {
		i.Parameters += len(p.Value)
	}
	raw := f.raw()
	n := declared(raw)
	if s := f.in.table; s != nil {
		i.Inputs = append(i.Inputs, InputInfo{Name: n.table, Columns: s.names})
	}
	for k, s := range f.in.streams {
		i.Inputs = append(i.Inputs, InputInfo{n.streams[k], s.timeframe, s.length, s.names})
	}
	if s := f.in.known; s != nil {
		i.Inputs = append(i.Inputs, InputInfo{n.known, s.timeframe, s.length, s.names})
	}
	return i
}

// ExportSafetensors writes the weights.
func (f *predictor) ExportSafetensors() ([]byte, error) {
	var b bytes.Buffer
	if err := f.Encode(&b); err != nil {
		return nil, err
	}
	return model.ReadArtifact(&b, kind, version)
}

var _ Network = (*predictor)(nil)
