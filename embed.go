// Package mlfactory carries the module's own Go sources, so that a program
// built from it, by `go run` too, can tell which version of a stage's code it
// holds: see flow.Code. Nothing else is in it; the program is cmd/mlfactory.
package mlfactory

import "embed"

// Sources holds go.mod and the source files of every package of the module. A
// test in flow fails when a package, or a file that a package embeds, is not
// covered by the patterns.
//
//go:embed go.mod */*.go */*/*.go */*/*/*.go */*/*/*/*.go */*/*/*.s
var Sources embed.FS
