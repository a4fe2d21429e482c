// Command mlfactory turns bars into models that a trader can trust: it reads
// bars, makes features and labels, walks forward with several models and their
// combinations, trades them net of cost and says whether that proves anything.
//
// docs/cli.md describes every command, flag and exit code. Results go to
// standard output, progress and messages to standard error.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/mlfactory/mlfactory/command"
)

// Exit codes, as docs/cli.md lists them.
const (
	exitOK          = 0
	exitError       = 1
	exitUsage       = 2
	exitFound       = 3
	exitData        = 4
	exitInterrupted = 130
)

func main() { os.Exit(Main()) }

// Main is the whole program; it returns the exit code.
func Main() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	go func() {
		<-ctx.Done()
		stop() // a second Ctrl-C ends the program at once
	}()
	return execute(ctx, os.Args[1:], os.Stdout, os.Stderr)
}

func execute(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	root := newRoot(stdout, stderr)
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitOK
	}
	code := exitCode(ctx, err)
	if code == exitInterrupted {
		fmt.Fprintln(stderr, "mlfactory: interrupted; start the same command again and it goes on from here")
		return code
	}
	fmt.Fprintln(stderr, "mlfactory:", err)
	return code
}

func exitCode(ctx context.Context, err error) int {
	switch {
	case ctx.Err() != nil && errors.Is(err, context.Canceled):
		return exitInterrupted
	case errors.Is(err, command.ErrUsage):
		return exitUsage
	case errors.Is(err, command.ErrFound):
		return exitFound
	case errors.Is(err, command.ErrData):
		return exitData
	}
	return exitError
}
