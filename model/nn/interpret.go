package nn

import (
	"fmt"

	"github.com/mlfactory/mlfactory/model/nn/tape"
	"github.com/mlfactory/mlfactory/model/nn/trainer"
	"github.com/mlfactory/mlfactory/rng"
	"github.com/mlfactory/mlfactory/view"
)

// Interpretation is what a network that weighs its inputs did with one row (Lim
// et al. 2021, section 7), the mean over seeds. Weights of variables and attention
// are shares: each row of them sums to 1. Parts that the network does not have are
// nil.
type Interpretation struct {
	Static    Importance // of the table's columns, one row
	Past      Importance // of the window's channels, a row a bar, the oldest first
	Known     Importance // of the known future's channels, a row a step
	Attention []float64  // of the last step to all steps of past and future, the mean over heads
}

// Importance is the weights of named variables, a row a step. A column or channel
// that tells of missing values has a name of its own.
type Importance struct {
	Names []string
	Rows  [][]float64
}

// Interpreter is a fitted network that can be asked what it looked at: those of
// tft and vsn_lstm, and no other.
type Interpreter interface {
	// Interpret explains the prediction of one row of v.
	Interpret(v view.View, row int) (*Interpretation, error)
}

// interpreted is a network that keeps what it weighed.
type interpreted interface {
	weights(t *tape.Tape, in *trainer.Batch) tftWeights
}

func (n *tft) weights(t *tape.Tape, in *trainer.Batch) tftWeights {
	_, w := n.forward(t, in)
	return w
}

func (n *vsnLSTM) weights(t *tape.Tape, in *trainer.Batch) tftWeights {
	_, static, past := n.forward(t, in)
	return tftWeights{static: static, past: past}
}

// Interpret explains the prediction of one row, for networks that weigh their
// inputs.
func (f *predictor) Interpret(v view.View, row int) (*Interpretation, error) {
	v, err := take(v, f.input, f.uses)
	if err != nil {
		return nil, fmt.Errorf("model/nn: interpretation: %w", err)
	}
	if err := f.in.check(v); err != nil {
		return nil, fmt.Errorf("model/nn: interpretation: %w", err)
	}
	for _, w := range v.Streams {
		if err := finite(w, nil); err != nil {
			return nil, fmt.Errorf("model/nn: interpretation: %w", err)
		}
	}
	if row < 0 || row >= v.Len() {
		return nil, fmt.Errorf("model/nn: interpretation: row %d of %d", row, v.Len())
	}
	out := &Interpretation{}
	b := &buffer{tape: tape.New(0)}
	for _, net := range f.nets {
		n, ok := net.(interpreted)
		if !ok {
			return nil, fmt.Errorf("model/nn: a %q does not weigh its inputs; tft and vsn_lstm do", f.name)
		}
		b.tape.Reset(false, rng.Stream{})
		w := n.weights(b.tape, f.in.put(b, v, row, row+1))
		share := 1 / float64(len(f.nets))
		if w.static != nil {
			out.Static.add(f.in.table.inputNames(), w.static, share)
		}
		out.Past.add(f.in.streams[0].inputNames(), w.past, share)
		if w.known != nil {
			out.Known.add(f.in.known.inputNames(), w.known, share)
		}
		out.addAttention(w.attention, share)
	}
	return out, nil
}

// add adds a network's weights times its share.
func (m *Importance) add(names []string, w *tape.Tensor, share float64) {
	if m.Rows == nil {
		m.Names = names
		for range w.Rows {
			m.Rows = append(m.Rows, make([]float64, w.Cols))
		}
	}
	for i, row := range m.Rows {
		for j, x := range w.Row(i) {
			row[j] += float64(share * float64(x))
		}
	}
}

// addAttention adds what the query of the row gives to each key.
func (o *Interpretation) addAttention(w tape.Weights, share float64) {
	heads, _, keys := w.Size()
	if heads == 0 {
		return
	}
	if o.Attention == nil {
		o.Attention = make([]float64, keys)
	}
	for k := range o.Attention {
		sum := 0.0
		for h := range heads {
			sum += float64(w.At(0, h, 0, k))
		}
		o.Attention[k] += float64(share * sum / float64(heads))
	}
}

// inputNames are the names of a network's inputs.
func (s *scale) inputNames() []string {
	names := append([]string(nil), s.names...)
	for _, j := range s.missing {
		names = append(names, s.names[j]+" is missing")
	}
	return names
}

func (s *windowScale) inputNames() []string {
	names := append([]string(nil), s.names...)
	if s.missing {
		names = append(names, "share of values missing")
	}
	return names
}
