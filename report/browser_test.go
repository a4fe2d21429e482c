package report_test

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/mlfactory/mlfactory/report"
)

var (
	shots   = flag.String("shots", "", "folder for screenshots of the page in the browser")
	subject = flag.String("page", "", "report.html to open in the browser instead of the test's own")
)

// browser starts Chromium with some further flags, or skips the test.
func browser(t *testing.T, more ...chromedp.ExecAllocatorOption) context.Context {
	t.Helper()
	path := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "headless-shell"} {
		if p, err := exec.LookPath(name); err == nil {
			path = p
			break
		}
	}
	if path == "" {
		t.Skip("no Chromium is installed: the page was not opened in a browser")
	}
	opts := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.Flag("disable-component-update", true), chromedp.Flag("hide-scrollbars", true), chromedp.UserDataDir(t.TempDir()))
	ctx, cancel := context.WithTimeout(context.Background(), 90*time.Second)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewExecAllocator(ctx, append(opts, more...)...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	t.Cleanup(func() { _ = chromedp.Cancel(ctx) }) // waits until the browser has gone
	return ctx
}

// blank counts the charts whose largest canvas has one colour only.
const blank = `Array.from(document.querySelectorAll('.live')).filter(box => {
  let most = null;
  for (const c of box.querySelectorAll('canvas')) if (!most || c.width * c.height > most.width * most.height) most = c;
  if (!most || !most.width || !most.height) return true;
  const copy = document.createElement('canvas');
  copy.width = most.width; copy.height = most.height;
  const pen = copy.getContext('2d', {willReadFrequently: true});
  pen.drawImage(most, 0, 0);
  const p = new Uint32Array(pen.getImageData(0, 0, most.width, most.height).data.buffer);
  return p.every(x => x === p[0]);
}).length`

// wide names what is wider than the screen without a scroll area of its own.
const wide = `Array.from(document.querySelectorAll('body *')).filter(e => e.getBoundingClientRect().right > innerWidth + 1 && !e.closest('.scroll') && !e.closest('pre') && !e.closest('.live') && !e.closest('svg')).map(e => e.tagName + '.' + e.className).slice(0, 5).join(' ')`

func TestBrowser(t *testing.T) {
	file := filepath.Join(t.TempDir(), "report.html")
	if *subject != "" {
		abs, err := filepath.Abs(*subject)
		if err != nil {
			t.Fatal(err)
		}
		file = abs
	} else {
		var b bytes.Buffer
		if err := report.HTML(&b, three(t), []byte(recipeText)); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	address := (&url.URL{Scheme: "file", Path: filepath.ToSlash(file)}).String()
	for _, look := range []struct {
		name   string
		widths []int64
		flags  []chromedp.ExecAllocatorOption
	}{{"light", []int64{1280, 360}, nil}, {"dark", []int64{1280}, []chromedp.ExecAllocatorOption{chromedp.Flag("blink-settings", "preferredColorScheme=0")}}} {
		t.Run(look.name, func(t *testing.T) {
			ctx := browser(t, look.flags...)
			var mu sync.Mutex
			var said []string
			messages := chromedp.Console(ctx)
			go func() {
				for m, err := range messages {
					if err != nil {
						return
					}
					if m.IsException() || m.Type == "error" || m.Type == "warning" {
						mu.Lock()
						said = append(said, m.String())
						mu.Unlock()
					}
				}
			}()
			for _, width := range look.widths {
				if err := chromedp.Do(ctx, chromedp.EmulateViewport(width, 900), chromedp.Navigate(address)); err != nil {
					t.Fatal(err)
				}
				if _, err := chromedp.Run(ctx, chromedp.Evaluate[bool](`mlfactory.done.then(() => new Promise(r => setTimeout(() => r(true), 250)))`, chromedp.EvalAwaitPromise)); err != nil {
					t.Fatalf("%d px: the charts were not drawn: %v", width, err)
				}
				whole := func(expression string) int {
					n, err := chromedp.Run(ctx, chromedp.Evaluate[int](expression))
					if err != nil {
						t.Fatalf("%d px: %s: %v", width, expression, err)
					}
					return n
				}
				say := func(expression string) string {
					s, err := chromedp.Run(ctx, chromedp.Evaluate[string](expression))
					if err != nil {
						t.Fatalf("%d px: %s: %v", width, expression, err)
					}
					return s
				}
				if n := whole(`document.querySelectorAll('.live canvas').length`); n < 3 {
					t.Errorf("%d px: %d canvases", width, n)
				}
				if n := whole(blank); n != 0 {
					t.Errorf("%d px: %d charts are blank", width, n)
				}
				if n := whole(`document.querySelectorAll('.live.failed').length`); n != 0 {
					t.Errorf("%d px: %d charts failed", width, n)
				}
				if n := whole(`Array.from(document.querySelectorAll('.still')).filter(e => e.offsetHeight > 0).length`); n != 0 {
					t.Errorf("%d px: %d still pictures are shown beside their charts", width, n)
				}
				if n := whole(`document.documentElement.scrollWidth - innerWidth`); n > 0 {
					t.Errorf("%d px: the page is %d px too wide: %s", width, n, say(wide))
				}
				if s := say(`(document.body.innerText.match(/.{0,20}(undefined|NaN|null,).{0,20}/) || [''])[0]`); s != "" {
					t.Errorf("%d px: the page says %q", width, s)
				}
				bright := whole(`(getComputedStyle(document.body).backgroundColor.match(/\d+/g) || []).reduce((a, b) => a + +b, 0)`)
				if (bright > 380) != (look.name == "light") {
					t.Errorf("%d px: background of brightness %d in %s", width, bright, look.name)
				}
				// The whole record can be asked for.
				if n := whole(`(() => { const b = [...document.querySelectorAll('.tools button')]; b.filter(x => x.textContent === 'Show all').forEach(x => x.click()); return b.length })()`); n < 2 {
					t.Errorf("%d px: %d buttons", width, n)
				}
				if n := whole(blank); n != 0 {
					t.Errorf("%d px: %d charts are blank after showing the whole record", width, n)
				}
				if *shots != "" {
					if err := chromedp.Do(ctx, chromedp.Navigate(address), chromedp.Sleep(time.Second)); err != nil {
						t.Fatal(err)
					}
					b, err := chromedp.Run(ctx, chromedp.FullScreenshot(100))
					if err == nil {
						err = os.WriteFile(filepath.Join(*shots, fmt.Sprintf("%s-%d.png", look.name, width)), b, 0o644)
					}
					if err != nil {
						t.Fatal(err)
					}
				}
			}
			mu.Lock()
			defer mu.Unlock()
			if len(said) > 0 {
				t.Errorf("the console says\n%s", strings.Join(said, "\n"))
			}
			if look.name == "light" {
				paper(t, ctx)
			}
		})
	}
}

// paper prints the page that is open.
func paper(t *testing.T, ctx context.Context) {
	t.Helper()
	b, err := chromedp.Run(ctx, chromedp.PrintToPDF(chromedp.PDFPreferCSSPageSize(), chromedp.PDFPrintBackground()))
	if err != nil {
		t.Fatal(err)
	}
	if *shots != "" {
		if err := os.WriteFile(filepath.Join(*shots, "report.pdf"), b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	pages := len(regexp.MustCompile(`/Type\s*/Page\b`).FindAll(b, -1))
	images := len(regexp.MustCompile(`/Subtype\s*/Image\b`).FindAll(b, -1))
	// Each of the three markets begins on a page of its own; charts are drawn as lines, not printed from the screen.
	if pages < 4 || pages > 30 || images != 0 {
		t.Errorf("%d pages with %d images", pages, images)
	}
}
