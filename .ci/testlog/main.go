// Command testlog reads the output of go test -json and prints what a person wants to know: one line per package, the whole output of
// what failed, and how many tests were skipped for which reason. It fails when a test failed.
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"sort"
	"strings"
)

func main() {
	if err := summarise(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "testlog:", err)
		os.Exit(1)
	}
}

// event is one line of go test -json.
type event struct {
	Action, Package, Test, Output, ImportPath string
	Elapsed                                   float64
}

var position = regexp.MustCompile(`^\s*[A-Za-z0-9_]+\.go:[0-9]+: `)

// summarise copies the essence of r to w; the error says that something failed or that the log is incomplete.
func summarise(r io.Reader, w io.Writer) error {
	output := map[string][]string{} // by package and test
	reasons := map[string]int{}
	packages, failed, skipped := 0, 0, 0
	in := bufio.NewScanner(r)
	in.Buffer(nil, 16<<20)
	for in.Scan() {
		var e event
		if err := json.Unmarshal(in.Bytes(), &e); err != nil {
			fmt.Fprintln(w, in.Text()) // a message of the go command itself
			continue
		}
		key := e.Package + " " + e.Test
		switch e.Action {
		case "output":
			output[key] = append(output[key], e.Output)
		case "build-output":
			fmt.Fprint(w, e.Output)
		case "build-fail":
			failed++
		case "skip":
			if e.Test == "" {
				continue // a package without tests
			}
			skipped++
			reasons[reason(output[key])]++
			delete(output, key)
		case "pass":
			delete(output, key)
			if e.Test == "" {
				packages++
				fmt.Fprintf(w, "ok    %6.1f s  %s\n", e.Elapsed, e.Package)
			}
		case "fail":
			failed++
			if e.Test == "" {
				packages++
				fmt.Fprintf(w, "FAIL  %6.1f s  %s\n", e.Elapsed, e.Package)
			}
			fmt.Fprint(w, strings.Join(output[key], ""))
			delete(output, key)
		}
	}
	if err := in.Err(); err != nil {
		return err
	}
	var list []string
	for k := range reasons {
		list = append(list, k)
	}
	sort.Strings(list)
	fmt.Fprintf(w, "%d tests skipped\n", skipped)
	for _, k := range list {
		fmt.Fprintf(w, "  %d × %s\n", reasons[k], k)
	}
	switch {
	case failed > 0:
		return errors.New("tests failed")
	case packages == 0:
		return errors.New("no package was tested")
	}
	return nil
}

// reason returns the last message of a skipped test without its position.
func reason(lines []string) string {
	for i := len(lines) - 1; i >= 0; i-- {
		if at := position.FindStringIndex(lines[i]); at != nil {
			return strings.TrimSpace(lines[i][at[1]:])
		}
	}
	return "(no reason given)"
}
