package browsertest

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
)

// limit ends a test whose page never comes to what is waited for.
const limit = 90 * time.Second

// New starts a Chromium and returns the context of its one tab, for chromedp.Do and Run. Both end
// with the test. It skips the test under -short, and fails it if there is no Chromium.
func New(t testing.TB) context.Context {
	t.Helper()
	if testing.Short() {
		t.Skip("SKIPPED: this is a browser test, and -short leaves those out; run make test for it")
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(executable(t)),
		chromedp.UserDataDir(profile(t)),
		chromedp.NoSandbox, // a container's root has no other way
		chromedp.DisableGPU,
		chromedp.Flag("disable-quic", true),
		chromedp.Flag("disable-component-update", true),
	)
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	t.Cleanup(cancel)
	ctx, stop := chromedp.NewExecAllocator(ctx, options...)
	t.Cleanup(stop) // waits until Chromium is gone, and so comes before its profile is removed
	ctx, closeTab := chromedp.NewContext(ctx)
	t.Cleanup(closeTab)
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("start Chromium: %v", err)
	}
	watch(t, ctx)
	return ctx
}

// Emulate gives the tab a width and height in CSS pixels, and the light or the dark scheme.
func Emulate(t testing.TB, ctx context.Context, width, height int64, dark bool) {
	t.Helper()
	scheme := "light"
	if dark {
		scheme = "dark"
	}
	media := emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
		{Name: "prefers-color-scheme", Value: scheme},
	}}
	if err := chromedp.Do(ctx, chromedp.EmulateViewport(width, height)); err != nil {
		t.Fatalf("emulate a page of %d by %d: %v", width, height, err)
	}
	if _, err := chromedp.Call(ctx, emulation.SetEmulatedMedia, media); err != nil {
		t.Fatalf("emulate the %s scheme: %v", scheme, err)
	}
}

// Screenshot writes what the tab shows now to a PNG file. Missing directories are made.
func Screenshot(t testing.TB, ctx context.Context, path string) {
	t.Helper()
	shoot(t, ctx, path, false)
}

// FullScreenshot is Screenshot of the whole page, beyond what fits on the screen.
func FullScreenshot(t testing.TB, ctx context.Context, path string) {
	t.Helper()
	shoot(t, ctx, path, true)
}

func shoot(t testing.TB, ctx context.Context, path string, whole bool) {
	t.Helper()
	shot, err := chromedp.Call(ctx, page.CaptureScreenshot, page.CaptureScreenshotParams{
		Format: page.CaptureScreenshotFormatPng, CaptureBeyondViewport: &whole,
	})
	if err != nil {
		t.Fatalf("screenshot %s: %v", path, err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, shot.Data, 0o644); err != nil {
		t.Fatal(err)
	}
}

// watch fails the test for what the page throws or is refused. Answers with an error status are
// logged by the browser too, but they are what some tests are about.
func watch(t testing.TB, ctx context.Context) {
	messages := chromedp.Console(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for message, err := range messages {
			if err != nil {
				return
			}
			broken := message.IsException() || message.Type == chromedp.ConsoleError && message.Source != "network"
			if broken {
				t.Errorf("the page at %s: %s", message.URL, message)
			}
		}
	}()
	t.Cleanup(func() {
		_ = chromedp.Cancel(ctx) // ends the messages; a browser that is gone already is as good
		<-done
	})
}

// profile is a new directory for Chromium's files. t.TempDir is not used: it fails the test when
// a file appears while it removes the directory, and a browser that is ending writes some.
func profile(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "latchkey-browser-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

func executable(t testing.TB) string {
	t.Helper()
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	t.Fatal("no Chromium on PATH: install it (Debian: apt-get install chromium; Fedora: dnf install chromium; " +
		"macOS: brew install --cask chromium), or leave browser tests out with -short")
	return ""
}
