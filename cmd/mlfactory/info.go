package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"
)

func newVersion(g *global) *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version of program and code",
		Args:  noArgs,
		RunE: func(*cobra.Command, []string) error {
			p, err := g.project()
			if err != nil {
				return err
			}
			v, err := p.Version()
			if err != nil {
				return err
			}
			return g.print(v, func(w io.Writer) error {
				_, err := fmt.Fprintf(w, "mlfactory %s\ncode %s\n%s %s/%s, kernels %s\n", v.Version, v.Code, v.Go, v.OS, v.Arch, v.Kernel)
				return err
			})
		},
	}
}
