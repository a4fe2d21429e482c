// The only process of an emulated machine: it runs the test binaries of /t, says
// on the serial line how they ended and switches the machine off. See run.
package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

func main() {
	defer func() {
		time.Sleep(time.Second) // for the serial line
		_ = syscall.Reboot(syscall.LINUX_REBOOT_CMD_POWER_OFF)
	}()
	for _, d := range []string{"/proc", "/dev", "/tmp"} {
		_ = os.MkdirAll(d, 0o755)
	}
	_ = syscall.Mount("proc", "/proc", "proc", 0, "")
	_ = syscall.Mount("dev", "/dev", "devtmpfs", 0, "")
	line, err := os.OpenFile("/dev/ttyS0", os.O_RDWR, 0)
	if err != nil {
		return
	}
	if b, _ := os.ReadFile("/proc/cpuinfo"); !strings.Contains(string(b), "avx512bw") {
		fmt.Fprint(line, "RESULT the machine FAILs to offer AVX-512\r\n")
	}
	tests, _ := filepath.Glob("/t/*.test")
	for _, t := range tests {
		pattern := "."
		if b, err := os.ReadFile(t + ".run"); err == nil {
			pattern = string(b)
		}
		start := time.Now()
		c := exec.Command(t, "-test.short", "-test.timeout=0", "-test.run="+pattern)
		c.Dir, c.Stdout, c.Stderr = "/t", line, line
		c.Env = []string{"GOMAXPROCS=1", "TMPDIR=/tmp", "HOME=/tmp"}
		verdict := "ok"
		if err := c.Run(); err != nil {
			verdict = "FAIL " + err.Error()
		}
		fmt.Fprintf(line, "RESULT %s %s (%.0f emulated seconds)\r\n", filepath.Base(t), verdict, time.Since(start).Seconds())
	}
	fmt.Fprint(line, "RESULT all done\r\n")
}
