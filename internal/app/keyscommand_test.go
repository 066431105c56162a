package app_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-id/latchkey/internal/app"
)

// keysRun is a `latchkey keys` call with something typed.
func keysRun(t *testing.T, environ []string, typed string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	code = app.Run(t.Context(), append([]string{"keys"}, args...), app.Env{
		Version: "test", Environ: environ, Stdin: strings.NewReader(typed), Stdout: &out, Stderr: &errs,
	})
	return code, out.String(), errs.String()
}

// keyTable is all that the record says of keys, to compare.
func keyTable(t *testing.T, s stores) string {
	t.Helper()
	var all string
	require.NoError(t, database(t, s).QueryRowContext(t.Context(), `SELECT
		(SELECT coalesce(json_agg(k ORDER BY kid), '[]') FROM signing_keys k)::text || (SELECT json_agg(r) FROM key_set r)::text ||
		(SELECT count(*) FROM audit_events WHERE kind LIKE 'key.%')::text`).Scan(&all))
	return all
}

// keyList is `latchkey keys list` for scripts.
type keyList struct {
	Revision int64
	Keys     []listedKey
	Schedule []struct{ Action, Alg, KID string }
	Servers  []struct {
		ID       string
		UpToDate bool `json:"up_to_date"`
	}
	Verifiers []listedVerifier
}

type listedKey struct {
	KID, Alg, State, Origin, Reason string
	WrappedBy                       string `json:"wrapped_by"`
	Next                            string `json:"what_comes_next"`
}

type listedVerifier struct {
	Name, Source string
	Fetches      int
	Next         map[string]string `json:"next_keys"`
}

func listKeys(t *testing.T, environ []string, args ...string) keyList {
	t.Helper()
	code, stdout, stderr := command(t, environ, append([]string{"keys", "list", "--output", "json", "--config", settingsFile(t)}, args...)...)
	require.Zero(t, code, stderr)
	var all keyList
	require.NoError(t, json.Unmarshal([]byte(stdout), &all), stdout)
	return all
}

// find returns the key of an algorithm in a state.
func (l keyList) find(t *testing.T, algorithm, state string) listedKey {
	t.Helper()
	i := slices.IndexFunc(l.Keys, func(k listedKey) bool { return k.Alg == algorithm && k.State == state })
	require.GreaterOrEqual(t, i, 0, "no %s key is %s: %v", algorithm, state, l.Keys)
	return l.Keys[i]
}

// privateKey makes one as it would be made elsewhere.
func privateKey(t *testing.T) (text string, secrets []string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	der, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	d, err := key.Bytes()
	require.NoError(t, err)
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})),
		[]string{base64.RawURLEncoding.EncodeToString(d), hex.EncodeToString(d), base64.StdEncoding.EncodeToString(der)[40:100], new(big.Int).SetBytes(d).String()}
}

// Every way to call them: what they answer, and that a refusal changes nothing.
func TestKeysCommands(t *testing.T) {
	s := realStores(t)
	_, base := standIn(t)
	environ := byHand(s, base)
	config := settingsFile(t)
	importSample(t, s)

	var outputs strings.Builder
	run := func(typed string, args ...string) (int, string, string) {
		code, stdout, stderr := keysRun(t, environ, typed, append(args, "--config", config)...)
		outputs.WriteString(stdout + stderr)
		return code, stdout, stderr
	}
	for _, args := range [][]string{{"stage"}, {"rotate"}} {
		code, _, stderr := run("y\n", args...)
		require.Equal(t, 1, code)
		require.Contains(t, stderr, "there are no keys yet")
	}
	code, stdout, _ := run("", "list")
	require.Zero(t, code)
	require.Contains(t, stdout, "There are no keys yet")
	code, _, stderr := run("", "list", "--output", "xml")
	require.Equal(t, 2, code)
	require.Contains(t, stderr, "xml")
	require.Empty(t, listKeys(t, environ).Keys)
	start(t, environ, "serve", "--config", config).awaitServing().stop()

	secrets := []string{secretKey, strings.TrimRight(secretKey, "="), "PRIVATE"}
	known, hidden := privateKey(t)
	secrets = append(secrets, hidden...)
	// Rows that only a database can have: two kids that begin alike.
	_, err := database(t, s).ExecContext(t.Context(), `INSERT INTO signing_keys (kid, algorithm, state, sealed, created_at, published_at, activated_at, ended_at)
		SELECT k, 'ES256', 'retired', '', 1, 1, 0, 2 FROM unnest(ARRAY['likeness-one', 'likeness-two']) k`)
	require.NoError(t, err)
	current := listKeys(t, environ).find(t, "RS256", "current").KID
	pemFile, garbage := file(t, "key.pem", known), file(t, "garbage.pem", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n")

	t.Run("refusals", func(t *testing.T) {
		for _, tc := range []struct {
			name, typed string
			args        []string
			code        int
			want        string
		}{
			{"usage", "", []string{"rotate", "--algorithm", "HS256"}, 2, "HS256"},
			{"no verb", "", []string{}, 2, ""},
			{"revoke nothing", "", []string{"revoke", "--reason", "x", "--yes"}, 2, "which keys"},
			{"revoke without a reason", "", []string{"revoke", current, "--yes"}, 2, "reason"},
			{"revoke for a blank reason", "", []string{"revoke", current, "--yes", "--reason", "  "}, 2, "--reason"},
			{"revoke for a long reason", "", []string{"revoke", current, "--yes", "--reason", strings.Repeat("x", 501)}, 2, "--reason"},
			{"revoke all and one", "", []string{"revoke", current, "--all", "--yes", "--reason", "x"}, 2, "which keys"},
			{"revoke a short kid", "", []string{"revoke", current[:5], "--yes", "--reason", "x"}, 2, "at least the first 6"},
			{"revoke an empty kid", "", []string{"revoke", "", "--yes", "--reason", "x"}, 2, "at least the first 6"},
			{"revoke an unknown kid", "", []string{"revoke", "nosuchkey", "--yes", "--reason", "x"}, 1, "no key begins with"},
			{"revoke one that is not there beside one that is", "", []string{"revoke", current, "nosuchkey", "--yes", "--reason", "x"}, 1, "no key begins with"},
			{"revoke an ambiguous kid", "", []string{"revoke", "likeness", "--yes", "--reason", "x"}, 1, "2 keys begin with"},
			{"revoke one that is retired", "", []string{"revoke", "likeness-one", "--yes", "--reason", "x"}, 0, "refused here already"},
			{"revoke: no", "n\n", []string{"revoke", current, "--reason", "x"}, 1, "nothing was changed"},
			{"revoke: nobody there", "", []string{"revoke", current, "--reason", "x"}, 1, "--yes"},
			{"revoke: something else", "revoke\n", []string{"revoke", current, "--reason", "x"}, 1, "nothing was changed"},
			{"rotate with nothing staged", "y\n", []string{"rotate"}, 1, "--force"},
			{"rotate with nothing staged, --yes", "", []string{"rotate", "--yes"}, 1, "--force"},
			{"rotate, dry", "", []string{"rotate", "--dry-run", "--force", "--yes"}, 0, ""},
			{"stage: no", "no\n", []string{"stage"}, 1, "nothing was changed"},
			{"stage: nobody there", "", []string{"stage"}, 1, "nothing was changed"},
			{"stage, dry", "y\n", []string{"stage", "--dry-run", "--yes"}, 0, ""},
			{"stage whatever, by force", "", []string{"stage", "--force", "--yes"}, 2, "--algorithm"},
			{"import, dry", "", []string{"import", pemFile, "--dry-run"}, 0, ""},
			{"import: no", "n\n", []string{"import", pemFile}, 1, "nothing was changed"},
			{"import from standard input without an answer", known, []string{"import", "-"}, 2, "--yes"},
			{"import garbage", "", []string{"import", garbage, "--yes"}, 1, "garbage.pem"},
			{"import nothing", "", []string{"import", "-", "--yes"}, 1, "-"},
			{"import a file that is not there", "", []string{"import", pemFile + ".not", "--yes"}, 1, "no such file"},
			{"import without a file", "", []string{"import"}, 2, ""},
			{"rewrap where all is well", "", []string{"rewrap", "--yes"}, 0, "already"},
		} {
			t.Run(tc.name, func(t *testing.T) {
				before := keyTable(t, s)
				code, stdout, stderr := run(tc.typed, tc.args...)
				require.Equal(t, tc.code, code, stdout+stderr)
				require.Contains(t, stdout+stderr, tc.want)
				require.Equal(t, before, keyTable(t, s), "something was changed")

				code, stdout, stderr = run(tc.typed, append(tc.args, "--output", "json")...)
				require.Equal(t, tc.code, code, stdout+stderr)
				require.Equal(t, before, keyTable(t, s), "something was changed")
				if stdout != "" {
					demandChange(t, stdout, slices.Contains(tc.args, "--dry-run"), false)
				}
			})
		}
	})
	t.Run("what they do", func(t *testing.T) {
		var next string
		for _, tc := range []struct {
			name, typed string
			args        []string
			do          func(t *testing.T)
		}{
			{"stage one", "y\n", []string{"stage", "--algorithm", "RS256"}, func(t *testing.T) { next = listKeys(t, environ).find(t, "RS256", "next").KID }},
			{"stage the others", "", []string{"stage", "--yes"}, func(t *testing.T) { require.Equal(t, next, listKeys(t, environ).find(t, "RS256", "next").KID) }},
			{"stage one, said twice", "YES\n", []string{"stage", "--algorithm", "RS256", "--algorithm", "RS256", "--force"}, func(t *testing.T) {
				all := listKeys(t, environ, "--all")
				require.NotEqual(t, next, all.find(t, "RS256", "next").KID)
				require.Equal(t, next, all.find(t, "RS256", "retired").KID)
				time.Sleep(1100 * time.Millisecond)
			}},
			{"rotate", " Y \n", []string{"rotate"}, func(t *testing.T) {
				require.Equal(t, current, listKeys(t, environ).find(t, "RS256", "previous").KID)
			}},
			{"import", "", []string{"import", pemFile, "--yes"}, func(t *testing.T) {
				require.Equal(t, "imported", listKeys(t, environ).find(t, "ES256", "next").Origin)
			}},
			{"revoke by the beginning", "y\n", []string{"revoke", current[:8], "--reason", "a laptop was stolen"}, func(t *testing.T) {
				k := listKeys(t, environ, "--all").find(t, "RS256", "revoked")
				require.Equal(t, current, k.KID)
				require.Equal(t, "a laptop was stolen", k.Reason)
			}},
			{"rotate one, said twice", "", []string{"rotate", "--algorithm", "ES256", "--algorithm", "ES256", "--yes", "--force"}, func(t *testing.T) {
				require.Len(t, auditOf(t, s, "key.activated"), 4, "the three of before, and this one once")
			}},
			{"rotate one without a next, said twice", "", []string{"rotate", "--algorithm", "ES256", "--algorithm", "ES256", "--yes", "--force"}, func(t *testing.T) {}},
			{"revoke one, said twice", "", []string{"revoke", "$EdDSA", "$EdDSA", "--yes", "--reason", "x"}, func(t *testing.T) {}},
			{"revoke a current one with nothing staged", "", []string{"revoke", "$RS256", "--yes", "--reason", "x"}, func(t *testing.T) {
				listKeys(t, environ).find(t, "RS256", "current")
			}},
			{"revoke all", "", []string{"revoke", "--all", "--yes", "--reason", "x"}, func(t *testing.T) {
				all := listKeys(t, environ)
				require.Len(t, all.Keys, 3)
				for _, k := range all.Keys {
					require.Equal(t, "current", k.State)
				}
			}},
		} {
			t.Run(tc.name, func(t *testing.T) {
				before := keyTable(t, s)
				for i, arg := range tc.args {
					if algorithm, ok := strings.CutPrefix(arg, "$"); ok {
						tc.args[i] = listKeys(t, environ).find(t, algorithm, "current").KID
					}
				}
				code, stdout, stderr := run(tc.typed, tc.args...)
				require.Zero(t, code, stdout+stderr)
				require.Contains(t, stdout, "Done. No server is running")
				require.NotEqual(t, before, keyTable(t, s))
				tc.do(t)
			})
		}
	})
	t.Run("once more", func(t *testing.T) {
		for _, tc := range []struct {
			args []string
			typed,
			want string
			code int
		}{
			{[]string{"import", pemFile, "--yes"}, "", "the record knows this key", 1},
			{[]string{"import", "-", "--yes"}, known, "the record knows this key", 1},
			{[]string{"revoke", current, "--yes", "--reason", "again"}, "", "revoked since", 0},
			{[]string{"rotate", "--yes"}, "", "no next key", 1},
		} {
			before := keyTable(t, s)
			code, stdout, stderr := run(tc.typed, tc.args...)
			require.Equal(t, tc.code, code, stdout+stderr)
			require.Contains(t, stdout+stderr, tc.want)
			require.Equal(t, before, keyTable(t, s))
		}
		require.Len(t, auditOf(t, s, "key.imported"), 1)
	})
	t.Run("for scripts", func(t *testing.T) {
		piped, hidden := privateKey(t)
		secrets = append(secrets, hidden...)
		for _, args := range [][]string{
			{"stage", "--yes", "--algorithm", "RS256"}, {"rotate", "--yes", "--force", "--algorithm", "RS256"}, {"import", "-", "--yes"},
			{"revoke", "$ES256", "--yes", "--reason", "x"},
		} {
			for i, arg := range args {
				if algorithm, ok := strings.CutPrefix(arg, "$"); ok {
					args[i] = listKeys(t, environ).find(t, algorithm, "current").KID
				}
			}
			code, stdout, stderr := run(piped, append(args, "--output", "json")...)
			require.Zero(t, code, stderr)
			demandChange(t, stdout, false, true)
		}
	})
	for _, secret := range secrets {
		require.NotContains(t, outputs.String(), secret)
	}
	var sealed [][]byte
	rows, err := database(t, s).QueryContext(t.Context(), "SELECT sealed FROM signing_keys WHERE length(sealed) > 0")
	require.NoError(t, err)
	for rows.Next() {
		var each []byte
		require.NoError(t, rows.Scan(&each))
		sealed = append(sealed, each)
	}
	require.NoError(t, rows.Close())
	require.NotEmpty(t, sealed)
	for _, each := range sealed {
		require.NotContains(t, outputs.String(), base64.StdEncoding.EncodeToString(each)[:40])
		require.NotContains(t, outputs.String(), hex.EncodeToString(each)[:40])
	}
	code, stdout, stderr = run("", "list", "--all", "--output", "json")
	require.Zero(t, code, stderr)
	require.NotContains(t, stdout, "sealed")
	code, stdout, _ = run("", "list", "--all")
	require.Zero(t, code)
	require.Contains(t, stdout, "revoked: a laptop was stolen")
}

// demandChange demands what scripts rely on: lists are lists, also when they are empty.
func demandChange(t *testing.T, stdout string, dry, changed bool) {
	t.Helper()
	var members map[string]any
	require.NoError(t, json.Unmarshal([]byte(stdout), &members), stdout)
	require.Equal(t, dry, members["dry_run"])
	require.Equal(t, changed, members["changed"])
	for _, name := range []string{"steps", "says", "objections"} {
		require.IsType(t, []any{}, members[name], "%s in %s", name, stdout)
	}
}

// Of rotations that come together one happens, and the others say that it has.
func TestKeysRotateTogether(t *testing.T) {
	s := realStores(t)
	_, base := standIn(t)
	environ := byHand(s, base)
	p := start(t, environ, "serve", "--config", settingsFile(t)).awaitServing()
	for _, tc := range []struct {
		name   string
		staged bool
		args   []string
	}{
		{"with a next key", true, []string{"rotate", "--algorithm", "ES256", "--yes"}},
		{"stage", false, []string{"stage", "--algorithm", "ES256", "--yes"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if tc.staged {
				stage(t, environ, "ES256")
				time.Sleep(1200 * time.Millisecond)
			}
			before := listKeys(t, environ).Revision
			won := 0
			for _, each := range tenAtOnce(t, environ, tc.args) {
				switch {
				case each.code == 0:
					won++
				case strings.Contains(each.stderr, "somebody else has changed the keys"), strings.Contains(each.stderr, "--force"):
				default:
					t.Errorf("exit code %d: %s%s", each.code, each.stdout, each.stderr)
				}
			}
			require.Equal(t, 1, won)
			require.Equal(t, before+1, listKeys(t, environ).Revision)
		})
	}
	require.Equal(t, http.StatusOK, p.ready())
}

type outcome struct {
	code           int
	stdout, stderr string
}

func tenAtOnce(t *testing.T, environ, args []string) []outcome {
	t.Helper()
	config := settingsFile(t)
	outcomes := make([]outcome, 10)
	var done sync.WaitGroup
	gate := make(chan struct{})
	for i := range outcomes {
		done.Go(func() {
			<-gate
			o := &outcomes[i]
			o.code, o.stdout, o.stderr = keysRun(t, environ, "", append(slices.Clone(args), "--config", config)...)
		})
	}
	close(gate)
	done.Wait()
	return outcomes
}

// Ten operators force a rotation at once, with nothing staged: no key signs that the other replica does not publish.
func TestKeysForcedRotationsTogether(t *testing.T) {
	_, environ, replicas, tokens := unwoken(t)
	c := &crossfire{}
	cease := c.between(t, replicas, tokens)
	for _, each := range tenAtOnce(t, environ, []string{"rotate", "--algorithm", "ES256", "--yes", "--force"}) {
		if each.code != 0 && !strings.Contains(each.stderr, "somebody else has changed the keys") {
			t.Errorf("exit code %d: %s", each.code, each.stderr)
		}
	}
	time.Sleep(1500 * time.Millisecond)
	cease()
	c.none(t)
}
