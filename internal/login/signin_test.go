package login_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-id/latchkey/internal/client"
	"github.com/latchkey-id/latchkey/internal/login"
	"github.com/latchkey-id/latchkey/internal/origin"
	"github.com/latchkey-id/latchkey/internal/otp"
	"github.com/latchkey-id/latchkey/internal/otp/otptest"
	"github.com/latchkey-id/latchkey/internal/phone"
	"github.com/latchkey-id/latchkey/internal/scope"
	"github.com/latchkey-id/latchkey/internal/session"
)

func TestSignInFindsTheTier(t *testing.T) {
	for name, tc := range map[string]struct {
		prepare     func(t *testing.T, p *parts)
		tier, scope string
		lifetime    time.Duration
		known       bool
		reason      string
	}{
		"employee": {func(t *testing.T, p *parts) { p.staff(t, person(t, "1", alice, "Clerk")) },
			"employee", "openid profile email phone offline_access", 15 * time.Minute, true, ""},
		"manager": {func(t *testing.T, p *parts) { p.staff(t, person(t, "1", alice, "manager")) },
			"manager", "openid profile email phone offline_access approve", 15 * time.Minute, true, ""},
		"stranger": {func(*testing.T, *parts) {}, "anonymous", "openid phone", 5 * time.Minute, false, ""},
		"leaver": {func(t *testing.T, p *parts) {
			p.staff(t, person(t, "1", alice, "Manager"), person(t, "2", bob, ""))
			p.staff(t, person(t, "2", bob, ""))
		}, "anonymous", "openid phone", 5 * time.Minute, false, ""},
		"two people with one number": {func(t *testing.T, p *parts) {
			p.staff(t, person(t, "1", alice, "Manager"), person(t, "2", alice, "Manager"))
		}, "anonymous", "openid phone", 5 * time.Minute, false, "number_shared"},
	} {
		t.Run(name, func(t *testing.T) {
			p := newParts(t)
			tc.prepare(t, p)
			tokens := p.signIn(t, "app", alice)
			require.Equal(t, tc.tier, tokens.Tier)
			require.Equal(t, tc.scope, tokens.Scope.String())
			require.Equal(t, tc.lifetime, tokens.ExpiresIn)

			access, id := claims(t, tokens.Access), claims(t, tokens.ID)
			require.Equal(t, tc.tier, access["tier"])
			require.Equal(t, tc.scope, access["scope"])
			require.Equal(t, tokens.SessionID, access["sid"])
			require.Equal(t, access["sub"], id["sub"])
			require.Equal(t, []any{"sms"}, access["amr"])
			require.Equal(t, float64(p.clock.Now().Unix()), access["auth_time"])
			require.Equal(t, alice, id["phone_number"])
			if tc.known {
				require.Equal(t, "Person 1", id["name"])
				require.Equal(t, "1@example.com", id["email"])
			} else {
				require.NotContains(t, id, "name")
				require.NotContains(t, id, "email")
				require.NotContains(t, access, "permissions")
			}

			events := p.events(t)
			require.Equal(t, []string{"account.created", "signin.succeeded"}, kinds(events))
			last := events[1]
			require.Equal(t, event{kind: "signin.succeeded", actor: access["sub"].(string), subject: access["sub"].(string),
				userID: last.userID, client: "app", sid: tokens.SessionID, source: "192.0.2.1", phone: "***001",
				reason: tc.reason, detail: `{"tier":"` + tc.tier + `"}`}, last)
			require.Equal(t, tc.known, last.userID != "")
		})
	}
}

func TestScopes(t *testing.T) {
	for name, tc := range map[string]struct {
		app, asked, want string
		unset            bool
	}{
		"none asked for":           {"app", "", "openid profile email", true},
		"an empty set":             {"app", "", "", false},
		"as asked":                 {"app", "email openid", "email openid", false},
		"more than the tier":       {"app", "openid admin:all", "openid", false},
		"offline_access":           {"app", "openid offline_access", "openid offline_access", false},
		"offline_access alone":     {"app", "offline_access", "offline_access", false},
		"only what the client may": {"narrow", "openid profile offline_access approve", "openid approve", false},
		"none, narrowed":           {"narrow", "", "openid", true},
		"another case":             {"app", "OpenID", "", false},
	} {
		t.Run(name, func(t *testing.T) {
			p := newParts(t)
			p.staff(t, person(t, "1", alice, "Manager"))
			r := p.request(t, tc.app, alice, p.code(t, tc.app, alice))
			r.Scope = append(scope.Set{}, scope.Parse(tc.asked)...)
			if tc.unset {
				r.Scope = nil
			}
			tokens, err := p.SignIn(t.Context(), r)
			require.NoError(t, err)
			require.Equal(t, tc.want, tokens.Scope.String())
			require.Equal(t, strings.Contains(tc.want, "openid"), tokens.ID != "")
			require.Equal(t, strings.Contains(tc.want, "offline_access"), tokens.Refresh != "")
			said, _ := claims(t, tokens.Access)["scope"].(string)
			require.Equal(t, tc.want, said)
			var kept string
			require.NoError(t, p.raw.QueryRow("SELECT scope FROM sessions").Scan(&kept))
			require.Equal(t, tc.want, kept)
		})
	}
	require.Equal(t, "openid profile email", scope.Default.String(), "no sign-in changed what is shared by all")
}

// What is wrong with a request is said before it costs the person their code.
func TestRefusedBeforeTheCodeIsUsed(t *testing.T) {
	p := newParts(t)
	p.staff(t, person(t, "1", alice, ""))
	code := p.code(t, "app", alice)
	for name, tc := range map[string]struct {
		change func(r *login.SignInRequest)
		want   error
	}{
		"another door":            {func(r *login.SignInRequest) { r.Grant = client.LegacyRO }, login.ErrGrant},
		"no door":                 {func(r *login.SignInRequest) { r.Grant = "" }, login.ErrGrant},
		"another realm":           {func(r *login.SignInRequest) { r.Realm = "email" }, login.ErrConnection},
		"no realm":                {func(r *login.SignInRequest) { r.Realm = "" }, login.ErrConnection},
		"another audience":        {func(r *login.SignInRequest) { r.Audience = "https://payroll.example" }, login.ErrAudience},
		"an audience, nearly":     {func(r *login.SignInRequest) { r.Audience = "https://shifts.example/" }, login.ErrAudience},
		"the issuer as audience":  {func(r *login.SignInRequest) { r.Audience = issuer }, login.ErrAudience},
		"no number":               {func(r *login.SignInRequest) { r.Phone = "" }, phone.ErrNotANumber},
		"five digits":             {func(r *login.SignInRequest) { r.Code = "12345" }, otp.ErrMalformedCode},
		"seven digits":            {func(r *login.SignInRequest) { r.Code += "0" }, otp.ErrMalformedCode},
		"no code":                 {func(r *login.SignInRequest) { r.Code = "" }, otp.ErrMalformedCode},
		"Arabic digits":           {func(r *login.SignInRequest) { r.Code = "١٢٣٤٥٦" }, otp.ErrMalformedCode},
		"wrong client first, too": {func(r *login.SignInRequest) { r.Grant, r.Code = client.LegacyRO, "x" }, login.ErrGrant},
	} {
		for range otptest.Limits.Guesses + 1 { // more often than a code has guesses
			r := p.request(t, "app", alice, code)
			tc.change(&r)
			tokens, err := p.SignIn(t.Context(), r)
			require.ErrorIs(t, err, tc.want, name)
			require.Zero(t, tokens.Minted)
		}
	}
	require.Empty(t, p.events(t))
	r := p.request(t, "app", "07700 900 001", " "+code+"\n")
	r.Audience = "https://shifts.example"
	tokens, err := p.SignIn(t.Context(), r)
	require.NoError(t, err, "spelled otherwise than at the start")
	require.Equal(t, "https://shifts.example", claims(t, tokens.Access)["aud"])
}

func TestUserInfoAudienceIsFree(t *testing.T) {
	p := newParts(t)
	for _, audience := range []string{"", issuer + "userinfo"} {
		r := p.request(t, "app", alice, p.code(t, "app", alice))
		r.Audience = audience
		tokens, err := p.SignIn(t.Context(), r)
		require.NoError(t, err)
		require.Equal(t, issuer+"userinfo", claims(t, tokens.Access)["aud"])
	}
}

func TestATierThatTheClientDoesNotAdmit(t *testing.T) {
	p := newParts(t)
	p.staff(t, person(t, "1", alice, ""))
	code := p.code(t, "staff", stranger)
	tokens, err := p.SignIn(t.Context(), p.request(t, "staff", stranger, code))
	require.ErrorIs(t, err, login.ErrTier)
	require.Zero(t, tokens.Minted)
	require.Equal(t, []event{{kind: "signin.refused", client: "staff", source: "192.0.2.1", phone: "***099",
		reason: "tier_not_admitted", detail: `{"tier":"anonymous"}`}}, p.events(t))
	require.Zero(t, p.count(t, "accounts"), "no account for nothing")
	require.Zero(t, p.count(t, "sessions"))

	_, err = p.SignIn(t.Context(), p.request(t, "staff", stranger, code))
	require.ErrorIs(t, err, otp.ErrInvalidCode, "the code is used up")
	require.Equal(t, "employee", p.signIn(t, "staff", alice).Tier)
}

func wrong(code string) string {
	return code[:5] + string('0'+(code[5]-'0'+1)%10)
}

func TestAWrongCode(t *testing.T) {
	p := newParts(t)
	p.staff(t, person(t, "1", alice, ""))
	right := p.code(t, "app", alice)
	for range otptest.Limits.GuessesPerSource {
		_, err := p.SignIn(t.Context(), p.request(t, "app", alice, wrong(right)))
		require.ErrorIs(t, err, otp.ErrInvalidCode)
	}
	for range 5 {
		_, err := p.SignIn(t.Context(), p.request(t, "app", alice, right))
		require.ErrorIs(t, err, otp.ErrTooManyGuesses, "the right one comes too late")
	}
	events := p.events(t)
	require.Len(t, events, otptest.Limits.GuessesPerSource, "what was not compared is not written")
	for _, e := range events {
		require.Equal(t, event{kind: "signin.refused", client: "app", source: "192.0.2.1", phone: "***001", reason: "wrong_code"}, e)
		require.NotContains(t, e.detail+e.reason+e.actor, right)
	}
	elsewhere := p.request(t, "app", alice, right)
	elsewhere.Origin = origin.Origin{Source: "198.51.100.7", Network: "198.51.100.0/24"}
	_, err := p.SignIn(t.Context(), elsewhere)
	require.NoError(t, err, "nobody else is locked out (T5)")
	require.NotContains(t, p.log.String(), right)
	require.NotContains(t, p.log.String(), "7700900001")
}

func TestACodeThatNobodyAskedFor(t *testing.T) {
	p := newParts(t)
	p.staff(t, person(t, "1", alice, ""))
	for _, number := range []string{alice, stranger} { // C9: alike for both
		for range otptest.Limits.GuessesPerSource {
			_, err := p.SignIn(t.Context(), p.request(t, "app", number, "123456"))
			require.ErrorIs(t, err, otp.ErrInvalidCode)
		}
		_, err := p.SignIn(t.Context(), p.request(t, "app", number, "123456"))
		require.ErrorIs(t, err, otp.ErrTooManyGuesses)
	}
	require.Zero(t, p.count(t, "accounts"))
}

func TestAWrongCodeThatCannotBeRecorded(t *testing.T) {
	p := newParts(t)
	right := p.code(t, "app", alice)
	p.store.record = errOut
	_, err := p.SignIn(t.Context(), p.request(t, "app", alice, wrong(right)))
	require.ErrorIs(t, err, errOut)
	require.False(t, errors.Is(err, otp.ErrInvalidCode), "an outage is not told as a wrong code")
}

func TestACodeWorksOnce(t *testing.T) {
	p := newParts(t)
	p.staff(t, person(t, "1", alice, ""))
	code := p.code(t, "app", alice)
	won := make(chan error, 20)
	for range cap(won) {
		r := p.request(t, "app", alice, code)
		go func() {
			_, err := p.SignIn(t.Context(), r)
			won <- err
		}()
	}
	right := 0
	for range cap(won) {
		if err := <-won; err == nil {
			right++
		} else {
			require.True(t, errors.Is(err, otp.ErrInvalidCode) || errors.Is(err, otp.ErrTooManyGuesses), "%v", err)
		}
	}
	require.Equal(t, 1, right)
	require.Equal(t, 1, p.count(t, "sessions"))
}

func TestACodeWorksOnlyForItsClient(t *testing.T) {
	p := newParts(t)
	code := p.code(t, "app", alice)
	_, err := p.SignIn(t.Context(), p.request(t, "narrow", alice, code))
	require.ErrorIs(t, err, otp.ErrInvalidCode)
	_, err = p.SignIn(t.Context(), p.request(t, "app", bob, code))
	require.ErrorIs(t, err, otp.ErrInvalidCode)
	_, err = p.SignIn(t.Context(), p.request(t, "app", alice, code))
	require.NoError(t, err)
}

func TestTheSessionThatIsKept(t *testing.T) {
	p := newParts(t)
	p.staff(t, person(t, "1", alice, ""))
	r := p.request(t, "app", alice, p.code(t, "app", alice))
	r.Device = "Zoë's\x00 phone\u202e" + strings.Repeat("!", 500)
	tokens, err := p.SignIn(t.Context(), r)
	require.NoError(t, err)
	kept, now := p.session(t, tokens.SessionID), p.clock.Now().UTC()
	require.True(t, strings.HasPrefix(kept.Device, "Zoë's phone!"), kept.Device)
	require.Len(t, []rune(kept.Device), 120)
	require.NotEmpty(t, kept.CodeUse)
	require.Equal(t, session.Session{
		SID: tokens.SessionID, Subject: claims(t, tokens.Access)["sub"].(string), ClientID: "app", CodeUse: kept.CodeUse,
		Method: "sms", Identifier: alice, Scope: tokens.Scope, Tier: "employee", Device: kept.Device,
		Address: "192.0.2.1", LastAddress: "192.0.2.1", AuthTime: now, LastUsedAt: now, ExpiresAt: now.Add(limits.Idle),
		Family: session.Family{RotatedAt: now},
	}, kept)

	var proves string
	require.NoError(t, p.raw.QueryRow("SELECT subject FROM identities WHERE method = 'sms' AND identifier = ?", alice).Scan(&proves))
	require.Equal(t, kept.Subject, proves)
	require.Equal(t, 1, p.count(t, "identities"))
}
