package flow

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// Code tells the versions of the module's packages from their sources. It is
// safe for concurrent use.
type Code struct {
	sources fs.FS
	module  string // its path
	require []byte // go.mod
	tools   string // toolchain, architecture and kernel path

	mu       sync.Mutex
	packages map[string]*pkg
}

type pkg struct {
	digest  [sha256.Size]byte // over names and bytes of its files
	imports []string          // of this module, by folder, ascending
	foreign bool              // imports a package of another module
}

// NewCode reads versions from sources, a tree of source files with the
// module's go.mod at its root (mlfactory.Sources). kernel is the name of the
// kernel path in use (simd.Path()), on which float results depend.
func NewCode(sources fs.FS, kernel string) (*Code, error) {
	mod, err := fs.ReadFile(sources, "go.mod")
	if err != nil {
		return nil, fmt.Errorf("flow: code version: %w", err)
	}
	c := &Code{sources: sources, require: mod, packages: map[string]*pkg{}}
	for line := range strings.Lines(string(mod)) {
		if f := strings.Fields(line); len(f) >= 2 && f[0] == "module" {
			c.module = f[1]
		}
	}
	if c.module == "" {
		return nil, fmt.Errorf("flow: code version: go.mod names no module")
	}
	c.tools = strings.Join([]string{runtime.Version(), runtime.GOARCH, archLevel(), kernel}, " ")
	return c, nil
}

// archLevel is the instruction set the program was compiled for ("v1" …), on
// which the compiler's use of fused operations depends.
func archLevel() string {
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if s.Key == "GO"+strings.ToUpper(runtime.GOARCH) {
				return s.Value
			}
		}
	}
	return "default"
}

// Version returns the version of a stage whose function uses these packages,
// given by their folders ("feature", "model/tree"): the SHA-256 over the source
// files (tests apart) of the packages and of all that they import from this
// module, over go.mod if any of them imports another module, and over Go
// version, architecture and kernel path. Files for other systems count too.
func (c *Code) Version(folders ...string) (string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	closure := map[string]*pkg{}
	queue := slices.Clone(folders)
	for len(queue) > 0 {
		dir := queue[0]
		queue = queue[1:]
		if closure[dir] != nil {
			continue
		}
		p, err := c.load(dir)
		if err != nil {
			return "", err
		}
		closure[dir] = p
		queue = append(queue, p.imports...)
	}
	if len(closure) == 0 {
		return "", fmt.Errorf("flow: code version: no package given")
	}
	dirs := make([]string, 0, len(closure))
	foreign := false
	for dir, p := range closure {
		dirs = append(dirs, dir)
		foreign = foreign || p.foreign
	}
	slices.Sort(dirs)
	h := sha256.New()
	fmt.Fprintf(h, "mlfactory code 1\n%s\n", c.tools)
	for _, dir := range dirs {
		fmt.Fprintf(h, "%s %x\n", dir, closure[dir].digest)
	}
	if foreign {
		h.Write(c.require)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// load reads one package; c.mu is held.
func (c *Code) load(dir string) (*pkg, error) {
	if p := c.packages[dir]; p != nil {
		return p, nil
	}
	entries, err := fs.ReadDir(c.sources, dir) // in order of name
	if err != nil {
		return nil, fmt.Errorf("flow: code version of %s: its sources are not embedded (add them in embed.go): %w", dir, err)
	}
	p := &pkg{}
	h := sha256.New()
	code := false
	for _, e := range entries {
		if e.IsDir() || strings.HasSuffix(e.Name(), "_test.go") {
			continue
		}
		name := path.Join(dir, e.Name())
		src, err := fs.ReadFile(c.sources, name)
		if err != nil {
			return nil, fmt.Errorf("flow: code version of %s: %w", dir, err)
		}
		h.Write(binary.LittleEndian.AppendUint64([]byte(e.Name()+"\n"), uint64(len(src))))
		h.Write(src)
		if !strings.HasSuffix(name, ".go") {
			continue
		}
		code = true
		f, err := parser.ParseFile(token.NewFileSet(), name, src, parser.ImportsOnly)
		if err != nil {
			return nil, fmt.Errorf("flow: code version of %s: %w", dir, err)
		}
		for _, spec := range f.Imports {
			imp, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return nil, fmt.Errorf("flow: code version of %s: import %s: %w", name, spec.Path.Value, err)
			}
			first, _, _ := strings.Cut(imp, "/")
			switch {
			case imp == c.module: // the sources themselves
			case strings.HasPrefix(imp, c.module+"/"):
				p.imports = append(p.imports, strings.TrimPrefix(imp, c.module+"/"))
			case strings.Contains(first, "."):
				p.foreign = true
			}
		}
	}
	if !code {
		return nil, fmt.Errorf("flow: code version of %s: there is no Go source in it", dir)
	}
	slices.Sort(p.imports)
	p.imports = slices.Compact(p.imports)
	h.Sum(p.digest[:0])
	c.packages[dir] = p
	return p, nil
}
