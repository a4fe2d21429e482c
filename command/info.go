package command

import (
	"runtime"
	"runtime/debug"

	"github.com/mlfactory/mlfactory/internal/simd"
)

// Version says which program this is.
type Version struct {
	Version string `json:"version"`
	Code    string `json:"code"` // digest of the sources that a run depends on
	Go      string `json:"go"`
	OS      string `json:"os"`
	Arch    string `json:"arch"`
	Kernel  string `json:"kernel"`
}

// Version tells the version of the program.
func (p *Project) Version() (Version, error) {
	code, err := p.Code()
	if err != nil {
		return Version{}, err
	}
	v := Version{Version: "(devel)", Code: code, Go: runtime.Version(), OS: runtime.GOOS, Arch: runtime.GOARCH, Kernel: simd.Current().String()}
	if b, ok := debug.ReadBuildInfo(); ok && b.Main.Version != "" {
		v.Version = b.Main.Version
	}
	return v, nil
}
