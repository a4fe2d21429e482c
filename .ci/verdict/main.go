// Command verdict checks the summary of the default run: the market with a planted edge passes, the one without does not.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: verdict summary.json")
		os.Exit(2)
	}
	text, err := os.ReadFile(os.Args[1])
	if err == nil {
		err = check(text)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "verdict:", err)
		os.Exit(1)
	}
}

// check reads the summary and returns what is wrong with its verdicts.
func check(text []byte) error {
	var summary struct {
		Runs []struct {
			Market  string
			Verdict struct{ Status string }
		}
	}
	if err := json.Unmarshal(text, &summary); err != nil {
		return err
	}
	planted, null := 0, 0
	for _, r := range summary.Runs {
		status := r.Verdict.Status
		fmt.Printf("%s: %s\n", r.Market, status)
		switch status {
		case "pass", "fail", "not_enough_evidence":
		default:
			return fmt.Errorf("market %q has the unknown status %q", r.Market, status)
		}
		switch {
		case strings.Contains(r.Market, "planted"):
			planted++
			if status != "pass" {
				return fmt.Errorf("the planted edge in %q was not found", r.Market)
			}
		case strings.Contains(r.Market, "null"):
			null++
			if status == "pass" {
				return fmt.Errorf("an edge was found in %q, which has none", r.Market)
			}
		}
	}
	if planted == 0 || null == 0 {
		return fmt.Errorf("want a market called planted and one called null, got %d and %d", planted, null)
	}
	return nil
}
