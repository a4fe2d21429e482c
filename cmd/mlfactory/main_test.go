package main

import (
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"mlfactory": func() { os.Exit(Main()) }})
}

func TestScripts(t *testing.T) { scripts(t, "testdata/script") }

func scripts(t *testing.T, dir string) {
	recipes, err := filepath.Glob("testdata/recipes/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir: dir,
		Setup: func(e *testscript.Env) error {
			for _, r := range recipes {
				b, err := os.ReadFile(r)
				if err != nil {
					return err
				}
				if err := os.WriteFile(filepath.Join(e.WorkDir, filepath.Base(r)), b, 0o666); err != nil {
					return err
				}
			}
			e.Setenv("COLUMNS", "100")
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"code": codeCommand, "bars": barsCommand, "gz": gzCommand, "cut": cutCommand, "same": sameCommand, "long": longCommand, "ids": idsCommand, "damage": damageCommand,
			"empty": emptyCommand, "silent": silentCommand, "smalldisk": diskCommand(""), "growdisk": diskCommand("remount,"),
		},
		Condition: func(c string) (bool, error) {
			if c == "disk" {
				return canMount(t.TempDir()), nil
			}
			return false, fmt.Errorf("unknown condition %q", c)
		},
	})
}

// codeCommand runs the program and wants an exit code: code 4 data inspect ….
func codeCommand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: code N args…")
	}
	err := ts.Exec("mlfactory", args[1:]...)
	got := 0
	if err != nil {
		var ee interface{ ExitCode() int }
		if !errors.As(err, &ee) {
			ts.Fatalf("%v", err)
		}
		got = ee.ExitCode()
	}
	if fmt.Sprint(got) != args[0] {
		ts.Fatalf("exit code %d, want %s", got, args[0])
	}
}

// barsCommand writes n one-minute bars, session hours of a 24/7 market, with
// edits: bars FILE N [line=text…]; line 1 is the header.
func barsCommand(ts *testscript.TestScript, _ bool, args []string) {
	n := 0
	_, err := fmt.Sscan(args[1], &n)
	ts.Check(err)
	lines := []string{"time,open,high,low,close,volume"}
	price := 30000.0
	for i := range n {
		day, minute := i/1440, i%1440
		next := price + float64((i*7919)%21-10)
		lines = append(lines, fmt.Sprintf("2024-%02d-%02dT%02d:%02d:00Z,%.1f,%.1f,%.1f,%.1f,%d", 1+day/28, 1+day%28, minute/60, minute%60,
			price, max(price, next)+2, min(price, next)-2, next, 5+(i*31)%17))
		price = next
	}
	for _, e := range args[2:] {
		at, text, ok := strings.Cut(e, "=")
		if !ok {
			ts.Fatalf("edit %q: want line=text", e)
		}
		k := 0
		_, err := fmt.Sscan(at, &k)
		ts.Check(err)
		lines[k-1] = text
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(strings.Join(lines, "\n")+"\n"), 0o666))
}

// gzCommand compresses a file: gz IN OUT.
func gzCommand(ts *testscript.TestScript, _ bool, args []string) {
	in, err := os.ReadFile(ts.MkAbs(args[0]))
	ts.Check(err)
	out, err := os.Create(ts.MkAbs(args[1]))
	ts.Check(err)
	z := gzip.NewWriter(out)
	_, err = z.Write(in)
	ts.Check(err)
	ts.Check(z.Close())
	ts.Check(out.Close())
}

// cutCommand keeps a part of a file: cut FILE PERCENT.
func cutCommand(ts *testscript.TestScript, _ bool, args []string) {
	st, err := os.Stat(ts.MkAbs(args[0]))
	ts.Check(err)
	k := int64(0)
	_, err = fmt.Sscan(args[1], &k)
	ts.Check(err)
	ts.Check(os.Truncate(ts.MkAbs(args[0]), st.Size()*k/100))
}

// longCommand writes a file with one line of so many MB: long FILE MB.
func longCommand(ts *testscript.TestScript, _ bool, args []string) {
	mb := 0
	_, err := fmt.Sscan(args[1], &mb)
	ts.Check(err)
	f, err := os.Create(ts.MkAbs(args[0]))
	ts.Check(err)
	_, err = io.WriteString(f, "time,open,high,low,close,volume\n2024-01-01T00:00:00Z,")
	ts.Check(err)
	block := strings.Repeat("1", 1<<20)
	for range mb {
		_, err = io.WriteString(f, block)
		ts.Check(err)
	}
	ts.Check(f.Close())
}

// idsCommand sets ID0, ID1 … and ID_MARKET from the output of runs list: ids FILE.
func idsCommand(ts *testscript.TestScript, _ bool, args []string) {
	n := 0
	for _, line := range strings.Split(ts.ReadFile(args[0]), "\n") {
		if f := strings.Fields(line); len(f) > 4 && len(f[0]) == 12 {
			ts.Setenv(fmt.Sprintf("ID%d", n), f[0])
			for _, market := range f[2:4] { // a command has one word or two
				ts.Setenv("ID_"+market, f[0])
			}
			n++
		}
	}
}

// damageCommand changes one byte of one object: damage DIR.
func damageCommand(ts *testscript.TestScript, _ bool, args []string) {
	var path string
	ts.Check(filepath.WalkDir(ts.MkAbs(args[0]), func(p string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() && path == "" {
			path = p
		}
		return err
	}))
	b, err := os.ReadFile(path)
	ts.Check(err)
	b[len(b)/2] ^= 1
	ts.Check(os.Chmod(path, 0o644))
	ts.Check(os.WriteFile(path, b, 0o644))
}

// silentCommand drops what states the sides of the stamps from a file that this
// program wrote; the ends remain: silent IN OUT.
func silentCommand(ts *testscript.TestScript, _ bool, args []string) {
	lines := strings.Split(strings.TrimSuffix(ts.ReadFile(args[0]), "\n"), "\n")
	for i, l := range lines {
		f := strings.Split(l, ",")
		lines[i] = strings.Join(append(f[1:2], f[3:]...), ",")
	}
	lines[0] = strings.Replace(lines[0], "bar_end", "time", 1)
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), []byte(strings.Join(lines, "\n")+"\n"), 0o666))
}

// emptyCommand wants a folder to be empty: empty DIR.
func emptyCommand(ts *testscript.TestScript, _ bool, args []string) {
	es, err := os.ReadDir(ts.MkAbs(args[0]))
	ts.Check(err)
	if len(es) > 0 {
		ts.Fatalf("%s holds %s", args[0], es[0].Name())
	}
}

func mount(dir, options string) error {
	out, err := exec.Command("mount", "-t", "tmpfs", "-o", options, "tmpfs", dir).CombinedOutput()
	if err != nil {
		return fmt.Errorf("mount: %w: %s", err, out)
	}
	return nil
}

// canMount reports whether this user may mount a small disk.
func canMount(dir string) bool {
	if os.Getuid() != 0 || mount(dir, "size=1m") != nil {
		return false
	}
	return exec.Command("umount", dir).Run() == nil
}

// diskCommand mounts or resizes a disk of so many MB: smalldisk DIR MB.
func diskCommand(option string) func(*testscript.TestScript, bool, []string) {
	return func(ts *testscript.TestScript, _ bool, args []string) {
		dir := ts.MkAbs(args[0])
		ts.Check(mount(dir, option+"size="+args[1]+"m"))
		if option == "" {
			ts.Defer(func() { _ = exec.Command("umount", dir).Run() })
		}
	}
}

// sameCommand compares two run folders byte by byte, but for what is not
// reproducible: [!] same DIR DIR.
func sameCommand(ts *testscript.TestScript, neg bool, args []string) {
	diff, err := diffFolders(ts.MkAbs(args[0]), ts.MkAbs(args[1]))
	ts.Check(err)
	switch {
	case diff != "" && !neg:
		ts.Fatalf("%s", diff)
	case diff == "" && neg:
		ts.Fatalf("%s and %s are the same", args[0], args[1])
	}
}

// diffFolders says how two run folders differ, "" if they do not.
func diffFolders(a, b string) (string, error) {
	read := func(dir string) (map[string]string, error) {
		out := map[string]string{}
		err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
			if err != nil || d.IsDir() || d.Name() == "timing.json" || d.Name() == "run.log" {
				return err
			}
			text, err := os.ReadFile(path)
			rel, _ := filepath.Rel(dir, path)
			out[rel] = string(text)
			return err
		})
		return out, err
	}
	x, err := read(a)
	if err != nil {
		return "", err
	}
	y, err := read(b)
	if err != nil {
		return "", err
	}
	if len(x) < 5 {
		return "", fmt.Errorf("%s holds only %d files", a, len(x))
	}
	for name, text := range x {
		other, ok := y[name]
		if !ok {
			return name + " is missing in the second", nil
		}
		if text != other {
			return name + " differs", nil
		}
	}
	for name := range y {
		if _, ok := x[name]; !ok {
			return name + " is missing in the first", nil
		}
	}
	return "", nil
}
