//go:build slow

package main

import "testing"

func TestKillOften(t *testing.T) { kills(t, 50) }

func TestKillOftenInsideAFit(t *testing.T) { killsInside(t, 10, 8) }

func TestSlowScripts(t *testing.T) { scripts(t, "testdata/slow") }
