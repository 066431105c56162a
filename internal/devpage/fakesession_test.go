package devpage_test

import (
	"net/http"
	"slices"

	"github.com/labstack/echo/v4"

	"github.com/latchkey-id/latchkey/internal/devpage"
	"github.com/latchkey-id/latchkey/internal/phone"
)

// fakeSession is a sign-in that can be refreshed. Its tier is looked up anew each time.
type fakeSession struct {
	number                  phone.Number
	client, audience, scope string
	// employee is set if HR had the person when the last tokens were issued.
	employee bool
}

// sub is the same for a number always, whoever HR says that it is.
func (s fakeSession) sub() string { return "lk_" + s.number.E164()[1:] }

// refresh trades a token once; the fake has no grace for lost answers.
func (f *fakeProvider) refresh(c echo.Context, token string) error {
	session, ok := f.sessions[token]
	if !ok {
		return refuse(c, http.StatusForbidden, "invalid_grant", "Unknown or invalid refresh token.")
	}
	delete(f.sessions, token)
	if _, known := f.holder(session.number); session.employee && !known {
		return refuse(c, http.StatusForbidden, "invalid_grant", "The refresh_token was generated for a user who doesn't exist anymore.")
	}
	return c.JSON(http.StatusOK, f.tokens(session))
}

// holder returns whom a number signs in.
func (f *fakeProvider) holder(number phone.Number) (devpage.Person, bool) {
	at := slices.IndexFunc(f.people, func(p devpage.Person) bool {
		return p.Phone == number.E164() && p.Active && p.Note != "shares a number"
	})
	if at < 0 {
		return devpage.Person{}, false
	}
	return f.people[at], true
}

// revoke ends a session; a token that is none is as good as ended (RFC 7009 §2.2).
func (f *fakeProvider) revoke(c echo.Context) error {
	var req struct {
		ClientID string `json:"client_id"`
		Token    string `json:"token"`
	}
	if err := c.Bind(&req); err != nil || req.ClientID != "app" || req.Token == "" {
		return refuse(c, http.StatusBadRequest, "invalid_request", "token is missing")
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.refuses(c, "too_many_requests") {
		return nil
	}
	delete(f.sessions, req.Token)
	return c.JSON(http.StatusOK, struct{}{})
}

// signedIn is how many sessions there are.
func (f *fakeProvider) signedIn() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.sessions)
}

// endAll ends every session, as an operator does.
func (f *fakeProvider) endAll() {
	f.mu.Lock()
	defer f.mu.Unlock()
	clear(f.sessions)
}

// hire puts a person into HR.
func (f *fakeProvider) hire(p devpage.Person) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.people = append(f.people, p)
}

// dismiss makes a person one who has left.
func (f *fakeProvider) dismiss(name string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	at := slices.IndexFunc(f.people, func(p devpage.Person) bool { return p.Name == name })
	f.people[at].Active = false
}
