package param_test

import (
	"fmt"

	"github.com/mlfactory/mlfactory/param"
)

type boosting struct {
	Depth int     `yaml:"depth" doc:"levels of each tree" min:"1" max:"16" search:"int 3 10"`
	Rate  float64 `yaml:"rate" doc:"shrinkage of each tree" min:"0" max:"1" search:"log 1e-3 0.5"`
	Loss  string  `yaml:"loss" doc:"what is minimised" enum:"logloss,l2"`
}

func Example() {
	cfg := boosting{Depth: 6, Rate: 0.1, Loss: "logloss"}

	fields, err := param.Fields(cfg)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, f := range fields {
		fmt.Printf("%-5s %-6s = %-7v %s\n", f.Path, f.Kind, f.Default, f.Doc)
	}

	for _, set := range [][2]string{{"depth", "40"}, {"loss", "logls"}} {
		if err := param.Set(&cfg, set[0], set[1]); err != nil {
			fmt.Println(err)
		}
	}
	fmt.Println(param.Validate(cfg))
	fmt.Println(param.Set(&cfg, "dpeth", "4"))

	text, err := param.Canonical(boosting{Depth: 6, Rate: 0.1, Loss: "logloss"})
	fmt.Println(string(text), err)
	// Output:
	// depth int    = 6       levels of each tree
	// rate  float  = 0.1     shrinkage of each tree
	// loss  string = logloss what is minimised
	// depth: 40 is above the maximum 16
	// loss: "logls" is not one of "logloss", "l2"; nearest is "logloss"
	// dpeth: unknown key "dpeth"; nearest is "depth"
	// {"depth":6,"loss":"logloss","rate":0.1} <nil>
}
