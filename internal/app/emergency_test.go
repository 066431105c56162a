package app_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-id/latchkey/internal/testservers"
)

// crossfire makes tokens at each of two replicas without a pause, and verifies each at once by the keys of the other.
// A token of a key that has been withdrawn meanwhile may be refused; any other may not.
type crossfire struct {
	complaints

	mu        sync.Mutex
	made      int
	withdrawn []string
	// late is when the last token was made by a key that is withdrawn.
	late time.Time
}

func (c *crossfire) withdraw(kid string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.withdrawn = append(c.withdrawn, kid)
}

// isLate reports whether a key was withdrawn, and notes that it signs on.
func (c *crossfire) isLate(kid string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	late := slices.Contains(c.withdrawn, kid)
	if late {
		c.late = time.Now()
	}
	return late
}

// between fires until the function that it returns is called.
func (c *crossfire) between(t *testing.T, replicas []*program, tokens []answer) (cease func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var background sync.WaitGroup
	for i := range replicas {
		who := person{claims(t, tokens[i].text("access_token"))["client_id"].(string), tokens[i].text("refresh_token")}
		background.Go(func() { c.run(ctx, who, replicas[i], replicas[1-i]) })
	}
	cease = func() { cancel(); background.Wait() }
	t.Cleanup(cease)
	return cease
}

func (c *crossfire) run(ctx context.Context, who person, here, there *program) {
	f := &fleet{up: []*program{here}}
	for n := 0; ctx.Err() == nil && n < 5000; n++ {
		tokens, err := who.refreshed(f)
		if err != nil {
			c.say("%v", err)
			return
		}
		set, err := fetchKeys(ctx, there, keySet{})
		if err != nil {
			if ctx.Err() == nil {
				c.say("%v", err)
			}
			return
		}
		c.mu.Lock()
		c.made++
		c.mu.Unlock()
		for _, token := range tokens {
			header, _, err := peek(token)
			if err != nil {
				c.say("%v", err)
			}
			if err := set.verify(token); !c.isLate(header.KID) && err != nil {
				c.say("a new token is refused by the keys of the other replica: %v", err)
			}
		}
	}
}

// revocation is `latchkey keys revoke`, and what it prints for scripts.
func revoke(t *testing.T, environ []string, args ...string) (code int, done change, stderr string) {
	t.Helper()
	return changeKeys(t, environ, append([]string{"revoke", "--reason", "it leaked", "--yes"}, args...)...)
}

// change is what commands that change keys print for scripts.
type change struct {
	DryRun     bool `json:"dry_run"`
	Changed    bool
	Steps      []struct{ KID, Alg, From, To string }
	Says       []string
	Objections []string
	Servers    []struct {
		ID       string
		UpToDate bool `json:"up_to_date"`
	}
}

func changeKeys(t *testing.T, environ []string, args ...string) (code int, done change, stderr string) {
	t.Helper()
	code, stdout, stderr := command(t, environ, append(append([]string{"keys"}, args...), "--output", "json", "--config", settingsFile(t))...)
	if stdout != "" {
		require.NoError(t, json.Unmarshal([]byte(stdout), &done), stdout)
	}
	return code, done, stderr
}

// staged publishes a next key for each algorithm named.
func stage(t *testing.T, environ []string, algorithms ...string) {
	t.Helper()
	args := []string{"stage", "--yes"}
	for _, a := range algorithms {
		args = append(args, "--algorithm", a)
	}
	code, done, stderr := changeKeys(t, environ, args...)
	require.Zero(t, code, stderr)
	require.True(t, done.Changed)
}

// A key leaked: within seconds it is gone from every replica, and no token that was made after is refused.
func TestEmergency(t *testing.T) {
	for _, tc := range []struct {
		name         string
		staged, deaf bool
		within       time.Duration
	}{
		{"with a next key", true, false, 5 * time.Second},
		{"without one", false, false, 10 * time.Second},
		{"without Redis", true, true, 6 * time.Second},
		{"without Redis and a next key", false, true, 10 * time.Second},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := realStores(t)
			var away *testservers.Server
			if tc.deaf {
				away = testservers.StartRedis(t)
				s.redis = away.DSN()
			}
			twilio, base := standIn(t)
			environ := byHand(s, base)
			replicas := make([]*program, 2)
			for i := range replicas {
				replicas[i] = start(t, environ, "serve", "--config", settingsFile(t)).awaitServing()
			}
			tokens := []answer{replicas[0].stay(twilio, "app", "+447700900301"), replicas[1].stay(twilio, "app", "+447700900302")}
			if tc.deaf {
				away.Kill()
			}
			if tc.staged {
				stage(t, environ)
				time.Sleep(1100 * time.Millisecond) // so that it may sign
			}
			leaked := kidOf(t, tokens[0].text("access_token"))
			c := &crossfire{}
			c.withdraw(leaked)
			cease := c.between(t, replicas, tokens)
			time.Sleep(200 * time.Millisecond)
			begun := time.Now()
			code, done, stderr := revoke(t, environ, leaked[:12])
			took := time.Since(begun)
			require.Zero(t, code, stderr)
			require.True(t, done.Changed)
			require.Len(t, done.Servers, 2)
			require.Less(t, took, tc.within)
			for i, p := range replicas { // the command waits for them
				require.True(t, done.Servers[i].UpToDate)
				set, err := fetchKeys(t.Context(), p, keySet{})
				require.NoError(t, err)
				require.NotContains(t, set.kids, leaked)
				for _, each := range tokens {
					require.Equal(t, map[string]any{"active": false}, p.introspect(each.text("access_token")))
					require.Equal(t, http.StatusUnauthorized, p.get("/userinfo", "Authorization", "Bearer "+each.text("access_token")).status)
				}
			}
			var listed time.Duration
			for _, p := range replicas {
				require.Eventually(t, func() bool {
					text, err := statusList(t.Context(), p, tokens[0].text("access_token"))
					return err == nil && kidOf(t, text) != leaked
				}, 3*time.Second, 2*time.Millisecond, "the status list is signed by a key that is gone")
				listed = time.Since(begun) - took
			}
			time.Sleep(300 * time.Millisecond)
			cease()
			c.none(t)
			require.Less(t, c.late.Sub(begun), took+50*time.Millisecond, "the leaked key signs on")
			require.Len(t, auditOf(t, s, "key.revoked"), 1)
			event := auditOf(t, s, "key.revoked")[0]
			require.Equal(t, "operator", event.reason)
			require.Contains(t, event.detail, leaked)
			require.Contains(t, event.detail, "it leaked")
			require.True(t, strings.HasPrefix(event.actor, "cli:"), event.actor)
			var sealed int
			require.NoError(t, database(t, s).QueryRowContext(t.Context(), "SELECT length(sealed) FROM signing_keys WHERE kid = $1", leaked).Scan(&sealed))
			require.Zero(t, sealed, "nobody needs the private key any more")
			t.Logf("revoked within %s, the list %s later; %d tokens made, the last by the leaked key %s after the command", took, listed, c.made, c.late.Sub(begun))
		})
	}
}

// A key that was published a moment ago, and that not every replica has noticed, must take over at once.
func TestEmergencyRightAfterStaging(t *testing.T) {
	s, environ, replicas, tokens := unwoken(t)
	c := &crossfire{}
	cease := c.between(t, replicas, tokens)
	for range 4 {
		var staging sync.WaitGroup
		staging.Go(func() { _, _, _ = changeKeys(t, environ, "stage", "--algorithm", "ES256", "--yes") })
		db := database(t, s)
		require.Eventually(t, func() bool {
			var n int
			require.NoError(t, db.QueryRowContext(t.Context(), "SELECT count(*) FROM signing_keys WHERE state = 'next'").Scan(&n))
			return n == 1
		}, 5*time.Second, 2*time.Millisecond)
		current, err := currentKeys(t.Context(), db)
		require.NoError(t, err)
		c.withdraw(current["ES256"])
		code, _, stderr := revoke(t, environ, current["ES256"])
		require.Zero(t, code, stderr)
		staging.Wait()
	}
	cease()
	c.none(t)
}

// Ten operators hear of the leak at once, while keys rotate by themselves: each is told that the key is gone.
func TestEmergencyForTenOperators(t *testing.T) {
	s := realStores(t)
	_, base := standIn(t)
	environ := append(byHand(s, base), "LATCHKEY_KEYS_ROTATE_EVERY=2s")
	for range 2 {
		start(t, environ, "serve", "--config", settingsFile(t)).awaitServing()
	}
	for range 3 {
		current, err := currentKeys(t.Context(), database(t, s))
		require.NoError(t, err)
		for _, each := range tenAtOnce(t, environ, []string{"revoke", current["ES256"], "--yes", "--reason", "it leaked"}) {
			require.Zero(t, each.code, each.stdout+each.stderr)
		}
		after := listKeys(t, environ, "--all")
		i := slices.IndexFunc(after.Keys, func(k listedKey) bool { return k.KID == current["ES256"] })
		require.Equal(t, "revoked", after.Keys[i].State)
		after.find(t, "ES256", "current")
	}
	require.Len(t, auditOf(t, s, "key.revoked"), 3)
}

// unwoken are two replicas that nobody wakes, half a second apart, and two people at the client es.
func unwoken(t *testing.T) (stores, []string, []*program, []answer) {
	t.Helper()
	s := realStores(t)
	twilio, base := standIn(t)
	first := start(t, byHand(s, base), "serve", "--config", settingsFile(t)).awaitServing()
	tokens := []answer{first.stay(twilio, "es", "+447700900401"), first.stay(twilio, "es", "+447700900402")}
	first.stop()
	s.redis = "redis://127.0.0.1:1/0"
	environ := byHand(s, base)
	replicas := make([]*program, 2)
	for i := range replicas {
		replicas[i] = start(t, environ, "serve", "--config", settingsFile(t)).awaitServing()
		time.Sleep(500 * time.Millisecond)
	}
	return s, environ, replicas, tokens
}

// As long as a replica serves a key set, its status list can be verified by it.
func TestEmergencyKeepsStatusListsVerifiable(t *testing.T) {
	s := realStores(t)
	twilio, base := standIn(t)
	environ := byHand(s, base)
	p := start(t, environ, "serve", "--config", settingsFile(t)).awaitServing()
	access := p.stay(twilio, "app", "+447700900303").text("access_token")
	var worst time.Duration
	for round := range 3 {
		stage(t, environ)
		current, err := currentKeys(t.Context(), database(t, s))
		require.NoError(t, err)
		ctx, cancel := context.WithCancel(t.Context())
		var background sync.WaitGroup
		var bad, last time.Time
		background.Go(func() {
			for n := 0; ctx.Err() == nil && n < 5000; n++ {
				set, err := fetchKeys(ctx, p, keySet{})
				if err != nil {
					return
				}
				text, err := statusList(ctx, p, access) // after the keys: it is as new as they are, or newer
				if err != nil {
					return
				}
				if err := set.verify(text); errors.Is(err, errUnknownKey) && strings.Contains(err.Error(), current["RS256"]) {
					if last = time.Now(); bad.IsZero() {
						bad = last
					}
				}
			}
		})
		code, _, stderr := revoke(t, environ, current["RS256"])
		require.Zero(t, code, stderr)
		time.Sleep(1500 * time.Millisecond)
		cancel()
		background.Wait()
		if !bad.IsZero() {
			worst = max(worst, last.Sub(bad))
		}
		t.Logf("round %d: status list unverifiable for %s", round, last.Sub(bad))
	}
	require.Less(t, worst, 500*time.Millisecond)
}

// Ten replicas that start together on nothing agree, and so do ten more that bring an algorithm along.
func TestRotationOfManyReplicas(t *testing.T) {
	s := realStores(t)
	twilio, base := standIn(t)
	environ := append(byHand(s, base), "LATCHKEY_DATABASE_MAX_OPEN_CONNS=2")
	const ed = "  ed: {algorithm: EdDSA, audiences: [https://api.example.com]}\n"
	require.Contains(t, settings, ed)
	some := file(t, "some.yaml", strings.Replace(settings, ed, "", 1))
	var replicas []*program
	launch := func(config string) (started []*program) {
		for range 10 {
			started = append(started, start(t, environ, "serve", "--config", config))
		}
		for _, p := range started {
			p.awaitServing()
		}
		return started
	}
	alike := func(algorithms ...string) {
		require.Eventually(t, func() bool {
			etags := map[string]bool{}
			for _, p := range replicas {
				set, err := fetchKeys(t.Context(), p, keySet{})
				require.NoError(t, err)
				etags[set.etag] = true
			}
			return len(etags) == 1
		}, 5*time.Second, 50*time.Millisecond, "their keys differ")
		current, err := currentKeys(t.Context(), database(t, s))
		require.NoError(t, err)
		require.Len(t, current, len(algorithms))
		var total int
		require.NoError(t, database(t, s).QueryRowContext(t.Context(), "SELECT count(*) FROM signing_keys").Scan(&total))
		require.Equal(t, len(algorithms), total, "no key was made in vain")
		for _, a := range algorithms {
			require.Contains(t, current, a)
		}
	}
	replicas = launch(some)
	alike("RS256", "ES256")
	more := launch(settingsFile(t))
	token := more[0].signIn(twilio, "ed", "+447700900304").text("access_token")
	for i, p := range replicas {
		set, err := fetchKeys(t.Context(), p, keySet{})
		require.NoError(t, err)
		require.NoError(t, set.verify(token), "replica %d, which has no use for EdDSA itself", i)
	}
	replicas = append(replicas, more...)
	alike("RS256", "ES256", "EdDSA")
}

// A previous key leaves every JWKS, and its private half the record, when its last token has expired.
func TestRotationRetiresKeys(t *testing.T) {
	s := realStores(t)
	twilio, base := standIn(t)
	environ := append(byHand(s, base), "LATCHKEY_KEYS_KEEP_AFTER=5s")
	replicas := []*program{start(t, environ, "serve", "--config", settingsFile(t)).awaitServing(), start(t, environ, "serve", "--config", settingsFile(t)).awaitServing()}
	tokens := replicas[0].stay(twilio, "app", "+447700900305")
	old := kidOf(t, tokens.text("access_token"))
	stage(t, environ, "RS256")
	code, _, stderr := changeKeys(t, environ, "rotate", "--algorithm", "RS256", "--yes", "--force")
	require.Zero(t, code, stderr)
	for _, p := range replicas {
		require.Equal(t, true, p.introspect(tokens.text("access_token"))["active"])
	}
	// As if its tokens had lived for no time.
	db := database(t, s)
	_, err := db.ExecContext(t.Context(), "UPDATE signing_keys SET longest = 0 WHERE kid = $1", old)
	require.NoError(t, err)
	_, err = db.ExecContext(t.Context(), "UPDATE key_set SET revision = revision + 1")
	require.NoError(t, err)
	begun := time.Now()
	for _, p := range replicas {
		require.Eventually(t, func() bool {
			set, err := fetchKeys(t.Context(), p, keySet{})
			require.NoError(t, err)
			return !slices.Contains(set.kids, old)
		}, 10*time.Second, 20*time.Millisecond)
		require.Equal(t, map[string]any{"active": false}, p.introspect(tokens.text("access_token")))
	}
	require.Greater(t, time.Since(begun), 2*time.Second, "it left too early")
	require.Len(t, auditOf(t, s, "key.retired"), 1)
	var state string
	var sealed, stopped, ended int64
	require.NoError(t, db.QueryRowContext(t.Context(), "SELECT state, length(sealed), stopped_at, ended_at FROM signing_keys WHERE kid = $1", old).Scan(&state, &sealed, &stopped, &ended))
	require.Equal(t, "retired", state)
	require.Zero(t, sealed)
	require.GreaterOrEqual(t, ended-stopped, (5 * time.Second).Microseconds())
}

// A database that was restored has lost its newest keys: the replicas say so and go on with what is there.
func TestRotationAfterARestore(t *testing.T) {
	s := realStores(t)
	twilio, base := standIn(t)
	environ := byHand(s, base)
	replicas := []*program{start(t, environ, "serve", "--config", settingsFile(t)).awaitServing(), start(t, environ, "serve", "--config", settingsFile(t)).awaitServing()}
	before := replicas[0].stay(twilio, "app", "+447700900306")
	db := database(t, s)
	for _, statement := range []string{
		"CREATE TABLE kept_keys AS SELECT * FROM signing_keys", "CREATE TABLE kept_set AS SELECT * FROM key_set",
	} {
		_, err := db.ExecContext(t.Context(), statement)
		require.NoError(t, err)
	}
	stage(t, environ)
	code, _, stderr := changeKeys(t, environ, "rotate", "--yes", "--force")
	require.Zero(t, code, stderr)
	lost := replicas[1].refresh("app", before.text("refresh_token"))
	kid := kidOf(t, lost.text("access_token"))
	require.NotEqual(t, kidOf(t, before.text("access_token")), kid)

	_, err := db.ExecContext(t.Context(), `BEGIN; DELETE FROM signing_keys; INSERT INTO signing_keys SELECT * FROM kept_keys;
		DELETE FROM key_set; INSERT INTO key_set SELECT * FROM kept_set; COMMIT`)
	require.NoError(t, err)
	fresh := lost
	for _, p := range replicas {
		require.Eventually(t, func() bool { return p.introspect(lost.text("access_token"))["active"] == false }, 4*time.Second, 20*time.Millisecond)
		require.Equal(t, http.StatusUnauthorized, p.get("/userinfo", "Authorization", "Bearer "+lost.text("access_token")).status)
		require.Equal(t, true, p.introspect(before.text("access_token"))["active"], "older tokens are good again, or still")
		require.Contains(t, p.stderr.String(), "the database has lost signing keys")
		require.Contains(t, p.stderr.String(), kid)
		require.Equal(t, http.StatusOK, p.ready())
		fresh = p.refresh("app", fresh.text("refresh_token"))
		require.Equal(t, http.StatusOK, fresh.status, fresh.body)
	}
	for _, p := range replicas {
		set, err := fetchKeys(t.Context(), p, keySet{})
		require.NoError(t, err)
		require.NoError(t, set.verify(fresh.text("access_token")))
		require.NotContains(t, p.stderr.String(), `"status":5`, "an error of ours")
	}
	stage(t, environ)
	code, _, stderr = changeKeys(t, environ, "rotate", "--yes", "--force")
	require.Zero(t, code, stderr)
}

// With the shortest times that a rehearsal allows, a server that hears from its database is ready.
func TestRotationInAHurry(t *testing.T) {
	s := realStores(t)
	twilio, base := standIn(t)
	hurry := append(byHand(s, base), "LATCHKEY_KEYS_ROTATE_EVERY=1s")
	code, _, stderr := command(t, append(slices.Clone(hurry), "LATCHKEY_KEYS_KEEP_AFTER=1s"), "keys", "list", "--config", settingsFile(t))
	require.Equal(t, 1, code, "it would be unready between any two looks at the database")
	require.Contains(t, stderr, "keys.keep_after")
	environ := append(hurry, "LATCHKEY_KEYS_KEEP_AFTER=5s")
	p := start(t, environ, "serve", "--config", settingsFile(t)).awaitServing()
	who, f := &person{"es", p.stay(twilio, "es", "+447700900308").text("refresh_token")}, &fleet{up: []*program{p}}
	for range 60 {
		_, err := who.refreshed(f)
		require.NoError(t, err)
		require.Equal(t, http.StatusOK, p.ready())
		time.Sleep(50 * time.Millisecond)
	}
}

// A replica that cannot ask which keys are good signs nothing after a while, and says that it is not ready.
func TestRotationUnseenForTooLong(t *testing.T) {
	s := realStores(t)
	twilio, base := standIn(t)
	environ := append(byHand(s, base), "LATCHKEY_KEYS_KEEP_AFTER=6s") // half of it
	p := start(t, environ, "serve", "--config", settingsFile(t)).awaitServing()
	tokens := p.stay(twilio, "app", "+447700900307")
	db := database(t, s)
	_, err := db.ExecContext(t.Context(), "ALTER TABLE key_set RENAME TO gone")
	require.NoError(t, err)
	begun := time.Now()
	require.Eventually(t, func() bool { return p.ready() == http.StatusServiceUnavailable }, 8*time.Second, 20*time.Millisecond)
	require.Greater(t, time.Since(begun), 1500*time.Millisecond, "it gave up too soon")
	a := p.refresh("app", tokens.text("refresh_token"))
	require.Equal(t, http.StatusServiceUnavailable, a.status, a.body)
	require.Equal(t, "temporarily_unavailable", a.text("error"))
	require.NotEmpty(t, a.header.Get("Retry-After"))
	_, err = fetchKeys(t.Context(), p, keySet{})
	require.NoError(t, err, "what there is stays published")
	require.Equal(t, true, p.introspect(tokens.text("access_token"))["active"])
	_, err = db.ExecContext(t.Context(), "ALTER TABLE gone RENAME TO key_set")
	require.NoError(t, err)
	require.Eventually(t, func() bool { return p.ready() == http.StatusOK }, 5*time.Second, 20*time.Millisecond)
	require.Equal(t, http.StatusOK, p.refresh("app", tokens.text("refresh_token")).status, "the refusal used up nothing")
}
