package devpage_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/latchkey-id/latchkey/internal/devpage"
	"github.com/latchkey-id/latchkey/internal/phone"
)

var parser = phone.Parser{AllowFictional: true}

// fakeProvider keeps the wire contract of POST /passwordless/start, POST /oauth/token and POST
// /oauth/revoke (§3, §4) as far as the page can see it, and the inbox. Its tokens carry no true
// signature: the page shows tokens and does not verify them. The real endpoints have their own tests.
type fakeProvider struct {
	mu     sync.Mutex
	people []devpage.Person
	texts  []devpage.Text
	codes  map[phone.Number]string
	sent   int
	// sessions are by their newest refresh token; issued counts the answers with tokens.
	sessions map[string]fakeSession
	issued   int
	// throttled, if not zero, is what every call is told to wait in seconds.
	throttled int
	// failing, if not zero, is the status of every call, or noAnswer.
	failing int
}

const noAnswer = -1

var sampleStaff = []devpage.Person{
	{Name: "Amara Okafor", Phone: "+447700900101", Department: "Operations", Title: "Shift lead", Tier: "manager", Active: true},
	{Name: "Bo Lindqvist", Phone: "+447700900102", Department: "Warehouse", Title: "Picker", Tier: "employee", Active: true},
	{Name: "Dov Adler", Department: "Kitchen", Title: "Chef", Tier: "employee", Active: true},
	{Name: "Ines Duarte", Phone: "+447700900110", Department: "Finance", Title: "Clerk", Tier: "anonymous", Note: "shares a number", Active: true},
	{Name: "Joao Duarte", Phone: "+447700900110", Department: "Finance", Title: "Clerk", Tier: "anonymous", Note: "shares a number", Active: true},
	{Name: "Rosa Meyer", Phone: "+447700900120", Department: "Sales", Title: "Agent", Tier: "anonymous", Note: "left the company"},
}

func newFake() *fakeProvider {
	return &fakeProvider{people: slices.Clone(sampleStaff), codes: map[phone.Number]string{}, sessions: map[string]fakeSession{}}
}

// serve returns the address of the pages with the fake behind them.
func (f *fakeProvider) serve(t *testing.T) string {
	t.Helper()
	e := echo.New()
	e.POST("/passwordless/start", f.start)
	e.POST("/oauth/token", f.token)
	e.POST("/oauth/revoke", f.revoke)
	server := httptest.NewServer(e)
	t.Cleanup(server.Close)
	devpage.New(devpage.Options{
		Staff: f.staff, Inbox: f, Phone: parser, ClientID: "app", Audience: "https://api.example.com",
		Issuer: server.URL + "/", Strangers: []string{"+447700900123"},
	}).Register(e.Group(""))
	return server.URL
}

func (f *fakeProvider) staff(context.Context) ([]devpage.Person, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.people), nil
}

// Texts keeps the promise of devpage.Inbox.
func (f *fakeProvider) Texts(to phone.Number) []devpage.Text {
	f.mu.Lock()
	defer f.mu.Unlock()
	var texts []devpage.Text
	for _, text := range f.texts {
		if to.IsZero() || text.To == to {
			texts = append(texts, text)
		}
	}
	return texts
}

func (f *fakeProvider) throttle(seconds int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.throttled = seconds
}

func (f *fakeProvider) fail(status int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.failing = status
}

func (f *fakeProvider) start(c echo.Context) error {
	var req struct {
		ClientID    string `json:"client_id"`
		Connection  string `json:"connection"`
		PhoneNumber string `json:"phone_number"`
	}
	if err := c.Bind(&req); err != nil || req.ClientID != "app" || req.Connection != "sms" {
		return refuse(c, http.StatusBadRequest, "bad.request", "unknown client or connection")
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.refuses(c, "too_many_requests") {
		return nil
	}
	to, err := parser.Parse(req.PhoneNumber)
	if err != nil {
		return refuse(c, http.StatusBadRequest, "bad.phone_number", "phone_number is not a mobile number")
	}
	f.sent++
	code := fmt.Sprintf("%06d", 482900+f.sent)
	f.codes[to] = code
	f.texts = append(f.texts, devpage.Text{
		To: to, Code: code, SentAt: time.Now(),
		Body: code + " is your Latchkey code. It is good for 5 minutes. Never pass it on.",
	})
	return c.JSON(http.StatusOK, map[string]any{"_id": "9f2c6b1e7a", "phone_number": to.E164(), "phone_verified": false})
}

func (f *fakeProvider) token(c echo.Context) error {
	var req struct {
		GrantType string `json:"grant_type"`
		ClientID  string `json:"client_id"`
		Realm     string `json:"realm"`
		Username  string `json:"username"`
		OTP       string `json:"otp"`
		Scope     string `json:"scope"`
		Audience  string `json:"audience"`
		Refresh   string `json:"refresh_token"`
	}
	err := c.Bind(&req)
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.refuses(c, "too_many_attempts") {
		return nil
	}
	if err == nil && req.GrantType == "refresh_token" {
		return f.refresh(c, req.Refresh)
	}
	if err != nil || req.GrantType != "http://auth0.com/oauth/grant-type/passwordless/otp" || req.Realm != "sms" {
		return refuse(c, http.StatusBadRequest, "unsupported_grant_type", "only passwordless and refresh_token")
	}
	number, err := parser.Parse(req.Username)
	if err != nil || req.OTP == "" || f.codes[number] != req.OTP {
		return refuse(c, http.StatusForbidden, "invalid_grant", "Wrong phone number or verification code.")
	}
	delete(f.codes, number)
	session := fakeSession{number: number, client: req.ClientID, audience: req.Audience, scope: req.Scope}
	return c.JSON(http.StatusOK, f.tokens(session))
}

// tokens answers a sign-in or a refresh. Without offline_access there is no refresh token.
func (f *fakeProvider) tokens(s fakeSession) map[string]any {
	now := time.Now().Unix()
	f.issued++
	access := map[string]any{
		"iss": "http://127.0.0.1:8080/", "sub": s.sub(), "aud": s.audience, "azp": s.client, "client_id": s.client,
		"scope": s.scope, "iat": now, "exp": now + 900, "jti": fmt.Sprintf("c0a8f2d1-%d", f.issued), "sid": "s_51Kd",
		"tier": "anonymous", "permissions": []string{},
		"status": map[string]any{"status_list": map[string]any{"idx": 70417, "uri": "http://127.0.0.1:8080/status-lists/w5"}},
	}
	id := map[string]any{
		"iss": "http://127.0.0.1:8080/", "sub": s.sub(), "aud": s.client, "iat": now, "exp": now + 3600,
		"auth_time": now, "amr": []string{"sms", "otp"}, "phone_number": s.number.E164(), "phone_number_verified": true,
	}
	p, known := f.holder(s.number)
	if known {
		access["tier"], access["permissions"] = p.Tier, []string{"rota:read", "rota:swap", "payslip:read"}
		id["name"] = p.Name
	}
	answer := map[string]any{
		"access_token": unsigned("at+jwt", access), "id_token": unsigned("JWT", id),
		"token_type": "Bearer", "expires_in": 900, "scope": s.scope,
	}
	if slices.Contains(strings.Fields(s.scope), "offline_access") {
		next := fmt.Sprintf("v1.c29tZSBzZXNzaW9uIHRoYXQgbm9ib2R5IGtub3dz-%012d", f.issued)
		s.employee = known
		f.sessions[next] = s
		answer["refresh_token"] = next
	}
	return answer
}

// refuses answers a call that is throttled or failing, and reports whether it did.
func (f *fakeProvider) refuses(c echo.Context, limit string) bool {
	switch {
	case f.throttled > 0:
		c.Response().Header().Set("Retry-After", strconv.Itoa(f.throttled))
		_ = refuse(c, http.StatusTooManyRequests, limit, "Too many requests.")
	case f.failing == noAnswer:
		panic(http.ErrAbortHandler) // the connection ends
	case f.failing > 0:
		_ = refuse(c, f.failing, "temporarily_unavailable", "The service is not available.")
	default:
		return false
	}
	return true
}

func refuse(c echo.Context, status int, code, description string) error {
	return c.JSON(status, map[string]string{"error": code, "error_description": description})
}

func unsigned(typ string, claims map[string]any) string {
	parts := []string{segment(map[string]any{"alg": "RS256", "kid": "2026-10-a", "typ": typ}), segment(claims)}
	return strings.Join(append(parts, base64.RawURLEncoding.EncodeToString([]byte(strings.Repeat("not a signature ", 16)))), ".")
}

func segment(claims map[string]any) string {
	body, err := json.Marshal(claims)
	if err != nil {
		panic(err)
	}
	return base64.RawURLEncoding.EncodeToString(body)
}
