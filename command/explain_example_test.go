package command_test

import (
	"fmt"
	"log"
	"os"

	mlfactory "github.com/mlfactory/mlfactory"
	"github.com/mlfactory/mlfactory/command"
)

// What mlfactory config explain prints.
func ExampleProject_ConfigExplain() {
	p, err := command.NewProject(".mlfactory", mlfactory.Sources, "generic")
	if err != nil {
		log.Fatal(err)
	}
	keys, err := p.ConfigExplain("judge.min_dsr")
	if err != nil {
		log.Fatal(err)
	}
	if err := command.WriteKeys(os.Stdout, keys); err != nil {
		fmt.Println(err)
	}
	// Output:
	// judge.min_dsr (float)
	//   least deflated Sharpe ratio (2014), of net returns and of returns in excess of the same-exposure benchmark
	//   default: 0.95
	//   allowed: 0.5 to 0.9999
}
