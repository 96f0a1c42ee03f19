package cli

import (
	"image"
	"image/color"
	_ "image/png" // screenshots
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
	"time"
)

// browserModules is the folder with what drives a browser. CI names it in a step of its
// own.
func browserModules(t *testing.T) string {
	t.Helper()
	dir := os.Getenv("WEIR_TEST_BROWSER")
	if dir == "" {
		t.Skip("no browser: WEIR_TEST_BROWSER=$(bash .ci/browser.sh) names one")
	}
	return dir
}

// TestPageInABrowser drives every control of a demo's live page in Chromium: see
// testdata/browser/page.mjs. With WEIR_TEST_SCREENSHOTS=new its pictures go to docs/page.
func TestPageInABrowser(t *testing.T) {
	modules := browserModules(t)
	url := startDemo(t, "--speed", "1800", "--set", "scoring.budget=1/1d")
	out := t.TempDir()
	cmd := exec.CommandContext(t.Context(), "node", "testdata/browser/page.mjs", url, modules, out)
	said, err := cmd.CombinedOutput()
	t.Logf("%s", said)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"page-light.png", "page-dark.png", "page-phone.png"} {
		kept := filepath.Join("../../docs/page", name)
		if os.Getenv("WEIR_TEST_SCREENSHOTS") == "new" {
			data, err := os.ReadFile(filepath.Join(out, name))
			if err == nil {
				err = os.WriteFile(kept, data, 0o644)
			}
			if err != nil {
				t.Error(err)
			}
			continue
		}
		if d := pictureDistance(t, filepath.Join(out, name), kept); d > 0.1 {
			t.Errorf("%s differs from the one in docs/page by %.3f in brightness; look at both, then run with WEIR_TEST_SCREENSHOTS=new", name, d)
		}
	}
}

// startDemo starts weir demo as a process and returns its page's URL.
func startDemo(t *testing.T, args ...string) string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	log := &lockedBuffer{}
	cmd := &exec.Cmd{Path: self, Args: append([]string{"weir", "demo", "--set", "service.http.listen=127.0.0.1:0"}, args...), Stdout: log, Stderr: log}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		kill(t, cmd) // the operator sees its input end, and ends
		if t.Failed() {
			t.Logf("demo:\n%s", log)
		}
	})
	page := regexp.MustCompile(`page at (http://\S+)`)
	url := ""
	until(t, time.Minute, "the demo's page", func() bool {
		if m := page.FindStringSubmatch(log.String()); m != nil {
			url = m[1] + "/"
		}
		return url != "" || cmd.ProcessState != nil
	})
	return url
}

// pictureDistance is how much two pictures' brightness differs, on average over a coarse
// grid: what is written may change, the layout may not.
func pictureDistance(t *testing.T, a, b string) float64 {
	t.Helper()
	x, y := brightness(t, a), brightness(t, b)
	sum := 0.0
	for i := range x {
		sum += math.Abs(x[i] - y[i])
	}
	return sum / float64(len(x))
}

func brightness(t *testing.T, name string) (grid [12 * 12]float64) {
	t.Helper()
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	img, _, err := image.Decode(f)
	if err != nil {
		t.Fatal(err)
	}
	var n [len(grid)]float64
	size := img.Bounds().Size()
	for py := range size.Y {
		for px := range size.X {
			i := py*12/size.Y*12 + px*12/size.X
			grid[i] += float64(color.GrayModel.Convert(img.At(px, py)).(color.Gray).Y) / 255
			n[i]++
		}
	}
	for i := range grid {
		grid[i] /= n[i]
	}
	return grid
}
