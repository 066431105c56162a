package app_test

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lestrrat-go/jwx/v2/jwk"
	"github.com/lestrrat-go/jwx/v2/jwt"
	goredis "github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/latchkey-id/latchkey/internal/sms/twiliotest"
	"github.com/latchkey-id/latchkey/internal/testservers"
)

func decodeSegment(t *testing.T, segment string) map[string]any {
	t.Helper()
	text, err := base64.RawURLEncoding.DecodeString(segment)
	require.NoError(t, err)
	var members map[string]any
	require.NoError(t, json.Unmarshal(text, &members))
	return members
}

func realStores(t *testing.T) stores {
	return stores{testservers.Postgres(t), testservers.Redis(t), "test:" + rand.Text() + ":"}
}

// verified checks a token as an internal service does: through the JWKS.
func verified(t *testing.T, p *program, token, audience string) jwt.Token {
	t.Helper()
	set, err := jwk.Fetch(t.Context(), p.base+"/.well-known/jwks.json")
	require.NoError(t, err)
	parsed, err := jwt.Parse([]byte(token), jwt.WithKeySet(set), jwt.WithIssuer(issuer), jwt.WithAudience(audience), jwt.WithValidate(true))
	require.NoError(t, err)
	return parsed
}

func TestSignInOnRealStores(t *testing.T) {
	s := realStores(t)
	twilio, base := standIn(t)
	importSample(t, s)
	p := serve(t, s, base)
	for _, tc := range []struct {
		name, client, number, tier string
		permissions                []any
	}{
		{"employee", "app", employee, "employee", []any{"profile:read"}},
		{"manager", "app", manager, "manager", []any{"reports:read"}},
		{"administrator", "app", admin, "admin", []any{"keys:rotate"}},
		{"two people with one number", "app", shared, "anonymous", nil},
		{"leaver", "app", leaver, "anonymous", nil},
		{"stranger", "app", stranger, "anonymous", nil},
		{"ES256", "es", employee, "employee", []any{"profile:read"}},
		{"EdDSA", "ed", employee, "employee", []any{"profile:read"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := p.signIn(twilio, tc.client, tc.number)
			require.Equal(t, http.StatusOK, got.status, got.body)
			require.Equal(t, "no-store", got.header.Get("Cache-Control"))
			require.Equal(t, "openid profile email", got.text("scope"))
			require.NotContains(t, got.body, "refresh_token")
			access := verified(t, p, got.text("access_token"), audience)
			tier, _ := access.Get("tier")
			require.Equal(t, tc.tier, tier)
			permissions, has := access.Get("permissions")
			require.Equal(t, tc.permissions != nil, has)
			if has {
				require.Equal(t, tc.permissions, permissions)
			}
			id := verified(t, p, got.text("id_token"), tc.client)
			require.Equal(t, access.Subject(), id.Subject())
			require.NotContains(t, got.text("access_token")+got.text("id_token"), "447700")

			info := p.get("/userinfo", "Authorization", "Bearer "+got.text("access_token"))
			require.Equal(t, http.StatusOK, info.status)
			require.Equal(t, access.Subject(), info.text("sub"))
			_, named := info.body["name"]
			require.Equal(t, tc.tier != "anonymous", named)
			require.Equal(t, http.StatusUnauthorized, p.get("/userinfo", "Authorization", "Bearer "+got.text("id_token")).status,
				"an ID token is no access token")
		})
	}
	require.NotRegexp(t, `447700|"[0-9]{6}"`, p.stderr.String(), "a number or a code is in the log")
	require.NotContains(t, p.stderr.String(), "eyJ", "a token is in the log")
}

func TestTheLegacyDoor(t *testing.T) {
	s := realStores(t)
	twilio, base := standIn(t)
	importSample(t, s)
	p := serve(t, s, base)
	require.Equal(t, http.StatusOK, p.start("legacy", employee).status)
	request := map[string]string{
		"client_id": "legacy", "connection": "sms", "grant_type": "password", "username": "0044 7700 900001",
		"password": "000000", "scope": "openid offline_access phone_number", "device": "Old phone",
	}
	right := code(t, twilio, employee, 0)
	wrong := p.post("/oauth/ro", request)
	if right != "000000" {
		require.Equal(t, http.StatusUnauthorized, wrong.status)
		require.Equal(t, map[string]any{"error": "invalid_user_password", "error_description": wrongText}, wrong.body)
	}
	request["password"] = right
	got := p.form("/oauth/ro", request)
	require.Equal(t, http.StatusOK, got.status, got.body)
	require.Equal(t, "openid offline_access phone_number", got.text("scope"), "offline_access is not granted yet")
	require.Equal(t, employee, claims(t, got.text("id_token"))["phone_number"])
	request["client_id"] = "app"
	require.Equal(t, "unauthorized_client", p.post("/oauth/ro", request).text("error"))
}

func TestOfManyRightCodesOneWins(t *testing.T) {
	s := realStores(t)
	twilio, base := standIn(t)
	replicas := []*program{serve(t, s, base), serve(t, s, base)}
	require.Equal(t, http.StatusOK, replicas[0].start("legacy", stranger).status)
	right := code(t, twilio, stranger, 0)
	doors := []func(p *program) answer{
		func(p *program) answer { return p.form("/oauth/token", tokenRequest("legacy", stranger, right)) },
		func(p *program) answer {
			return p.post("/oauth/ro", map[string]string{
				"client_id": "legacy", "connection": "sms", "grant_type": "password", "username": stranger, "password": right,
			})
		},
	}
	doors[0] = func(p *program) answer {
		request := tokenRequest("legacy", stranger, right)
		delete(request, "audience")
		return p.form("/oauth/token", request)
	}
	won := 0
	for _, a := range together(200, func(i int) answer { return doors[i/2%2](replicas[i%2]) }) {
		switch a.status {
		case http.StatusOK:
			won++
		case http.StatusForbidden, http.StatusUnauthorized:
		default:
			t.Errorf("status %d: %v", a.status, a.body)
		}
	}
	require.Equal(t, 1, won)
}

func TestWrongCodesAreCountedBeforeTheyAreCompared(t *testing.T) {
	s := realStores(t)
	twilio, base := standIn(t)
	replicas := []*program{serve(t, s, base), serve(t, s, base)}
	for round := range 5 {
		number := fmt.Sprintf("+4477009005%02d", round)
		require.Equal(t, http.StatusOK, replicas[0].start("app", number).status)
		right := code(t, twilio, number, 0)
		compared, won := 0, 0
		for _, a := range together(300, func(i int) answer {
			guess := fmt.Sprintf("%06d", i)
			if i == 150 || guess == right {
				guess = right
			}
			return replicas[i%2].form("/oauth/token", tokenRequest("app", number, guess))
		}) {
			switch {
			case a.status == http.StatusOK:
				won++
			case a.text("error_description") == wrongText:
				compared++
			default:
				require.Equal(t, tooManyTxt, a.text("error_description"))
			}
		}
		require.LessOrEqual(t, compared, 5+won, "all from one source; after a win the used code is one more wrong one")
		if won == 0 {
			late := replicas[0].form("/oauth/token", tokenRequest("app", number, right))
			require.Equal(t, http.StatusForbidden, late.status)
			require.Equal(t, tooManyTxt, late.text("error_description"))
		}
	}
}

// together sends n requests at once.
func together(n int, f func(i int) answer) []answer {
	answers := make([]answer, n)
	var done sync.WaitGroup
	gate := make(chan struct{})
	for i := range n {
		done.Go(func() {
			<-gate
			answers[i] = f(i)
		})
	}
	close(gate)
	done.Wait()
	return answers
}

func TestReplicasAgreeOnTheirKeys(t *testing.T) {
	s := realStores(t)
	_, base := standIn(t)
	replicas := make([]*program, 4)
	var done sync.WaitGroup
	for i := range replicas {
		replicas[i] = start(t, s.environ(base), "serve", "--config", settingsFile(t))
	}
	for i := range replicas {
		done.Go(func() {
			require.Eventually(t, func() bool { return servingLine.MatchString(replicas[i].stderr.String()) }, 60*time.Second, 10*time.Millisecond)
		})
	}
	done.Wait()
	bodies := map[string]bool{}
	for _, p := range replicas {
		p.base = "http://" + servingLine.FindStringSubmatch(p.stderr.String())[1]
		body, err := json.Marshal(p.get("/.well-known/jwks.json").body)
		require.NoError(t, err)
		bodies[string(body)] = true
		require.Len(t, p.get("/.well-known/jwks.json").body["keys"], 3)
	}
	require.Len(t, bodies, 1)
}

func TestAnotherSecretDoesNotStart(t *testing.T) {
	s := realStores(t)
	_, base := standIn(t)
	first := serve(t, s, base)
	first.stop()
	environ := append(s.environ(base), "LATCHKEY_SECRET_KEY="+base64.StdEncoding.EncodeToString([]byte("another secret of thirty-two by.")))
	code, _, stderr := command(t, environ, "serve", "--config", settingsFile(t))
	require.Equal(t, 1, code)
	require.Contains(t, stderr, "cannot read the signing keys")
	require.Contains(t, stderr, "secret_key")
}

func TestRedisDown(t *testing.T) {
	server := testservers.StartRedis(t)
	s := stores{testservers.Postgres(t), server.DSN(), "test:"}
	twilio, base := standIn(t)
	p := serve(t, s, base)
	require.Equal(t, http.StatusOK, p.start("app", stranger).status)
	right := code(t, twilio, stranger, 0)
	server.Kill()
	for _, a := range []answer{p.start("app", employee), p.form("/oauth/token", tokenRequest("app", stranger, right))} {
		require.Equal(t, http.StatusServiceUnavailable, a.status)
		require.Equal(t, "temporarily_unavailable", a.text("error"))
		require.NotEmpty(t, a.header.Get("Retry-After"))
	}
	require.Equal(t, http.StatusOK, p.get("/.well-known/jwks.json").status)
	require.Equal(t, http.StatusOK, p.ready(), "the JWKS must stay reachable")
	server.Start() // empty, as after a loss: a new text, never an account
	require.Eventually(t, func() bool { return p.start("app", stranger).status == http.StatusOK }, 10*time.Second, 20*time.Millisecond)
	require.Equal(t, http.StatusForbidden, p.form("/oauth/token", tokenRequest("app", stranger, right)).status)
	require.Equal(t, http.StatusOK, p.form("/oauth/token", tokenRequest("app", stranger, code(t, twilio, stranger, 1))).status)
}

// A Redis that comes back with what it knew a second ago has forgotten that a code was used.
func TestARedisThatForgets(t *testing.T) {
	server := testservers.StartRedis(t)
	s := stores{testservers.Postgres(t), server.DSN(), "test:"}
	twilio, base := standIn(t)
	p := serve(t, s, base)
	require.Equal(t, http.StatusOK, p.start("app", stranger).status)
	right := code(t, twilio, stranger, 0)

	client := goredis.NewClient(&goredis.Options{Addr: server.Addr()})
	t.Cleanup(func() { _ = client.Close() })
	keys, err := client.Keys(t.Context(), "*").Result()
	require.NoError(t, err)
	require.NotEmpty(t, keys)
	before := map[string]string{}
	for _, key := range keys {
		before[key], err = client.Dump(t.Context(), key).Result()
		require.NoError(t, err)
	}
	require.Equal(t, http.StatusOK, p.form("/oauth/token", tokenRequest("app", stranger, right)).status)
	for key, dump := range before {
		require.NoError(t, client.RestoreReplace(t.Context(), key, 5*time.Minute, dump).Err())
	}
	again := p.form("/oauth/token", tokenRequest("app", stranger, right))
	require.Equal(t, http.StatusForbidden, again.status)
	require.Equal(t, wrongText, again.text("error_description"))
}

func TestDatabaseDown(t *testing.T) {
	server := testservers.StartPostgres(t)
	s := stores{server.DSN(), testservers.Redis(t), "test:" + rand.Text() + ":"}
	twilio, base := standIn(t)
	importSample(t, s)
	p := serve(t, s, base)
	require.Equal(t, http.StatusOK, p.start("app", employee).status)
	right := code(t, twilio, employee, 0)
	server.Kill()
	for range 3 {
		a := p.form("/oauth/token", tokenRequest("app", employee, right))
		require.Equal(t, http.StatusServiceUnavailable, a.status, a.body)
		require.Equal(t, "temporarily_unavailable", a.text("error"))
		require.NotEmpty(t, a.header.Get("Retry-After"))
	}
	require.Equal(t, http.StatusOK, p.get("/.well-known/jwks.json").status)
	require.Equal(t, http.StatusServiceUnavailable, p.ready())
	server.Start()
	require.Eventually(t, func() bool {
		a := p.form("/oauth/token", tokenRequest("app", employee, right))
		return a.status == http.StatusOK
	}, 15*time.Second, 50*time.Millisecond, "the code was used up by requests that failed")
}

// Whatever becomes of the text, the answer to the start is the same (U1, U4).
func TestTwilioFaultsDoNotShow(t *testing.T) {
	s := realStores(t)
	twilio, base := standIn(t)
	p := serve(t, s, base)
	faults := map[string]twiliotest.Fault{
		"500":         twiliotest.JSON(500, `{"code":20500,"message":"x","status":500}`),
		"HTML":        twiliotest.HTML(502),
		"no landline": twiliotest.Refused(400, 21614),
		"opted out":   twiliotest.Refused(400, 21610),
		"cut":         twiliotest.Cut(),
		"empty 200":   twiliotest.Empty(200),
	}
	n := 0
	for name, fault := range faults {
		t.Run(name, func(t *testing.T) {
			n++
			number := fmt.Sprintf("+4477009006%02d", n)
			twilio.Script(fault)
			a := p.start("app", number)
			require.Equal(t, http.StatusOK, a.status)
			require.Equal(t, number, a.text("phone_number"))
			require.Equal(t, false, a.body["phone_verified"])
			require.Len(t, a.body, 3)
			outcome := func() bool { return strings.Contains(p.stderr.String(), `"to":"***`+number[len(number)-3:]+`"`) }
			require.Eventually(t, outcome, 15*time.Second, 5*time.Millisecond)
		})
	}
	t.Run("a definite failure frees the gap", func(t *testing.T) {
		twilio.Script(twiliotest.Refused(400, 21611)) // the sender's queue is full
		require.Equal(t, http.StatusOK, p.start("app", "+447700900699").status)
		require.Eventually(t, func() bool {
			p.start("app", "+447700900699")
			return len(textsTo(twilio, "+447700900699")) == 1
		}, 10*time.Second, 10*time.Millisecond)
	})
}

// Where no account takes texts, whatever the number, the app is told so, and no one number more than
// another (U4).
func TestARefusedAccountIsAProviderError(t *testing.T) {
	for name, fault := range map[string]twiliotest.Fault{
		"bad credential": twiliotest.Refused(401, 20003), "redirect": twiliotest.Redirect(307, "/elsewhere"),
	} {
		t.Run(name, func(t *testing.T) {
			s := realStores(t)
			twilio, base := standIn(t)
			p := serve(t, s, base)
			twilio.Script(fault)
			require.Equal(t, http.StatusOK, p.start("app", employee).status)
			var a answer
			require.Eventually(t, func() bool {
				a = p.start("app", "+447700900699")
				return a.status != http.StatusOK
			}, 10*time.Second, 10*time.Millisecond)
			require.Equal(t, http.StatusBadRequest, a.status)
			require.Equal(t, "sms_provider_error", a.text("error"))
			require.Equal(t, a.body, p.start("app", manager).body, "staff's numbers alike")
		})
	}
}

// A stop answers the requests under way and sends what is queued.
func TestStopSendsWhatIsQueued(t *testing.T) {
	s := realStores(t)
	twilio, base := standIn(t)
	p := serve(t, s, base)
	release := make(chan struct{})
	held := make([]twiliotest.Fault, 8) // as many as there are workers
	for i := range held {
		held[i] = twiliotest.Held(release)
	}
	twilio.Script(held...)
	const n = 40
	for i := range n {
		require.Equal(t, http.StatusOK, p.start("app", fmt.Sprintf("+4477009007%02d", i)).status)
	}
	p.cancel()
	require.Eventually(t, func() bool { return strings.Contains(p.stderr.String(), `"msg":"stopping"`) }, 10*time.Second, time.Millisecond)
	close(release)
	require.Zero(t, p.stop())
	sent := 0
	for i := range n {
		sent += len(textsTo(twilio, fmt.Sprintf("+4477009007%02d", i)))
	}
	require.Equal(t, n, sent)
}

func TestSameCodeAgain(t *testing.T) {
	s := realStores(t)
	twilio, base := standIn(t)
	p := serve(t, s, base)
	first := p.start("app", stranger)
	right := code(t, twilio, stranger, 0)
	second := p.start("app", "07700 900123 ")
	require.Equal(t, "bad.phone_number", second.text("error"), "no default region here")
	second = p.start("app", "+44 (0) 7700 900123")
	require.Equal(t, first.body, second.body)
	require.Len(t, textsTo(twilio, stranger), 1, "two texts within 30 s")
	require.Equal(t, http.StatusForbidden, p.form("/oauth/token", tokenRequest("es", stranger, right)).status, "another client's code")
	require.Equal(t, http.StatusOK, p.form("/oauth/token", tokenRequest("app", "+44 7700-900-123", " "+right+"\n")).status)
}

func TestPeopleMayBeKeptOutOfAClient(t *testing.T) {
	s := realStores(t)
	twilio, base := standIn(t)
	importSample(t, s)
	p := serve(t, s, base)
	require.Equal(t, http.StatusOK, p.signIn(twilio, "staff", employee).status)
	a := p.signIn(twilio, "staff", stranger)
	require.Equal(t, http.StatusForbidden, a.status)
	require.Equal(t, "access_denied", a.text("error"))
}

func TestAFailedAuthenticationUsesUpNothing(t *testing.T) {
	s := realStores(t)
	twilio, base := standIn(t)
	p := serve(t, s, base)
	start := map[string]string{"client_id": "web", "connection": "sms", "phone_number": stranger}
	require.Equal(t, "invalid_client", p.post("/passwordless/start", start).text("error"))
	start["client_secret"] = "web-secret-for-tests-only"
	require.Equal(t, http.StatusOK, p.post("/passwordless/start", start).status)
	request := tokenRequest("web", stranger, code(t, twilio, stranger, 0))
	for range 20 {
		request["client_secret"] = "wrong"
		require.Equal(t, http.StatusUnauthorized, p.post("/oauth/token", request).status)
	}
	request["client_secret"] = "web-secret-for-tests-only"
	require.Equal(t, http.StatusOK, p.post("/oauth/token", request).status)
}
