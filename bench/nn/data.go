package main

import (
	"fmt"

	"github.com/mlfactory/mlfactory/model"
	"github.com/mlfactory/mlfactory/view"
)

// Windows of steps bars of channels values; a table holds the same values in one
// row.
const (
	steps60    = 60
	channels40 = 40
)

// hash is the finaliser of MurmurHash3 (Appleby 2011); opponents.py has the same.
func hash(x uint32) uint32 {
	x ^= x >> 16
	x *= 0x85ebca6b
	x ^= x >> 13
	x *= 0xc2b2ae35
	return x ^ x>>16
}

// value is value j of bar b, uniform in ±1.
func value(b, j int) float32 { return float32(hash(uint32(b*channels40+j))>>8)/(1<<23) - 1 } // #nosec G115 -- small

// data is rows windows, each a bar later than the one before, with random
// classes.
func data(kind model.Input, rows int) view.View {
	v := view.View{Class: make([]int8, rows)}
	for i := range v.Class {
		v.Class[i] = int8(hash(uint32(i)^0x9e3779b9)%3) - 1 // #nosec G115 -- 0 to 2
	}
	if kind == model.InputTable {
		t := &view.Table{N: rows, P: steps60 * channels40, Data: make([]float32, rows*steps60*channels40)}
		for c := range t.P {
			t.Names = append(t.Names, fmt.Sprintf("x%d", c))
			for i := range rows {
				t.Data[c*rows+i] = value(i+c/channels40, c%channels40)
			}
		}
		v.Table = t
		return v
	}
	w := &view.Windows{Timeframe: "1m", Length: steps60, Width: channels40, Data: make([]float32, (rows+steps60-1)*channels40)}
	for j := range channels40 {
		w.Names, w.Columns = append(w.Names, fmt.Sprintf("x%d", j)), append(w.Columns, int32(j)) // #nosec G115 -- small
	}
	for k := range w.Data {
		w.Data[k] = value(k/channels40, k%channels40)
	}
	for i := range rows {
		w.Last = append(w.Last, int32(i+steps60-1)) // #nosec G115 -- small
	}
	v.Streams = []*view.Windows{w}
	return v
}
