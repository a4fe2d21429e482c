package nn

import (
	"math"
	"strings"
	"testing"

	"github.com/mlfactory/mlfactory/view"
)

// telling has a window of three channels of which one tells the class, beside a
// table and a known future of noise.
func telling(n int, seed uint64) view.View {
	v := everything(tftEntry(), n, 8, seed)
	v.Weight = nil
	w := view.NewWindows(n, 8, []string{"noise", "signal", "other"})
	w.Timeframe = "5m"
	noise := everything(tftEntry(), n, 8, seed+100).Streams[0]
	for i, x := range noise.Data {
		if x != x {
			x = 0
		}
		w.Data[i] = x
	}
	for i := range n {
		v.Class[i] = 1
		if s := w.Data[(i*8+7)*3+1] + w.Data[(i*8+6)*3+1]; s < 0 {
			v.Class[i] = -1
		}
	}
	v.Streams = []*view.Windows{w}
	return v
}

// What tft and vsn_lstm say of a row are shares, named, and the channel that
// tells the class counts for more than the others.
func TestInterpret(t *testing.T) {
	train, test := telling(600, 1), telling(40, 2)
	for _, e := range Entries() {
		if e.Name != "tft" && e.Name != "vsn_lstm" && e.Name != "gru" {
			continue
		}
		t.Run(e.Name, func(t *testing.T) {
			cfg := small(t, e, 12)
			f := fitted(t, e, cfg, train, view.View{})
			in, err := f.(Interpreter).Interpret(test, 0)
			if e.Name == "gru" {
				if err == nil || !strings.Contains(err.Error(), "does not weigh") {
					t.Errorf("a recurrent network without weights: %v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			parts := []Importance{in.Static, in.Past}
			if e.Name == "tft" {
				parts = append(parts, in.Known, Importance{make([]string, 12), [][]float64{in.Attention}}) // 8 bars, 4 steps ahead
			}
			for k, p := range parts {
				if len(p.Rows) == 0 {
					t.Fatalf("part %d is empty", k)
				}
				for _, row := range p.Rows {
					sum := 0.0
					for _, x := range row {
						sum += x
					}
					if len(row) != len(p.Names) || math.Abs(sum-1) > 1e-4 {
						t.Errorf("part %d: %d weights of %d names sum to %v", k, len(row), len(p.Names), sum)
					}
				}
			}
			mean := make([]float64, 3)
			for i := range 40 {
				in, err := f.(Interpreter).Interpret(test, i)
				if err != nil {
					t.Fatal(err)
				}
				for j := range mean {
					mean[j] += in.Past.Rows[7][j] / 40
				}
			}
			if in.Past.Names[1] != "signal" || mean[1] < mean[0] || mean[1] < mean[2] {
				t.Errorf("the last bar's weights are %.3v for %v", mean, in.Past.Names)
			}
			if _, err := f.(Interpreter).Interpret(test, 40); err == nil {
				t.Error("a row that there is not was explained")
			}
		})
	}
}
