package devpage_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/latchkey-id/latchkey/internal/devpage"
	"github.com/latchkey-id/latchkey/internal/devpage/browsertest"
)

// tab is a browser on the start page.
type tab struct {
	t   *testing.T
	ctx context.Context
}

func openStart(t *testing.T, base string) tab {
	t.Helper()
	page := tab{t, browsertest.New(t)}
	browsertest.Emulate(t, page.ctx, 1440, 900, false)
	page.do(chromedp.Navigate(base + "/"))
	return page
}

func (p tab) do(steps ...chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	if err := chromedp.Do(p.ctx, steps...); err != nil {
		p.t.Fatal(err)
	}
}

// click clicks the middle of the first element that css selects, once it can be seen.
func (p tab) click(css string) {
	p.t.Helper()
	p.do(chromedp.Click(chromedp.CSS(css), chromedp.NodeVisible))
}

// pick takes a person from the staff list.
func (p tab) pick(name string) {
	p.t.Helper()
	p.click(fmt.Sprintf(`[data-name=%q]`, name))
}

func (p tab) submit(form string) {
	p.t.Helper()
	p.click(fmt.Sprintf(`[data-form=%q] [type=submit]`, form))
}

// text returns what the element that css selects reads, once it can be seen.
func (p tab) text(css string) string {
	p.t.Helper()
	got, err := chromedp.Run(p.ctx, chromedp.TextContent(chromedp.CSS(css), chromedp.NodeVisible))
	if err != nil {
		p.t.Fatalf("text of %s: %v", css, err)
	}
	return strings.TrimSpace(got)
}

// waitFor waits until a JavaScript expression is true.
func (p tab) waitFor(expression string) {
	p.t.Helper()
	if _, err := chromedp.Run(p.ctx, chromedp.Poll[bool](expression)); err != nil {
		p.t.Fatalf("wait for %s: %v", expression, err)
	}
}

func (p tab) wantText(css, want string) {
	p.t.Helper()
	if got := p.text(css); !strings.Contains(got, want) {
		p.t.Errorf("%s reads %q, want it to have %q", css, got, want)
	}
}

// signIn goes the whole way as one of the staff: pick, ask, take the code from the phone, redeem.
func (p tab) signIn(name string) {
	p.t.Helper()
	p.pick(name)
	p.submit("number")
	p.click(".text-code")
	p.submit("code")
	p.do(chromedp.WaitVisible(chromedp.CSS("#result")))
}

func TestSignInAsEmployee(t *testing.T) {
	page := openStart(t, newFake().serve(t))
	page.signIn("Amara Okafor")

	page.wantText(`[data-view="in"] h3`, "Welcome, Amara")
	page.wantText(`#result [data-slot="tier"]`, "manager")
	page.wantText(`#result [data-slot="name"]`, "Amara Okafor")
	page.wantText(`#result [data-slot="permissions"]`, "rota:read")
	page.wantText(`[data-token="access"] [data-slot="payload"]`, `"tier": "manager"`)
	page.wantText(`[data-token="access"] [data-slot="header"]`, `"typ": "at+jwt"`)
	page.wantText(`[data-token="access"] .expiry`, "Expires in 1")
	page.wantText(`[data-token="id"] [data-slot="payload"]`, `"name": "Amara Okafor"`)
	page.wantText(`.log li:first-child summary`, "/oauth/token")
	page.wantText(`#curl-token`, `"username":"+447700900101"`)

	page.click(`[data-view="in"] [data-out]`)
	page.do(chromedp.WaitNotVisible(chromedp.CSS("#result")))
}

func TestSignInWithoutAMatch(t *testing.T) {
	for _, tc := range []struct{ name, why string }{
		{"Unknown number", "HR has nobody with that number"},
		{"Rosa Meyer", "HR says that Rosa Meyer has left"},
		{"Ines Duarte", "Ines Duarte and Joao Duarte have the same number"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			page := openStart(t, newFake().serve(t))
			page.signIn(tc.name)
			page.wantText(`[data-view="waiting"] h3`, "HR doesn’t know this number yet")
			page.wantText(`#result [data-slot="tier"]`, "anonymous")
			page.wantText(`#result [data-slot="story"]`, tc.why)
			page.wantText(`#result [data-slot="permissions"]`, "None in this tier")
		})
	}
}

func TestWrongCodeKeepsTheNumber(t *testing.T) {
	page := openStart(t, newFake().serve(t))
	page.pick("Bo Lindqvist")
	page.submit("number")
	page.do(chromedp.WaitVisible(chromedp.CSS("#code")), chromedp.SendKeys(chromedp.CSS("#code"), "000000\r"))
	page.waitFor(`document.querySelector("#code-error").textContent !== ""`)

	page.wantText("#code-error[role=alert]", "That code is wrong")
	page.wantText(`[data-slot="sent-to"]`, "+44 7700 900102")
	page.wantText(".log li:first-child .log-body", "invalid_grant")
	page.click("[data-change]")
	number, err := chromedp.Run(page.ctx, chromedp.Value(chromedp.CSS("#number")))
	if err != nil || number != "+44 7700 900102" {
		t.Errorf("after Change number the field has %q (%v), want the number that was there", number, err)
	}
}

func TestThrottledStartCountsDown(t *testing.T) {
	fake := newFake()
	page := openStart(t, fake.serve(t))
	fake.throttle(75)
	page.pick("Bo Lindqvist")
	page.submit("number")
	page.waitFor(`document.querySelector('[data-form="number"] [type=submit]').textContent.includes("Try again in 1:1")`)
	page.wantText("#number-error", "too often")
	page.waitFor(`document.querySelector('[data-form="number"] [type=submit]').disabled`)

	fake.throttle(0) // another number has its own limit, and need not wait
	page.signIn("Amara Okafor")
}

func TestErrorsInWords(t *testing.T) {
	fake := newFake()
	page := openStart(t, fake.serve(t))
	page.do(chromedp.SendKeys(chromedp.CSS("#number"), "12345\r"))
	page.waitFor(`document.querySelector("#number-error").textContent.includes("not a mobile number")`)

	fake.fail(503)
	page.pick("Bo Lindqvist")
	page.submit("number")
	page.waitFor(`document.querySelector("#number-error").textContent.includes("right now")`)
	page.wantText(".log li:first-child .status", "503")
}

// TestHostileNamesStayText holds that a name out of HR, a text or a token is never markup.
func TestHostileNamesStayText(t *testing.T) {
	fake := newFake()
	fake.people = []devpage.Person{{
		Name: `<img src=x onerror="document.title='broken in'">`, Phone: "+447700900101", Tier: "<b>tier</b>", Active: true,
	}}
	page := openStart(t, fake.serve(t))
	page.click("[data-person]")
	page.submit("number")
	page.click(".text-code")
	page.submit("code")
	page.wantText(`#result [data-slot="name"]`, "<img src=x")
	page.wantText(`#result [data-slot="tier"]`, "<b>tier</b>")
	page.waitFor(`document.querySelectorAll("img").length === 0`)
}

// TestNothingOverflowsAPhone holds that no width from a small phone up scrolls sideways.
func TestNothingOverflowsAPhone(t *testing.T) {
	base := newFake().serve(t)
	page := openStart(t, base)
	page.signIn("Amara Okafor")
	for _, width := range []int64{320, 375, 390, 719, 720, 1024, 1160, 1440} {
		for _, dark := range []bool{false, true} {
			browsertest.Emulate(t, page.ctx, width, 812, dark)
			over, err := chromedp.Run(page.ctx, chromedp.Evaluate[int](`document.documentElement.scrollWidth - innerWidth`))
			if err != nil || over > 0 {
				t.Errorf("at %d the start page is %d pixels too wide (%v)", width, over, err)
			}
		}
	}
	browsertest.Emulate(t, page.ctx, 375, 812, false)
	page.do(chromedp.Navigate(base + "/dev/inbox"))
	page.do(chromedp.WaitVisible(chromedp.CSS(".mail-row")))
	page.waitFor(`document.documentElement.scrollWidth <= innerWidth`)
}

func TestInboxPageFollows(t *testing.T) {
	fake := newFake()
	page := openStart(t, fake.serve(t))
	page.do(chromedp.Evaluate[chromedp.Void](`void (location.href = "/dev/inbox")`), chromedp.WaitVisible(chromedp.CSS(".blank")))
	to, err := parser.Parse("+447700900102")
	if err != nil {
		t.Fatal(err)
	}
	fake.mu.Lock()
	fake.texts = append(fake.texts, devpage.Text{To: to, Body: "246810 is your Latchkey code.", Code: "246810"})
	fake.mu.Unlock()
	page.wantText(".mail-item", "Bo Lindqvist")
	page.wantText(".mail-item .bubble", "246810 is your Latchkey code.")
	page.wantText(".mail-item .copy", "Copy 246810")
}
