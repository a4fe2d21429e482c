package archtest

import "strings"

// Direct returns "module version" for every module that a go.mod file requires directly, in order.
func Direct(goMod string) []string {
	var out []string
	inside := false
	for _, line := range strings.Split(goMod, "\n") {
		line = strings.TrimSpace(line)
		switch {
		case line == "require (":
			inside = true
			continue
		case line == ")":
			inside = false
			continue
		case strings.HasPrefix(line, "require "):
			line = strings.TrimPrefix(line, "require ")
		case !inside:
			continue
		}
		if fields := strings.Fields(line); len(fields) >= 2 && !strings.HasSuffix(line, "// indirect") {
			out = append(out, fields[0]+" "+fields[1])
		}
	}
	return out
}

// Undocumented returns the direct dependencies that have no row of their version in DEPENDENCIES.md; a row begins with
// "| `module` | version |".
func Undocumented(goMod, dependencies string) []string {
	var out []string
	for _, d := range Direct(goMod) {
		module, version, _ := strings.Cut(d, " ")
		if !strings.Contains(dependencies, "\n| `"+module+"` | "+version+" |") {
			out = append(out, d)
		}
	}
	return out
}
