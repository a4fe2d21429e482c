package synth_test

import (
	"context"
	"fmt"
	"log"

	"github.com/mlfactory/mlfactory/bar"
	"github.com/mlfactory/mlfactory/bar/synth"
)

// The planted market and its null share every draw; only the drift differs.
func ExampleGenerate() {
	inst, err := bar.Find("SYNTH")
	if err != nil {
		log.Fatal(err)
	}
	cfg := synth.Default()
	cfg.Sessions = 20
	for _, c := range []synth.Config{cfg, cfg.Null()} {
		m, err := synth.Generate(context.Background(), c, inst)
		if err != nil {
			log.Fatal(err)
		}
		same := m.Base.Volume[0] // volume does not know the drift
		fmt.Printf("coupling %.2f: %d bars in %d minutes, first volume %.0f\n", c.Coupling, m.Base.Len(), len(m.Truth.Time), same)
	}
	// Output:
	// coupling 0.08: 7764 bars in 7800 minutes, first volume 611
	// coupling 0.00: 7764 bars in 7800 minutes, first volume 611
}

// What a trader who knows the hidden states earns, net of SYNTH's costs at a price of 400: half-spread 0.01, slippage 0.005 and a fee of
// 0.1 basis points, each time one unit changes hands.
func ExampleConfig_OracleSharpe() {
	cost := (0.01+0.005)/400 + 0.1e-4
	planted := synth.Default()
	half := planted
	half.Coupling /= 2
	fmt.Printf("planted %.1f\n", planted.OracleSharpe(390, cost, 261))
	fmt.Printf("half    %.1f\n", half.OracleSharpe(390, cost, 261))
	fmt.Printf("null    %.1f\n", planted.Null().OracleSharpe(390, cost, 261))
	// Output:
	// planted 24.8
	// half    12.0
	// null    -0.8
}
