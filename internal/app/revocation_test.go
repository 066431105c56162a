package app_test

import (
	"bytes"
	"compress/zlib"
	stdsql "database/sql"
	"encoding/base64"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"
	"github.com/lestrrat-go/jwx/v2/jwk"
	"github.com/lestrrat-go/jwx/v2/jws"
	"github.com/stretchr/testify/require"

	"github.com/latchkey-id/latchkey/internal/devpage/sample"
)

// list fetches a status list from a replica and checks its signature.
func list(t *testing.T, p *program, uri string) (token, body map[string]any, raw string) {
	t.Helper()
	path, ours := strings.CutPrefix(uri, strings.TrimSuffix(issuer, "/"))
	require.True(t, ours, uri)
	response, err := http.Get(p.base + path)
	require.NoError(t, err)
	defer func() { _ = response.Body.Close() }()
	require.Equal(t, http.StatusOK, response.StatusCode)
	require.Equal(t, "application/statuslist+jwt", response.Header.Get("Content-Type"))
	text, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	set, err := jwk.Fetch(t.Context(), p.base+"/.well-known/jwks.json")
	require.NoError(t, err)
	_, err = jws.Verify(text, jws.WithKeySet(set))
	require.NoError(t, err)
	parts := strings.Split(string(text), ".")
	return decodeSegment(t, parts[0]), decodeSegment(t, parts[1]), string(text)
}

// statusOf reads a token's status from a replica's list, by the letter of the draft.
func statusOf(t *testing.T, p *program, access string) byte {
	t.Helper()
	place := claims(t, access)["status"].(map[string]any)["status_list"].(map[string]any)
	header, body, _ := list(t, p, place["uri"].(string))
	require.Equal(t, "statuslist+jwt", header["typ"])
	require.Equal(t, place["uri"], body["sub"])
	require.EqualValues(t, 15, body["ttl"])
	status := body["status_list"].(map[string]any)
	require.EqualValues(t, 1, status["bits"])
	compressed, err := base64.RawURLEncoding.DecodeString(status["lst"].(string))
	require.NoError(t, err)
	reader, err := zlib.NewReader(bytes.NewReader(compressed))
	require.NoError(t, err)
	bits, err := io.ReadAll(reader)
	require.NoError(t, err)
	index := int(place["idx"].(float64))
	require.Less(t, index/8, len(bits))
	return bits[index/8] >> (index % 8) & 1
}

func (p *program) introspect(token string) map[string]any {
	p.t.Helper()
	a, err := p.send(http.MethodPost, "/oauth/introspect", "application/x-www-form-urlencoded",
		strings.NewReader(formOf(map[string]string{"token": token})),
		"Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte("web:web-secret-for-tests-only")))
	require.NoError(p.t, err)
	require.Equal(p.t, http.StatusOK, a.status, a.body)
	return a.body
}

// event is a row of the audit.
type event struct{ actor, sid, reason, detail string }

func auditOf(t *testing.T, s stores, kind string) []event {
	t.Helper()
	db, err := stdsql.Open("pgx", s.database)
	require.NoError(t, err)
	defer func() { require.NoError(t, db.Close()) }()
	rows, err := db.QueryContext(t.Context(), "SELECT actor, sid, reason, detail FROM audit_events WHERE kind = $1 ORDER BY id", kind)
	require.NoError(t, err)
	defer func() { require.NoError(t, rows.Close()) }()
	var all []event
	for rows.Next() {
		var e event
		require.NoError(t, rows.Scan(&e.actor, &e.sid, &e.reason, &e.detail))
		all = append(all, e)
	}
	require.NoError(t, rows.Err())
	return all
}

// P4: HR's file lacks a person, and within 5 s nobody takes their tokens any more, on any replica.
func TestALeaverIsOutEverywhere(t *testing.T) {
	s := realStores(t)
	twilio, base := standIn(t)
	importSample(t, s)
	replicas := []*program{serve(t, s, base), serve(t, s, base)}
	tokens, others := replicas[0].stay(twilio, "app", employee), replicas[1].stay(twilio, "app", manager)
	for _, p := range replicas {
		require.Equal(t, true, p.introspect(tokens.text("access_token"))["active"])
		require.Zero(t, statusOf(t, p, tokens.text("access_token")))
	}
	var staff []string
	for line := range strings.Lines(string(sample.Staff())) {
		if !strings.Contains(line, "Amara Okafor") {
			staff = append(staff, line)
		}
	}
	code, stdout, stderr := command(t, s.environ(base), "hr", "import", "--config", settingsFile(t), file(t, "staff.csv", strings.Join(staff, "")))
	require.Zero(t, code, stdout+stderr)
	require.Contains(t, stdout, "Amara Okafor")
	for _, p := range replicas {
		refused(t, p.refresh("app", tokens.text("refresh_token")), userGoneTxt)
		require.Equal(t, map[string]any{"active": false}, p.introspect(tokens.text("access_token")))
		require.Equal(t, http.StatusUnauthorized, p.get("/userinfo", "Authorization", "Bearer "+tokens.text("access_token")).status)
		require.Eventually(t, func() bool { return statusOf(t, p, tokens.text("access_token")) == 1 }, 5*time.Second, 20*time.Millisecond)
		require.Zero(t, statusOf(t, p, others.text("access_token")), "nobody else's bit")
		require.Equal(t, true, p.introspect(others.text("access_token"))["active"])
	}
	require.Equal(t, http.StatusOK, replicas[0].refresh("app", others.text("refresh_token")).status)
	events := auditOf(t, s, "session.ended")
	require.Len(t, events, 1)
	require.Equal(t, "user_left", events[0].reason)
	require.Equal(t, "anonymous", claims(t, replicas[0].stay(twilio, "app", employee).text("access_token"))["tier"])
}

// The list of two replicas is one list, byte for byte, whatever their clocks say.
func TestReplicasServeOneList(t *testing.T) {
	s := realStores(t)
	twilio, base := standIn(t)
	ahead := startAt(t, func() time.Time { return time.Now().Add(30 * time.Second) }, s.environ(base), "serve", "--config", settingsFile(t)).awaitServing()
	right := serve(t, s, base)
	tokens := ahead.stay(twilio, "app", stranger)
	issued := claims(t, tokens.text("access_token"))
	require.LessOrEqual(t, issued["iat"].(float64), float64(time.Now().Unix()), "never in the future (J8)")

	again := right.refresh("app", tokens.text("refresh_token"))
	require.Equal(t, http.StatusOK, again.status, again.body)
	repeat := ahead.refresh("app", tokens.text("refresh_token"))
	require.Equal(t, again.text("refresh_token"), repeat.text("refresh_token"))
	require.Empty(t, auditOf(t, s, "refresh.repeated"), "a moment later by any clock is no late repeat")
	require.LessOrEqual(t, claims(t, repeat.text("access_token"))["iat"].(float64), float64(time.Now().Unix()))

	require.Equal(t, map[string]any{}, right.post("/oauth/revoke", map[string]string{"client_id": "app", "token": tokens.text("refresh_token")}).body)
	uri := issued["status"].(map[string]any)["status_list"].(map[string]any)["uri"].(string)
	require.Eventually(t, func() bool {
		_, body, one := list(t, ahead, uri)
		_, _, other := list(t, right, uri)
		require.LessOrEqual(t, body["iat"].(float64), float64(time.Now().Unix()))
		return one == other && statusOf(t, ahead, tokens.text("access_token")) == 1
	}, 5*time.Second, 20*time.Millisecond)
	for _, path := range []string{"/status-lists/never", "/status-lists/" + strings.Repeat("a", 4000)} {
		unknown := right.get(path)
		require.Equal(t, http.StatusNotFound, unknown.status)
		require.Equal(t, "not_found", unknown.text("error"))
	}
}

func TestStatusListsOff(t *testing.T) {
	s := realStores(t)
	twilio, base := standIn(t)
	p := serve(t, s, base)
	with := p.stay(twilio, "app", stranger)
	off := start(t, append(s.environ(base), "LATCHKEY_STATUS_LIST_ENABLED=false"), "serve", "--config", settingsFile(t)).awaitServing()
	without := off.stay(twilio, "app", "+447700900124")
	require.NotContains(t, claims(t, without.text("access_token")), "status")
	require.Zero(t, statusOf(t, off, with.text("access_token")), "tokens out there can still be checked")
	on := p.refresh("app", without.text("refresh_token"))
	require.Zero(t, statusOf(t, p, on.text("access_token")), "switched on again, a session gets its place with the next refresh")
}

func TestSigningOut(t *testing.T) {
	s := realStores(t)
	twilio, base := standIn(t)
	p := serve(t, s, base)
	here, there := p.stay(twilio, "app", stranger), p.stay(twilio, "es", stranger)
	require.Equal(t, http.StatusOK, p.post("/oauth/revoke", map[string]string{"client_id": "app", "token": there.text("refresh_token")}).status)
	require.Equal(t, http.StatusOK, p.refresh("es", there.text("refresh_token")).status, "another client's token is left alone")
	require.Equal(t, http.StatusOK, p.post("/oauth/revoke", map[string]string{"client_id": "app", "token": here.text("access_token")}).status)
	refused(t, p.refresh("app", here.text("refresh_token")), invalidRefreshTxt)
	require.Len(t, sessions(t, s, stranger), 1, "this device only")

	here = p.stay(twilio, "app", stranger)
	require.Equal(t, http.StatusOK, p.form("/oauth/revoke", map[string]string{
		"client_id": "app", "token": here.text("refresh_token"), "everywhere": "true",
	}).status)
	refused(t, p.refresh("app", here.text("refresh_token")), invalidRefreshTxt)
	refused(t, p.refresh("es", there.text("refresh_token")), invalidRefreshTxt)
	require.Empty(t, sessions(t, s, stranger))
}
