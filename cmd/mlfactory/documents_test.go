package main

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mlfactory/mlfactory/internal/docscheck"
)

// invocation is the arguments of this program in a line of shell, if the line calls it.
func invocation(line string) ([]string, bool) {
	line, _, _ = strings.Cut(line, " #")
	words := strings.Fields(line)
	for i, w := range words {
		if w == "|" || w == "&&" || w == ";" || strings.HasPrefix(w, ">") {
			words = words[:i]
			break
		}
	}
	for _, call := range [][]string{{"go", "run", "./cmd/mlfactory"}, {"./mlfactory"}, {"mlfactory"}} {
		if len(words) >= len(call) && slices.Equal(words[:len(call)], call) {
			return words[len(call):], true
		}
	}
	return nil, false
}

// unknown says what of an invocation the program does not know: command, flag or, if the invocation is meant to be complete, number of
// arguments.
func unknown(args []string, complete bool) error {
	root := newRoot(io.Discard, io.Discard)
	root.InitDefaultCompletionCmd()
	root.InitDefaultHelpCmd()
	c, rest, err := root.Find(args)
	if err != nil {
		return err
	}
	c.InitDefaultHelpFlag()
	if err := c.ParseFlags(rest); err != nil {
		return err
	}
	if help, err := c.Flags().GetBool("help"); err == nil && help {
		return nil
	}
	if !complete {
		if c.HasSubCommands() && c.Flags().NArg() > 0 {
			return fmt.Errorf("%s has no command %q", c.CommandPath(), c.Flags().Arg(0))
		}
		return nil
	}
	if c.HasSubCommands() {
		return fmt.Errorf("%s wants a command of its own, got %q", c.CommandPath(), c.Flags().Args())
	}
	return c.ValidateArgs(c.Flags().Args())
}

// The commands that the documents show exist, with these flags and as many arguments. Blocks fenced as "sh ci" are run as they stand by
// .ci/run as well, so each of their lines begins with something that can be run.
func TestDocumentsShowCommandsThatExist(t *testing.T) {
	root, err := docscheck.Root(".")
	if err != nil {
		t.Fatal(err)
	}
	files, err := docscheck.Files(root, ".md")
	if err != nil {
		t.Fatal(err)
	}
	own := 0
	for _, f := range files {
		text, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(f)))
		if err != nil {
			t.Fatal(err)
		}
		code, lines := docscheck.Code(string(text))
		for k, c := range code {
			if args, ok := invocation(c); ok && !strings.Contains(c, "…") {
				if err := unknown(args, false); err != nil {
					t.Errorf("%s:%d: `%s`: %v", f, lines[k], c, err)
				}
			}
		}
		for _, fence := range docscheck.Fences(string(text)) {
			if fence.Info != "sh" && fence.Info != "sh ci" {
				continue
			}
			for k, line := range fence.Lines {
				at := fmt.Sprintf("%s:%d", f, fence.Line+k)
				if args, ok := invocation(line); ok {
					own++
					if err := unknown(args, true); err != nil {
						t.Errorf("%s: %s: %v", at, line, err)
					}
					continue
				}
				words := strings.Fields(line)
				for len(words) > 0 && strings.Contains(words[0], "=") {
					words = words[1:] // SEEDS=200 bench/verdict/run.sh
				}
				if len(words) > 0 && strings.Contains(words[0], "/") {
					if _, err := os.Stat(filepath.Join(root, filepath.FromSlash(words[0]))); err != nil {
						t.Errorf("%s: %s: there is no such script", at, line)
					}
					continue
				}
				if fence.Info != "sh ci" || len(words) == 0 || strings.HasPrefix(words[0], "#") {
					continue
				}
				if _, err := exec.LookPath(words[0]); err != nil {
					t.Errorf("%s: %s: %v", at, line, err)
				}
			}
		}
	}
	if own == 0 {
		t.Error("no document shows a command of this program")
	}
}

func TestUnknown(t *testing.T) {
	for line, ok := range map[string]bool{
		"go run ./cmd/mlfactory run":                          true,
		"mlfactory judge record.csv --trials 40 # theirs":     true,
		"mlfactory judge - --trials 40 | head":                true,
		"./mlfactory run --config recipe.yaml --set a.b=1 -q": true,
		"mlfactory --help":                                    true,
		"mlfactory runn":                                      false,
		"mlfactory judge":                                     false,
		"mlfactory run --dta x.csv":                           false,
		"mlfactory run extra":                                 false,
	} {
		args, found := invocation(line)
		if !found {
			t.Fatalf("%s: not taken for a command of this program", line)
		}
		if err := unknown(args, true); (err == nil) != ok {
			t.Errorf("%s: %v", line, err)
		}
	}
	for line, ok := range map[string]bool{"mlfactory judge": true, "mlfactory run --plan": true, "mlfactory data": true, "mlfactory data lookat": false, "mlfactory run --plna": false} {
		args, _ := invocation(line)
		if err := unknown(args, false); (err == nil) != ok {
			t.Errorf("%s in the text: %v", line, err)
		}
	}
	if _, found := invocation("go test ./..."); found {
		t.Error("go test was taken for a command of this program")
	}
}
