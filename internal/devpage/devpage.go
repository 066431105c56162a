package devpage

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/latchkey-id/latchkey/internal/phone"
)

// Person is one of the sample staff as the pages list them.
type Person struct {
	Name string
	// Phone is in E.164, or empty if HR has none that takes texts. The sample numbers are
	// fictional and shown in dev only, which is why they are plain text here.
	Phone      string
	Department string
	Title      string
	// Tier is what signing in will give, or would give if they had a number.
	Tier string
	// Note says what is special: "left the company", "shares a number", "administrator".
	Note   string
	Active bool
}

// Text is one message that a phone got.
type Text struct {
	To phone.Number
	// Body is the whole text; Code is the code in it, or empty.
	Body, Code string
	SentAt     time.Time
}

// Inbox keeps the texts that dev shows instead of sending. It must be safe for concurrent use.
type Inbox interface {
	// Texts returns the texts to a number, in any order; the zero Number asks for all.
	Texts(to phone.Number) []Text
}

// Options are what New needs; all are required but Strangers.
type Options struct {
	// Staff returns the sample people in the order in which they are shown.
	Staff func(ctx context.Context) ([]Person, error)
	Inbox Inbox
	Phone phone.Parser
	// ClientID and Audience are what the page's form signs in with.
	ClientID string
	Audience string
	// Issuer is the base of the commands that the page shows.
	Issuer string
	// Strangers are numbers in E.164 that HR does not know, to sign in anonymously with.
	Strangers []string
}

// Handler serves the pages. It is safe for concurrent use.
type Handler struct {
	opts Options
	base string
}

// New returns the pages over opts.
func New(opts Options) *Handler {
	return &Handler{opts: opts, base: strings.TrimSuffix(opts.Issuer, "/")}
}

// Register mounts the pages. The group must be at the root: addresses in the pages are absolute.
func (h *Handler) Register(g *echo.Group) {
	here := hereOnly(h.opts.Issuer)
	g.GET("/", h.start, secure, here)
	g.GET("/dev/inbox", h.inboxPage, secure, here)
	g.GET("/dev/inbox.json", h.inboxJSON, secure, here)
	g.GET(assetsPath+":version/:name", asset, secure, here)
}

// policy lets a page use what this server sends it and nothing else. There is no 'unsafe-inline':
// a hostile name from HR that got past the escaping would still not run. data: is for the browser's
// own controls, which draw with it.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; " +
	"img-src 'self' data:; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"

// secure sets the headers of every answer (security requirement X8). Codes and people are on these
// pages, so no cache may keep them; asset overrides that for itself.
func secure(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		header := c.Response().Header()
		header.Set("Content-Security-Policy", policy)
		header.Set("X-Content-Type-Options", "nosniff")
		header.Set("Referrer-Policy", "no-referrer")
		header.Set("Cross-Origin-Opener-Policy", "same-origin")
		header.Set(echo.HeaderCacheControl, "no-store")
		return next(c)
	}
}

// render executes a page into memory first, so that a template that fails half-way is a clean
// error and not half a page.
func render(c echo.Context, status int, page string, view any) error {
	var out bytes.Buffer
	if err := pages.ExecuteTemplate(&out, page, view); err != nil {
		return fmt.Errorf("render %s: %w", page, err)
	}
	return c.HTMLBlob(status, out.Bytes())
}

// start serves GET /.
func (h *Handler) start(c echo.Context) error {
	staff, err := h.opts.Staff(c.Request().Context())
	if err != nil {
		return fmt.Errorf("list the sample staff: %w", err)
	}
	return render(c, http.StatusOK, "start.html", h.startView(staff))
}
