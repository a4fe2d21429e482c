package featuretest

import (
	"encoding/binary"
	"errors"
	"math"

	"github.com/mlfactory/mlfactory/bar"
	"github.com/mlfactory/mlfactory/feature"
)

// Leaky is the entry of a kernel that cheats: its PushBlock writes the log
// return of the next bar, as a careless vectorised feature would. Pushed bar by
// bar it has to give the return of the bar itself. Nothing but tests and the
// bench that shows what a leak does may register it.
func Leaky() feature.Entry {
	return feature.Entry{
		Name: "leaky", Family: "leak", Doc: "ln(C_{t+1} / C_t) in history, ln(C_t / C_{t−1}) live: a planted leak of one bar.",
		Overnight: "the break between sessions counts like any other step between two bars",
		Default:   func() any { return &struct{}{} },
		New:       func(any, feature.Env) (feature.Kernel, error) { return &leaky{last: math.NaN()}, nil },
	}
}

type leaky struct{ last float64 }

func (k *leaky) Names() []string { return []string{"leaky"} }
func (k *leaky) First() int      { return 2 }
func (k *leaky) Memory() int     { return 2 }
func (k *leaky) Reset()          { k.last = math.NaN() }

func (k *leaky) Push(b *bar.Bar, out []float64) {
	out[0] = math.Log(b.Close / k.last)
	k.last = b.Close
}

func (k *leaky) PushBlock(s *bar.Series, lo, hi int, out [][]float64) {
	var b bar.Bar
	for i := lo; i < hi; i++ {
		s.At(i, &b)
		k.Push(&b, out[0][i-lo:])
		if i+1 < s.Len() {
			out[0][i-lo] = math.Log(s.Close[i+1] / b.Close)
		}
	}
}

const leakyHeader = "leaky\x00\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00"

func (k *leaky) State(dst []byte) []byte {
	return binary.LittleEndian.AppendUint64(append(dst, leakyHeader...), math.Float64bits(k.last))
}

func (k *leaky) Restore(src []byte) error {
	if len(src) != len(leakyHeader)+8 || string(src[:len(leakyHeader)]) != leakyHeader {
		return errors.New("featuretest: not a state of the leaky kernel")
	}
	k.last = math.Float64frombits(binary.LittleEndian.Uint64(src[len(leakyHeader):]))
	return nil
}
