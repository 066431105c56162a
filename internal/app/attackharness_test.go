package app_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// attacked are the settings of a server that meets strangers: a proxy names where they come from, and every limit
// is the default but for those that more rounds than one would meet.
const attacked = `
issuer: https://id.example.com/
listen: 127.0.0.1:0
admin: {listen: "127.0.0.1:0"}
ops: {listen: "127.0.0.1:0"}
secret_key: ` + secretKey + `
phone: {allow_fictional: true}
trusted_proxies: [127.0.0.1]
company_networks: [198.51.100.0/24]
sms:
  countries: [GB]
  strangers: {per_hour: 0, per_day: 0, per_block_hour: 0}
  volume: {per_country_day: 0, per_country_day_person: 0, per_minute: 0, per_minute_percent: 0, per_day: 0, per_day_person: 0}
shutdown_timeout: 10s
clients:
  app: {algorithm: ES256, audiences: [https://api.example.com], grants: [passwordless, legacy_ro]}
`

// office is an address of attacked's company network.
const office = "198.51.100.7"

// unmetered lifts T3 and T4: what hangs on one number is then all that stops a guess.
const unmetered = attacked + `
limits:
  source: {guesses_per_hour: 0, numbers_per_hour: 0, starts_per_ten_minutes: 0, starts_per_hour: 0}
  all: {guesses_per_hour: 0, guesses_percent: 0}
`

// serveWith starts a replica with settings of its own.
func serveWith(t *testing.T, s stores, twilio, settings string) *program {
	t.Helper()
	return start(t, s.environ(twilio), "serve", "--config", file(t, "latchkey.yaml", settings)).awaitServing()
}

// crowdClient keeps a connection for each of many simultaneous callers.
func crowdClient(t *testing.T, callers int) *http.Client {
	t.Helper()
	transport := &http.Transport{MaxIdleConnsPerHost: callers, MaxIdleConns: 0}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

// caller asks one replica from one address.
type caller struct {
	http    *http.Client
	base    string
	address string
}

func (c caller) form(ctx context.Context, path string, params map[string]string) (answer, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, c.base+path, strings.NewReader(formOf(params)))
	if err != nil {
		return answer{}, err
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("X-Forwarded-For", c.address)
	response, err := c.http.Do(r)
	if err != nil {
		return answer{}, err
	}
	defer func() { _ = response.Body.Close() }()
	a := answer{status: response.StatusCode, header: response.Header}
	if err := json.NewDecoder(response.Body).Decode(&a.body); err != nil {
		return answer{}, fmt.Errorf("%s answered %d without JSON: %w", path, response.StatusCode, err)
	}
	return a, nil
}

func (c caller) ask(ctx context.Context, number string) (answer, error) {
	return c.form(ctx, "/passwordless/start", map[string]string{"client_id": "app", "connection": "sms", "phone_number": number})
}

// guess tries a code at /oauth/token or, at the old door, /oauth/ro.
func (c caller) guess(ctx context.Context, number, code string, old bool) (answer, error) {
	if old {
		return c.form(ctx, "/oauth/ro", map[string]string{
			"client_id": "app", "connection": "sms", "grant_type": "password", "username": number, "password": code, "scope": "openid",
		})
	}
	return c.form(ctx, "/oauth/token", tokenRequest("app", number, code))
}

// fate is what became of a guess.
type fate string

const (
	won         fate = "won"          // the code was right
	wrong       fate = "wrong"        // compared
	spentCode   fate = "spent"        // not compared: C4
	spentNumber fate = "blocked"      // not compared: T1, T3
	away        fate = "unavailable"  // not compared: a store is away
	unexpected  fate = "unexpected: " // and what it was
)

func fateOf(a answer, err error) fate {
	text := a.text("error_description")
	switch {
	case err != nil:
		return unexpected + fate(err.Error())
	case a.status == http.StatusOK:
		return won
	case text == wrongText:
		return wrong
	case text == tooManyTxt:
		return spentCode
	case a.status == http.StatusTooManyRequests:
		return spentNumber
	case a.status == http.StatusServiceUnavailable:
		return away
	}
	return unexpected + fate(fmt.Sprint(a.status, a.body))
}

// shot is one guess of a barrage.
type shot struct {
	from caller
	code string
	old  bool
}

// result is a shot and what became of it.
type result struct {
	shot
	fate fate
}

// barrage fires all shots at a number at once. heard, if set, is told of each answer as it comes.
func barrage(t *testing.T, number string, shots []shot, heard func(fate)) []result {
	t.Helper()
	results := make([]result, len(shots))
	gate := make(chan struct{})
	var firing sync.WaitGroup
	for i, each := range shots {
		firing.Go(func() {
			<-gate
			o := fateOf(each.from.guess(t.Context(), number, each.code, each.old))
			if heard != nil {
				heard(o)
			}
			results[i] = result{each, o}
		})
	}
	close(gate)
	firing.Wait()
	for _, r := range results {
		require.NotContains(t, string(r.fate), string(unexpected))
	}
	return results
}

// tally counts outcomes, of one address or, with an empty one, of all.
func tally(results []result, address string) map[fate]int {
	n := map[fate]int{}
	for _, r := range results {
		if address == "" || r.from.address == address {
			n[r.fate]++
		}
	}
	return n
}

// otherThan returns a code that is not the right one.
func otherThan(right string, i int) string {
	if wrong := fmt.Sprintf("%06d", i); wrong != right {
		return wrong
	}
	return "999999"
}
