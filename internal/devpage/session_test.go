package devpage_test

import (
	"fmt"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/latchkey-id/latchkey/internal/devpage"
)

// The browser's tests of what follows a sign-in: refresh and sign-out.

// claim returns a claim of the token that a card shows, as JSON writes it. It must be a string.
func (p tab) claim(card, name string) string {
	p.t.Helper()
	lines := fmt.Sprintf(`[data-token=%q] [data-slot="payload"] .line`, card)
	value, err := chromedp.Run(p.ctx, chromedp.Evaluate[string](fmt.Sprintf(
		`[...document.querySelectorAll(%q)].find((line) => line.querySelector(".key")?.textContent === '"%s"').querySelector(".string").textContent`,
		lines, name)))
	if err != nil {
		p.t.Fatalf("claim %s of the %s token: %v", name, card, err)
	}
	return value
}

// press clicks a button of the screen that is shown, and waits for what comes of it to be said.
func (p tab) press(screen, button, said string) {
	p.t.Helper()
	p.click(fmt.Sprintf(`[data-view=%q] [%s]`, screen, button))
	p.waitFor(fmt.Sprintf(`document.querySelector(".app-screen").innerText.includes(%q)`, said))
}

func TestRefresh(t *testing.T) {
	page := openStart(t, newFake().serve(t))
	page.signIn("Amara Okafor")
	sub, jti, refresh := page.claim("access", "sub"), page.claim("access", "jti"), page.text(`[data-slot="refresh"]`)
	page.wantText(`[data-slot="revocation"]`, "bit 70417 of the list")
	page.wantText(`#result [data-slot="scope"]`, "offline_access")

	page.press("in", "data-refresh", "New tokens at")
	if got := page.claim("access", "sub"); got != sub {
		t.Errorf("sub is %s after the refresh, want %s still", got, sub)
	}
	if got := page.claim("access", "jti"); got == jti {
		t.Errorf("jti is %s still, want that of another access token", got)
	}
	if got := page.text(`[data-slot="refresh"]`); got == refresh {
		t.Errorf("the refresh token reads %s still, want the next one", got)
	}
	page.wantText(".log li:first-child .log-body", `"grant_type": "refresh_token"`)
	page.waitFor(`document.activeElement.matches('[data-view="in"] [data-refresh]')`)
	page.waitFor(`document.querySelector('[data-view="in"] [data-said]').role === "status"`)

	page.press("in", "data-refresh", "New tokens at") // with the next one
	page.waitFor(`document.querySelectorAll(".log .status.bad").length === 0`)
}

func TestSignOut(t *testing.T) {
	fake := newFake()
	page := openStart(t, fake.serve(t))
	page.signIn("Amara Okafor")
	page.click(`[data-view="in"] [data-out]`)
	page.do(chromedp.WaitVisible(chromedp.CSS(`[data-view="number"]`)), chromedp.WaitNotVisible(chromedp.CSS("#result")))

	page.wantText(".log li:first-child summary", "/oauth/revoke")
	page.waitFor(`document.querySelector("[data-app-status]").textContent === "You are signed out."`)
	page.waitFor(`document.activeElement.id === "number" && document.activeElement.value === ""`)
	if left := fake.signedIn(); left != 0 {
		t.Errorf("%d sessions are left after the sign-out, want none", left)
	}
}

// TestWaitingPersonIsRaised holds that HR's entry is enough: no new code, and the same account.
func TestWaitingPersonIsRaised(t *testing.T) {
	fake := newFake()
	page := openStart(t, fake.serve(t))
	page.signIn("Unknown number")
	sub := page.claim("access", "sub")
	page.wantText(`[data-view="waiting"] [data-refresh]`, "Check again")
	page.press("waiting", "data-refresh", "Not yet. Last checked at")

	fake.hire(devpage.Person{Name: "Newly Hired", Phone: "+447700900123", Tier: "employee", Active: true})
	page.press("waiting", "data-refresh", "HR has your number now")
	page.wantText(`[data-view="in"] h3`, "Welcome, Newly")
	page.waitFor(`document.activeElement.matches('[data-view="in"] h3')`)
	page.wantText(`#result [data-slot="tier"]`, "employee")
	page.wantText(`#result [data-slot="story"]`, "as the mobile of Newly Hired")
	if got := page.claim("access", "sub"); got != sub {
		t.Errorf("sub is %s after HR's entry, want %s still", got, sub)
	}
}

func TestEndedSessionLeadsBackToSignIn(t *testing.T) {
	for _, tc := range []struct {
		name string
		end  func(*fakeProvider)
		want string
	}{
		{"session ended", (*fakeProvider).endAll, "Your session has ended"},
		{"person left", func(f *fakeProvider) { f.dismiss("Amara Okafor") }, "no longer on the staff list"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			fake := newFake()
			page := openStart(t, fake.serve(t))
			page.signIn("Amara Okafor")
			tc.end(fake)
			page.press("in", "data-refresh", tc.want)
			page.wantText(`[data-view="number"] [role="alert"]`, tc.want)
			page.waitFor(`document.getElementById("number").value === "+44 7700 900101"`)
			page.do(chromedp.WaitNotVisible(chromedp.CSS("#result")))
			page.signIn("Bo Lindqvist") // and what was said is gone
			page.wantText(`[data-view="in"] h3`, "Welcome, Bo")
		})
	}
}

// TestTroubleKeepsTheSession holds that what passes by itself signs nobody out.
func TestTroubleKeepsTheSession(t *testing.T) {
	fake := newFake()
	page := openStart(t, fake.serve(t))
	page.signIn("Amara Okafor")
	fake.fail(503)
	page.press("in", "data-refresh", "right now. Try again in a moment. You stay signed in.")
	page.press("in", "data-out", "You are still signed in.")
	fake.fail(noAnswer)
	page.press("in", "data-refresh", "Latchkey does not answer")
	fake.fail(0)
	page.press("in", "data-refresh", "New tokens at")
	page.waitFor(`!document.querySelector('[data-view="in"] [data-said]').classList.contains("error")`)
}
