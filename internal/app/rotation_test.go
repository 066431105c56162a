package app_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	stdsql "database/sql"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/lestrrat-go/jwx/v2/jwa"
	"github.com/lestrrat-go/jwx/v2/jwk"
	"github.com/lestrrat-go/jwx/v2/jws"
	"github.com/stretchr/testify/require"

	"github.com/latchkey-id/latchkey/internal/testservers"
)

// byHand are settings under which keys move only when a command says so, within seconds.
func byHand(s stores, twilio string, more ...string) []string {
	return append(append(s.environ(twilio), "LATCHKEY_KEYS_REHEARSAL=true", "LATCHKEY_KEYS_ROTATE_EVERY=0",
		"LATCHKEY_KEYS_PUBLISH_BEFORE=1s", "LATCHKEY_KEYS_KEEP_AFTER=10s"), more...)
}

// keySet is a JWKS as somebody fetched it.
type keySet struct {
	etag string
	keys map[string]jwk.Key
	kids []string // in the order of the document
}

// fetchKeys fetches a replica's JWKS as it is served to verifiers, and says what is wrong with it. With a set
// that was fetched before, it asks whether that is still good.
func fetchKeys(ctx context.Context, p *program, before keySet, header ...string) (keySet, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, p.base+"/.well-known/jwks.json", nil)
	if err != nil {
		return before, err
	}
	if before.etag != "" {
		request.Header.Set("If-None-Match", before.etag)
	}
	for i := 0; i < len(header); i += 2 {
		request.Header.Set(header[i], header[i+1])
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return before, fmt.Errorf("%w: %w", errUnreachable, err)
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return before, fmt.Errorf("%w: %w", errUnreachable, err)
	}
	etag := response.Header.Get("ETag")
	if etag == "" || !strings.HasPrefix(response.Header.Get("Cache-Control"), "public, max-age=") {
		return before, fmt.Errorf("JWKS answered %d with ETag %q and Cache-Control %q", response.StatusCode, etag, response.Header.Get("Cache-Control"))
	}
	switch {
	case response.StatusCode == http.StatusNotModified && etag == before.etag && len(text) == 0:
		return before, nil
	case response.StatusCode != http.StatusOK || etag == before.etag:
		return before, fmt.Errorf("JWKS answered %d with ETag %s to %s: %.200q", response.StatusCode, etag, before.etag, text)
	}
	return readKeys(text, etag)
}

// errUnreachable says that a replica gave no answer.
var errUnreachable = errors.New("unreachable")

// readKeys demands of a JWKS what verifiers rely on: alg, use and a kid for each key, and nothing private.
func readKeys(text []byte, etag string) (keySet, error) {
	set := keySet{etag: etag, keys: map[string]jwk.Key{}}
	var document struct{ Keys []map[string]any }
	if err := json.Unmarshal(text, &document); err != nil {
		return set, err
	}
	for _, members := range document.Keys {
		for _, private := range []string{"d", "p", "q", "dp", "dq", "qi", "oth", "k"} {
			if _, ok := members[private]; ok {
				return set, fmt.Errorf("the JWKS has a private member %s", private)
			}
		}
		one, err := json.Marshal(members)
		if err != nil {
			return set, err
		}
		key, err := jwk.ParseKey(one)
		if err != nil {
			return set, err
		}
		if key.KeyID() == "" || key.KeyUsage() != "sig" || key.Algorithm().String() == "" || set.keys[key.KeyID()] != nil {
			return set, fmt.Errorf("a key without kid, alg or use, or twice: %s", one)
		}
		set.keys[key.KeyID()] = key
		set.kids = append(set.kids, key.KeyID())
	}
	return set, nil
}

var (
	errUnknownKey = errors.New("unknown key")
	errForged     = errors.New("forged")
)

// verify checks a token as a service does.
func (s keySet) verify(token string) error {
	header, body, err := peek(token)
	if err != nil {
		return err
	}
	key, ok := s.keys[header.KID]
	if !ok {
		return fmt.Errorf("%w %s", errUnknownKey, header.KID)
	}
	if header.Alg != key.Algorithm().String() {
		return fmt.Errorf("%w: %s with a key for %s", errForged, header.Alg, key.Algorithm())
	}
	if _, err := jws.Verify([]byte(token), jws.WithKey(jwa.SignatureAlgorithm(header.Alg), key)); err != nil {
		return fmt.Errorf("%w: %w", errForged, err)
	}
	if time.Now().Unix() >= body.Exp {
		return errors.New("expired")
	}
	return nil
}

type tokenHeader struct{ Alg, KID string }

type tokenBody struct{ Exp int64 }

// peek reads a token without checking it.
func peek(token string) (header tokenHeader, body tokenBody, err error) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return header, body, fmt.Errorf("%d segments", len(parts))
	}
	for i, into := range []any{&header, &body} {
		text, err := base64.RawURLEncoding.DecodeString(parts[i])
		if err != nil {
			return header, body, err
		}
		if err := json.Unmarshal(text, into); err != nil {
			return header, body, err
		}
	}
	return header, body, nil
}

func kidOf(t *testing.T, token string) string {
	t.Helper()
	header, _, err := peek(token)
	require.NoError(t, err)
	return header.KID
}

// forgeries are tokens that look like a good one.
func forgeries(token string) []string {
	parts := strings.Split(token, ".")
	header, _, _ := peek(token)
	text, _ := base64.RawURLEncoding.DecodeString(parts[1])
	promoted := base64.RawURLEncoding.EncodeToString(bytes.Replace(text, []byte(`"exp":1`), []byte(`"exp":2`), 1))
	unsigned := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none","kid":"` + header.KID + `"}`))
	signature := []byte(parts[2])
	signature[0] = 'A' + (signature[0]-'A'+1)%26
	return append(bySomebodyElse(header, parts[1]),
		parts[0]+"."+promoted+"."+parts[2], unsigned+"."+parts[1]+".", parts[0]+"."+parts[1]+"."+string(signature))
}

// bySomebodyElse signs a token's body under its kid with other keys, and by its public key's name as a secret.
func bySomebodyElse(header tokenHeader, body string) []string {
	payload, _ := base64.RawURLEncoding.DecodeString(body)
	var forged []string
	for _, with := range []struct {
		algorithm jwa.SignatureAlgorithm
		key       any
	}{{jwa.ES256, otherKeys.es}, {jwa.EdDSA, otherKeys.ed}, {jwa.RS256, otherKeys.rs}, {jwa.HS256, []byte(header.KID)}} {
		headers := jws.NewHeaders()
		_ = headers.Set(jws.KeyIDKey, header.KID)
		_ = headers.Set(jws.TypeKey, "at+jwt")
		if token, err := jws.Sign(payload, jws.WithKey(with.algorithm, with.key, jws.WithProtectedHeaders(headers))); err == nil {
			forged = append(forged, string(token))
		}
	}
	return forged
}

// otherKeys are somebody else's.
var otherKeys = func() (k struct {
	es *ecdsa.PrivateKey
	ed ed25519.PrivateKey
	rs *rsa.PrivateKey
}) {
	k.es, _ = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	_, k.ed, _ = ed25519.GenerateKey(rand.Reader)
	k.rs, _ = rsa.GenerateKey(rand.Reader, 2048)
	return k
}()

// fleet are the replicas that a load balancer knows.
type fleet struct {
	mu    sync.Mutex
	up    []*program
	turns int
}

func (f *fleet) set(up ...*program) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.up = up
}

// next takes turns.
func (f *fleet) next() *program {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.turns++
	return f.up[f.turns%len(f.up)]
}

func (f *fleet) all() []*program {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.up)
}

// resourceServer verifies tokens with a cache of its own habit.
type resourceServer struct {
	name  string
	fleet *fleet
	// cooldown is how soon after a fetch an unknown kid makes another; 0 never does.
	cooldown time.Duration
	// always fetches for every token.
	always bool

	mu      sync.Mutex
	set     keySet
	fetched time.Time
	fetches int
}

// fetch refreshes the cache; of a replica that is gone it asks the next one, as a load balancer would.
func (r *resourceServer) fetch(ctx context.Context) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.fetchLocked(ctx)
}

func (r *resourceServer) fetchLocked(ctx context.Context) error {
	var err error
	for range 4 {
		var set keySet
		if set, err = fetchKeys(ctx, r.fleet.next(), r.set); !errors.Is(err, errUnreachable) {
			r.set, r.fetched = set, time.Now()
			r.fetches++
			return err
		}
	}
	return err
}

func (r *resourceServer) verify(ctx context.Context, token string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.always {
		if err := r.fetchLocked(ctx); err != nil {
			return err
		}
	}
	err := r.set.verify(token)
	if errors.Is(err, errUnknownKey) && r.cooldown > 0 && time.Since(r.fetched) >= r.cooldown {
		if err := r.fetchLocked(ctx); err != nil {
			return err
		}
		err = r.set.verify(token)
	}
	return err
}

// complaints gathers what goes wrong in the background.
type complaints struct {
	mu  sync.Mutex
	all []string
	n   int
}

func (c *complaints) say(format string, args ...any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.n++; c.n <= 10 {
		c.all = append(c.all, fmt.Sprintf(format, args...))
	}
}

func (c *complaints) none(t *testing.T) {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	require.Empty(t, c.all, "%d complaints", c.n)
}

// database opens the record by another door.
func database(t *testing.T, s stores) *stdsql.DB {
	t.Helper()
	db, err := stdsql.Open("pgx", s.database)
	require.NoError(t, err)
	db.SetMaxOpenConns(3)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	return db
}

// currentKeys are the kids that sign, by algorithm.
func currentKeys(ctx context.Context, db *stdsql.DB) (map[string]string, error) {
	rows, err := db.QueryContext(ctx, "SELECT algorithm, kid FROM signing_keys WHERE state = 'current'")
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	current := map[string]string{}
	for rows.Next() {
		var algorithm, kid string
		if err := rows.Scan(&algorithm, &kid); err != nil {
			return nil, err
		}
		if current[algorithm] != "" {
			return nil, fmt.Errorf("two current keys for %s", algorithm)
		}
		current[algorithm] = kid
	}
	return current, rows.Err()
}

// person is somebody who stays signed in at a client, on whatever replica.
type person struct{ client, refresh string }

// refreshed gets new tokens by one of the replicas.
func (who *person) refreshed(f *fleet) (tokens []string, err error) {
	for range 4 {
		body := formOf(map[string]string{"grant_type": "refresh_token", "client_id": who.client, "refresh_token": who.refresh})
		a, failed := f.next().send(http.MethodPost, "/oauth/token", "application/x-www-form-urlencoded", strings.NewReader(body))
		if failed != nil { // a replica is gone: the token may be used again
			err = failed
			continue
		}
		if a.status != http.StatusOK {
			return nil, fmt.Errorf("refresh at %s: %d %v", who.client, a.status, a.body)
		}
		who.refresh = a.text("refresh_token")
		return []string{a.text("access_token"), a.text("id_token")}, nil
	}
	return nil, err
}

// soak is a busy day of two replicas, their clients and their verifiers.
type soak struct {
	complaints
	fleet   fleet
	servers []*resourceServer
	checks  atomic.Int64

	mu     sync.Mutex
	tokens []string
	signed map[string]map[string]bool // kids of tokens by algorithm
}

func (s *soak) keep(token string) {
	header, _, err := peek(token)
	if err != nil {
		s.say("%v", err)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tokens = append(s.tokens, token)
	if s.signed[header.Alg] == nil {
		s.signed[header.Alg] = map[string]bool{}
	}
	s.signed[header.Alg][header.KID] = true
}

func (s *soak) kept() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.tokens)
}

// check demands that everybody accepts a token.
func (s *soak) check(ctx context.Context, token, when string) {
	for _, r := range s.servers {
		s.checks.Add(1)
		if err := r.verify(ctx, token); err != nil && ctx.Err() == nil {
			s.say("%s refuses a good token %s: %v", r.name, when, err)
		}
	}
}

// look checks old tokens again and again, at verifiers and at the replicas, and forged ones.
func (s *soak) look(ctx context.Context) {
	for round := 0; ctx.Err() == nil && round < 1000; round++ {
		all := s.kept()
		for i := round % 7; i < len(all) && ctx.Err() == nil; i += 7 {
			for _, r := range s.servers {
				if r.always && i%5 != 0 {
					continue
				}
				s.checks.Add(1)
				if err := r.verify(ctx, all[i]); err != nil && ctx.Err() == nil {
					s.say("%s refuses a good token later: %v", r.name, err)
				}
			}
		}
		if len(all) > 0 {
			s.lookClosely(ctx, all[round*13%len(all)&^1]) // an access token
		}
		time.Sleep(50 * time.Millisecond)
	}
}

func (s *soak) lookClosely(ctx context.Context, access string) {
	for _, forged := range forgeries(access) {
		for _, r := range s.servers {
			if err := r.verify(ctx, forged); err == nil {
				s.say("%s accepts a forged token: %s", r.name, forged)
			}
		}
	}
	basic := "Basic " + base64.StdEncoding.EncodeToString([]byte("web:web-secret-for-tests-only"))
	for _, p := range s.fleet.all() {
		for token, want := range map[string]int{access: http.StatusOK, forgeries(access)[0]: http.StatusUnauthorized} {
			a, err := p.send(http.MethodGet, "/userinfo", "", nil, "Authorization", "Bearer "+token)
			if err == nil && a.status != want {
				s.say("/userinfo: %d, want %d", a.status, want)
			}
			b, err := p.send(http.MethodPost, "/oauth/introspect", "application/x-www-form-urlencoded",
				strings.NewReader(formOf(map[string]string{"token": token})), "Authorization", basic)
			if err == nil && (b.status != http.StatusOK || b.body["active"] != (want == http.StatusOK)) {
				s.say("introspection: %d %v, want %v", b.status, b.body, want == http.StatusOK)
			}
		}
		if err := s.checkList(ctx, p, access); err != nil && !errors.Is(err, errUnreachable) && ctx.Err() == nil {
			s.say("status list: %v", err)
		}
	}
}

// checkList verifies the status list of a token, from one replica, by the keys of another.
func (s *soak) checkList(ctx context.Context, p *program, access string) error {
	text, err := statusList(ctx, p, access)
	if err != nil {
		return err
	}
	set, err := fetchKeys(ctx, s.fleet.next(), keySet{})
	if err != nil {
		return err
	}
	return set.verify(text)
}

// statusList fetches the status list that a token names.
func statusList(ctx context.Context, p *program, access string) (string, error) {
	text, err := base64.RawURLEncoding.DecodeString(strings.Split(access, ".")[1])
	if err != nil {
		return "", err
	}
	var body struct {
		Status struct {
			StatusList struct{ URI string } `json:"status_list"`
		}
	}
	if err := json.Unmarshal(text, &body); err != nil {
		return "", err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, p.base+"/"+strings.TrimPrefix(body.Status.StatusList.URI, issuer), nil)
	if err != nil {
		return "", err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return "", fmt.Errorf("%w: %w", errUnreachable, err)
	}
	defer func() { _ = response.Body.Close() }()
	token, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("%d %s", response.StatusCode, token)
	}
	return string(token), err
}

// Keys rotate every few seconds under two replicas, one with a wrong clock and one that is killed, and no
// verifier, however it caches, refuses a token that is good.
func TestRotationBreaksNoVerifier(t *testing.T) {
	testservers.NeedReal(t)
	const (
		length        = 22 * time.Second
		killedAt      = 8 * time.Second
		wantRotations = 3
	)
	stored := realStores(t)
	twilio, base := standIn(t)
	environ := append(stored.environ(base), "LATCHKEY_KEYS_REHEARSAL=true", "LATCHKEY_KEYS_ROTATE_EVERY=4s",
		"LATCHKEY_KEYS_PUBLISH_BEFORE=3s", "LATCHKEY_KEYS_KEEP_AFTER=10s")
	ahead := startAt(t, func() time.Time { return time.Now().Add(30 * time.Second) }, environ, "serve", "--config", settingsFile(t)).awaitServing()
	mortal, process := childOf(t, environ)
	s := &soak{signed: map[string]map[string]bool{}}
	s.fleet.set(ahead, mortal)
	s.servers = []*resourceServer{
		{name: "one that fetches for an unknown kid", fleet: &s.fleet, cooldown: time.Second},
		{name: "one that fetches by the clock", fleet: &s.fleet},
		{name: "one that fetches for each token", fleet: &s.fleet, always: true},
	}
	var people []*person
	for i, client := range []string{"app", "es", "ed"} {
		tokens := ahead.stay(twilio, client, fmt.Sprintf("+4477009002%02d", i))
		people = append(people, &person{client, tokens.text("refresh_token")})
	}
	for _, r := range s.servers {
		require.NoError(t, r.fetch(t.Context()))
	}
	db := database(t, stored)
	first, err := currentKeys(t.Context(), db)
	require.NoError(t, err)

	ctx, cancel := context.WithCancel(t.Context())
	var background sync.WaitGroup
	defer background.Wait()
	defer cancel()
	background.Go(func() { s.look(ctx) })
	background.Go(func() { // the one that fetches by the clock
		for range time.Tick(time.Second) {
			if ctx.Err() != nil {
				return
			}
			if err := s.servers[1].fetch(ctx); err != nil && ctx.Err() == nil {
				s.say("fetch by the clock: %v", err)
			}
		}
	})
	rotations := map[string]map[string]bool{}
	background.Go(func() {
		for ctx.Err() == nil {
			current, err := currentKeys(ctx, db)
			if ctx.Err() != nil {
				return
			}
			if err != nil || !slices.Equal(slices.Sorted(maps.Keys(current)), []string{"ES256", "EdDSA", "RS256"}) {
				s.say("current keys: %v, %v", current, err)
			}
			for algorithm, kid := range current {
				if rotations[algorithm] == nil {
					rotations[algorithm] = map[string]bool{}
				}
				rotations[algorithm][kid] = true
			}
			time.Sleep(20 * time.Millisecond)
		}
	})

	begun, killed, minted := time.Now(), false, 0
	for n := 0; n < 2000 && time.Since(begun) < length; n++ {
		who := people[n%len(people)]
		tokens, err := who.refreshed(&s.fleet)
		require.NoError(t, err)
		for _, token := range tokens {
			minted++
			s.keep(token)
			s.check(ctx, token, "at once")
		}
		if !killed && time.Since(begun) > killedAt {
			killed = true
			require.NoError(t, process.Process.Signal(syscall.SIGKILL))
			_ = process.Wait()
			s.fleet.set(ahead)
			// As if it had been silent for long enough to be taken for gone.
			_, err := db.ExecContext(t.Context(), "UPDATE replicas SET seen_at = seen_at - 15000000 WHERE id = (SELECT id FROM replicas ORDER BY started_at DESC LIMIT 1)")
			require.NoError(t, err)
			background.Go(func() {
				again, _ := childOf(t, environ)
				s.fleet.set(ahead, again)
			})
		}
		time.Sleep(20 * time.Millisecond)
	}
	up := len(s.fleet.all())
	cancel()
	background.Wait()
	s.none(t)
	require.Equal(t, 2, up, "the replica that was killed is back")
	for _, algorithm := range []string{"RS256", "ES256", "EdDSA"} {
		require.GreaterOrEqual(t, len(rotations[algorithm])-1, wantRotations, "rotations of %s", algorithm)
		require.GreaterOrEqual(t, len(s.signed[algorithm])-1, wantRotations, "keys of %s that signed", algorithm)
	}
	require.Subset(t, slices.Collect(maps.Keys(rotations["ES256"])), slices.Collect(maps.Keys(s.signed["ES256"])), "only a current key signs")
	auditIsWhole(t, stored, first, rotations)
	t.Logf("%d tokens, %d checks, %d/%d/%d rotations, fetches %d/%d/%d", minted, s.checks.Load(),
		len(rotations["RS256"])-1, len(rotations["ES256"])-1, len(rotations["EdDSA"])-1,
		s.servers[0].fetches, s.servers[1].fetches, s.servers[2].fetches)
}

// A replica whose clock is wrong by minutes changes nothing, and does not keep others from it.
func TestRotationBesideAWrongClock(t *testing.T) {
	s := realStores(t)
	_, base := standIn(t)
	environ := append(byHand(s, base), "LATCHKEY_KEYS_ROTATE_EVERY=1s")
	wrong := startAt(t, func() time.Time { return time.Now().Add(10 * time.Minute) }, environ, "serve", "--config", settingsFile(t)).awaitServing()
	first, err := currentKeys(t.Context(), database(t, s))
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		return strings.Contains(wrong.stderr.String(), "our clock and the database's are 10m0s apart")
	}, 8*time.Second, 20*time.Millisecond)
	start(t, environ, "serve", "--config", settingsFile(t)).awaitServing()
	require.Eventually(t, func() bool {
		now, err := currentKeys(t.Context(), database(t, s))
		require.NoError(t, err)
		return !slices.ContainsFunc(slices.Collect(maps.Keys(first)), func(a string) bool { return now[a] == first[a] })
	}, 15*time.Second, 50*time.Millisecond, "nobody rotates the keys")
}

// auditIsWhole demands that each key that signed was staged, activated and, but for the last, replaced, once.
func auditIsWhole(t *testing.T, s stores, first map[string]string, signed map[string]map[string]bool) {
	t.Helper()
	events := map[string]map[string]int{}
	for _, kind := range []string{"key.created", "key.staged", "key.activated", "key.replaced"} {
		events[kind] = map[string]int{}
		for _, e := range auditOf(t, s, kind) {
			var detail struct{ KID string }
			require.NoError(t, json.Unmarshal([]byte(e.detail), &detail))
			require.Equal(t, "system", e.actor)
			events[kind][detail.KID]++
		}
	}
	current, err := currentKeys(t.Context(), database(t, s))
	require.NoError(t, err)
	for algorithm, kids := range signed {
		for kid := range kids {
			if kid == first[algorithm] {
				require.Equal(t, 1, events["key.created"][kid]+events["key.staged"][kid], "%s is made", kid)
			} else {
				require.Equal(t, 1, events["key.staged"][kid], "%s is staged", kid)
				require.Equal(t, 1, events["key.activated"][kid], "%s is activated", kid)
			}
			if kid != current[algorithm] {
				require.Equal(t, 1, events["key.replaced"][kid], "%s is replaced", kid)
			}
		}
	}
}
