package main

// The web page in a headless Chromium, by the DevTools protocol.

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	cdpruntime "github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"github.com/nse-project/nse/examples/go/service/internal/job"
	"github.com/nse-project/nse/examples/go/service/internal/tiny"
)

// browser is a Chromium with one page, which must not complain, nor ask anybody but the service.
type browser struct {
	*testing.T
	ctx      context.Context
	mutex    sync.Mutex
	troubles []string
}

func browse(t *testing.T, origin string) *browser {
	t.Helper()
	path := os.Getenv("CHROMIUM")
	if path == "" {
		t.Fatal("CHROMIUM is not set: it is the command of a Chromium, for example $(tools/chromium.sh)")
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Minute)
	t.Cleanup(cancel)
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.UserDataDir(t.TempDir()), chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true),
		chromedp.WSURLReadTimeout(10*time.Minute))
	ctx, cancel = chromedp.NewExecAllocator(ctx, options...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	b := &browser{T: t, ctx: ctx}
	t.Cleanup(func() {
		// Waits for the process, so that its folder can be removed.
		if err := chromedp.Cancel(ctx); err != nil {
			t.Error(err)
		}
		cancel()
	})
	if err := chromedp.Listen(ctx, func(event any) { b.hear(event, origin) }); err != nil {
		t.Fatal(err)
	}
	if _, err := chromedp.Call(ctx, log.Enable, cdp.Empty{}); err != nil {
		t.Fatal(err)
	}
	if _, err := chromedp.Call(ctx, network.Enable, network.EnableParams{}); err != nil {
		t.Fatal(err)
	}
	return b
}

func (b *browser) hear(event any, origin string) {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	switch event := event.(type) {
	case *cdpruntime.EventExceptionThrown:
		b.troubles = append(b.troubles, event.ExceptionDetails.Text)
	case *log.EventEntryAdded:
		// The answer to a wrong request, which a test sends on purpose, is one too.
		if !strings.Contains(event.Entry.Text, "422") {
			b.troubles = append(b.troubles, event.Entry.Text)
		}
	case *network.EventRequestWillBeSent:
		if !strings.HasPrefix(event.Request.URL, origin+"/") {
			b.troubles = append(b.troubles, "it asks for "+event.Request.URL)
		}
	}
}

func (b *browser) quiet() {
	b.Helper()
	b.mutex.Lock()
	defer b.mutex.Unlock()
	for _, trouble := range b.troubles {
		b.Error(trouble)
	}
}

func (b *browser) do(steps ...chromedp.Action[chromedp.Void]) {
	b.Helper()
	if err := chromedp.Do(b.ctx, steps...); err != nil {
		b.Fatal(err)
	}
}

func evaluate[T any](b *browser, expression string) T {
	b.Helper()
	value, err := chromedp.Run(b.ctx, chromedp.Evaluate[T](expression))
	if err != nil {
		b.Fatalf("%s: %v", expression, err)
	}
	return value
}

// sees waits until an expression is true.
func (b *browser) sees(expression string) {
	b.Helper()
	for end := time.Now().Add(10 * time.Minute); !evaluate[bool](b, expression); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			b.Fatalf("never: %s\n%s", expression, evaluate[string](b, "document.body.innerText"))
		}
	}
}

func (b *browser) look(width int64, scheme string) {
	b.Helper()
	_, err := chromedp.Call(b.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}},
	})
	if err != nil {
		b.Fatal(err)
	}
	b.do(chromedp.EmulateViewport(width, 900))
}

// fill the form for a new search and press the button.
func (b *browser) fill(fields map[string]string) {
	b.Helper()
	if !evaluate[bool](b, `document.getElementById('new').open`) {
		b.do(chromedp.Click(chromedp.CSS("#new summary")))
	}
	text, err := json.Marshal(fields)
	if err != nil {
		b.Fatal(err)
	}
	evaluate[bool](b, fmt.Sprintf(`(() => { for (const [name, value] of Object.entries(%s)) {
		const field = document.getElementById('form').elements[name]; field.value = value;
		field.dispatchEvent(new Event('input', {bubbles: true})); } return true; })()`, text))
	b.do(chromedp.Click(chromedp.CSS("#form button[type=submit]")))
}

const (
	shows  = `document.getElementById('state').textContent === `
	thetas = `[...document.querySelectorAll('#heat title')].map((title) => title.textContent).join()`
)

func TestThePage(t *testing.T) {
	p := launch(t, tiny.Settings(t))
	b := browse(t, p.url)
	b.look(1280, "light")
	b.do(chromedp.Navigate(p.url + "/"))
	b.sees(`document.querySelectorAll('#form [name=space] option').length > 3`)

	// A window that cannot be met: the form says so, where it is, and keeps what was written.
	name := `<img src=x onerror="document.title='broken into'"> & <b>`
	fields := map[string]string{
		"name": name, "data": "stripes", "space": "", "document": tiny.Space, "low": "1", "high": "2",
		"options": `{"seed": 3, "rounds": 1000, "active": 2, "held_out": 0.25, "train": {"epochs": 2, "batch": 8, "lr": 0.1}, "fitness": {"lr": 0.02, "threshold": -100},
		 "candidates": {"count": 8, "extras": 0, "too_few": "accept"}, "score": {"calibration": 48, "batch": 48}}`,
	}
	b.fill(fields)
	b.sees(`document.getElementById('wrong').textContent.includes('no architecture costs between 1 and 2')`)
	b.fill(map[string]string{"options": "{"})
	b.sees(`document.getElementById('wrong').textContent.includes('not JSON') && document.querySelector('[name=options]').hasAttribute('aria-invalid')`)

	// Mended, it is accepted; plot and heat map fill while it runs.
	fields["low"], fields["high"] = "12000", "100000"
	b.fill(fields)
	b.sees(shows + `'running'`)
	b.sees(`document.querySelectorAll('#heat rect.low, #heat rect.high').length > 0 && document.querySelectorAll('#heat circle.active').length > 0`)
	b.sees(`document.querySelectorAll('#plot .member').length > 0 && document.querySelectorAll('#plot .candidate').length >= 8`)
	b.sees(`document.querySelectorAll('#members tbody tr').length > 0`)
	for _, axis := range []string{"cost (kMACs)", "held-out accuracy (%)"} {
		b.sees(fmt.Sprintf(`[...document.querySelectorAll('#plot .title')].some((text) => text.textContent === %q)`, axis))
	}
	b.sees(thetas + fmt.Sprintf(` !== %q`, evaluate[string](b, thetas)))
	progress := evaluate[string](b, `document.getElementById('progress').textContent`)
	b.sees(fmt.Sprintf(`document.getElementById('progress').textContent !== %q`, progress))
	// A name is text and nothing else.
	if got := evaluate[string](b, `document.getElementById('title').textContent`); got != name {
		t.Errorf("%q", got)
	}
	b.sees(`document.title === 'nse: searches' && document.querySelectorAll('main img').length === 0`)

	b.do(chromedp.Click(chromedp.CSS("#cancel")))
	b.sees(shows + `'cancelled' && document.getElementById('cancel').hidden && !document.getElementById('resume').hidden`)
	id := evaluate[string](b, `location.hash.slice(1)`)
	if j := p.job(id); j.State != job.Cancelled || j.Completed == 0 {
		t.Errorf("%+v", j)
	}
	// A page that is loaded later shows the same.
	b.do(chromedp.Reload())
	b.sees(shows + `'cancelled' && document.querySelectorAll('#plot .member').length > 0 && document.querySelectorAll('#heat rect').length > 0`)
	b.do(chromedp.Click(chromedp.CSS("#resume")))
	b.sees(shows + `'running'`)

	// In every light and on every screen it fits.
	for _, width := range []int64{1280, 390} {
		for _, scheme := range []string{"light", "dark"} {
			b.look(width, scheme)
			b.sees(fmt.Sprintf(`document.documentElement.scrollWidth <= %d`, width))
			b.picture(fmt.Sprintf("page-%d-%s.png", width, scheme))
		}
	}
	b.quiet()

	p.call("POST", "/api/v1/jobs/"+id+"/cancel", nil, http.StatusAccepted)
	p.await(id, "cancelled", func(j job.Job) bool { return j.State == job.Cancelled })
	b.do(chromedp.Navigate(p.url + "/api/v1/jobs/" + id + "/report"))
	b.sees(`document.querySelector('.picture').naturalWidth > 100 && document.querySelectorAll('tbody tr').length > 0`)
	b.picture("report.png")
	b.quiet()
}

// A service that goes away and comes back, and a member of the front that is trained.
func TestThePageAfterARestart(t *testing.T) {
	settings := tiny.Settings(t)
	p := launch(t, settings)
	// The same address again, for the page.
	settings.Listen = strings.TrimPrefix(p.url, "http://")
	submit(p, "first", 2)
	p.await("first", "done", isDone)
	b := browse(t, p.url)
	b.do(chromedp.Navigate(p.url + "/#first"))
	b.sees(shows + `'done' && document.querySelectorAll('#members button').length > 0`)
	b.quiet()

	p.kill()
	b.sees(`document.getElementById('service').textContent.includes('does not answer')`)
	p = launch(t, settings)
	b.sees(`!document.getElementById('service').textContent.includes('does not answer')`)
	b.do(chromedp.Click(chromedp.CSS("#members button")))
	b.sees(`document.getElementById('facts').textContent.startsWith('train on data set stripes')`)
	b.sees(shows + `'done' && !document.getElementById('model').hidden`)
}

// picture is for people, where NSE_PICTURES says.
func (b *browser) picture(name string) {
	b.Helper()
	folder := os.Getenv("NSE_PICTURES")
	if folder == "" {
		return
	}
	image, err := chromedp.Run(b.ctx, chromedp.FullScreenshot(100))
	if err == nil {
		err = os.WriteFile(filepath.Join(folder, name), image, 0o600)
	}
	if err != nil {
		b.Fatal(err)
	}
}
