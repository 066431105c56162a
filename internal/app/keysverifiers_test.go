package app_test

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// seenBy returns what `latchkey keys list` says of a verifier; nil if it does not know it.
func (l keyList) seenBy(name string) *listedVerifier {
	i := slices.IndexFunc(l.Verifiers, func(v listedVerifier) bool { return v.Name == name })
	if i < 0 {
		return nil
	}
	return &l.Verifiers[i]
}

// Who has the next key: a rotation waits for the one that has not fetched it, and names it.
func TestKeysTellWhoHasTheNextOne(t *testing.T) {
	t.Parallel() // it waits for what is written down every few seconds
	s := realStores(t)
	_, base := standIn(t)
	environ := byHand(s, base)
	p := start(t, environ, "serve", "--config", settingsFile(t)).awaitServing()
	var before keySet
	for _, agent := range []string{"orders/1.0", "billing/2.1 (Go)", "stale/0.1"} {
		var err error
		before, err = fetchKeys(t.Context(), p, keySet{}, "User-Agent", agent)
		require.NoError(t, err)
	}
	stage(t, environ, "ES256")
	next := listKeys(t, environ).find(t, "ES256", "next").KID
	time.Sleep(1100 * time.Millisecond) // so that its age is no reason to wait
	after, err := fetchKeys(t.Context(), p, before, "User-Agent", "orders/1.1")
	require.NoError(t, err)
	require.Contains(t, after.kids, next)
	again, err := fetchKeys(t.Context(), p, after, "User-Agent", "billing/2.2")
	require.NoError(t, err)
	require.Equal(t, after.etag, again.etag, "nothing was sent, for nothing has changed")
	head, err := http.NewRequestWithContext(t.Context(), http.MethodHead, p.base+"/.well-known/jwks.json", nil)
	require.NoError(t, err)
	head.Header.Set("User-Agent", "stale/0.2")
	response, err := http.DefaultClient.Do(head)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	require.Equal(t, http.StatusOK, response.StatusCode)

	var listed keyList
	require.Eventually(t, func() bool {
		listed = listKeys(t, environ)
		orders, billing := listed.seenBy("orders"), listed.seenBy("billing")
		return orders != nil && billing != nil && orders.Fetches == 2 && billing.Fetches == 2
	}, 15*time.Second, 100*time.Millisecond)
	require.Equal(t, "has it", listed.seenBy("orders").Next[next])
	require.Equal(t, "has it", listed.seenBy("billing").Next[next], "an answer of 304 counts")
	require.Equal(t, "lacks it", listed.seenBy("stale").Next[next])
	require.Equal(t, 1, listed.seenBy("stale").Fetches, "a HEAD brings no keys")
	shown := latchkeyKeys(t, environ, 0, "list")
	require.Regexp(t, `(?m)^stale .*NO, last fetched before it was published`, shown)
	require.Regexp(t, `(?m)^orders .*yes$`, shown)

	table := keyTable(t, s)
	refusal := latchkeyKeys(t, environ, 1, "rotate", "--algorithm", "ES256", "--yes")
	require.Contains(t, refusal, "has not been fetched by stale at 127.0.0.1.")
	require.Equal(t, table, keyTable(t, s))
	code, refused, _ := changeKeys(t, environ, "rotate", "--algorithm", "ES256", "--yes")
	require.Equal(t, 1, code)
	require.Len(t, refused.Objections, 1)
	require.False(t, refused.Changed)

	// Somebody makes up names by the thousand.
	var done sync.WaitGroup
	for worker := range 8 {
		done.Go(func() {
			for i := range 250 {
				_, _ = fetchKeys(t.Context(), p, after, "User-Agent", fmt.Sprintf("made-up-%d-%d", worker, i))
			}
		})
	}
	done.Wait()
	_, err = fetchKeys(t.Context(), p, after, "User-Agent", "\x1b[31mred")
	require.Error(t, err, "no client sends that")
	_, err = fetchKeys(t.Context(), p, after, "User-Agent", "; rm -rf /")
	require.NoError(t, err)
	require.Eventually(t, func() bool { return listKeys(t, environ).seenBy("(others)") != nil }, 15*time.Second, 100*time.Millisecond)
	listed = listKeys(t, environ)
	require.Less(t, len(listed.Verifiers), 40, "of one source few are told apart")
	require.Equal(t, "has it", listed.seenBy("orders").Next[next], "nobody is pushed out")
	for _, v := range listed.Verifiers {
		require.Regexp(t, `^[\w.~+()-]+( \w+\))?$`, v.Name)
	}

	_, err = fetchKeys(t.Context(), p, before, "User-Agent", "stale/0.3")
	require.NoError(t, err)
	require.Eventually(t, func() bool { return listKeys(t, environ).seenBy("stale").Next[next] == "has it" }, 15*time.Second, 100*time.Millisecond)
	require.Contains(t, latchkeyKeys(t, environ, 0, "rotate", "--algorithm", "ES256", "--yes"), "Done, and known to the running server")
	require.Equal(t, next, listKeys(t, environ).find(t, "ES256", "current").KID)
}

// latchkeyKeys runs a command that has to end with code, and returns all that it prints.
func latchkeyKeys(t *testing.T, environ []string, code int, args ...string) string {
	t.Helper()
	got, stdout, stderr := keysRun(t, environ, "", append(args, "--config", settingsFile(t))...)
	require.Equal(t, code, got, stdout+stderr)
	return stdout + stderr
}

// Private keys move from the secret key to a key of their own, replica by replica, while people sign in.
func TestKeysMoveToAnotherWrapping(t *testing.T) {
	s := realStores(t)
	twilio, base := standIn(t)
	environ := byHand(s, base)
	key := func(seed byte) string {
		text := make([]byte, 32)
		for i := range text {
			text[i] = seed + byte(i)
		}
		return base64.StdEncoding.EncodeToString(text)
	}
	serving := func(more ...string) *program {
		return start(t, append(slices.Clone(environ), more...), "serve", "--config", settingsFile(t)).awaitServing()
	}
	fails := func(more ...string) {
		t.Helper()
		before := keyTable(t, s)
		code, _, stderr := command(t, append(slices.Clone(environ), more...), "serve", "--config", settingsFile(t))
		require.Equal(t, 1, code)
		line := stderr[strings.LastIndex(strings.TrimSpace(stderr), "\n")+1:]
		require.Contains(t, line, "cannot read the signing keys")
		require.Contains(t, line, "Nothing was changed")
		for _, k := range listKeys(t, environ).Keys {
			require.Contains(t, line, k.KID)
		}
		require.Equal(t, before, keyTable(t, s))
	}
	replicas := []*program{serving(), serving()}
	tokens := replicas[0].stay(twilio, "app", "+447700900501")
	stage(t, environ)
	fails("LATCHKEY_SECRET_KEY=" + key(100))
	before := listKeys(t, environ)

	wrapping := "LATCHKEY_KEYS_WRAPPING_KEY=" + key(1)
	f := &fleet{}
	f.set(replicas...)
	who, failures := &person{"app", tokens.text("refresh_token")}, &complaints{}
	stop, made := make(chan struct{}), 0
	var busy sync.WaitGroup
	cease := sync.OnceFunc(func() { close(stop); busy.Wait() })
	t.Cleanup(cease)
	busy.Go(func() {
		for n := 0; n < 5000; n++ {
			select {
			case <-stop:
				return
			case <-time.After(5 * time.Millisecond):
			}
			tokens, err := who.refreshed(f)
			if err != nil {
				failures.say("%v", err)
				return
			}
			set, err := fetchKeys(t.Context(), f.next(), keySet{})
			if err != nil {
				continue // it was just stopped
			}
			if err := set.verify(tokens[0]); err != nil {
				failures.say("%v", err)
			}
			made++
		}
	})
	for i := range replicas {
		f.set(replicas[1-i])
		require.Zero(t, replicas[i].stop())
		replicas[i] = serving(wrapping)
		f.set(replicas...)
	}
	require.Contains(t, latchkeyKeys(t, append(slices.Clone(environ), wrapping), 0, "rewrap", "--dry-run"), "is encrypted by")
	require.Equal(t, before.Keys, listKeys(t, environ).Keys, "nothing has happened yet")
	code, done, stderr := changeKeys(t, append(slices.Clone(environ), wrapping), "rewrap", "--yes")
	require.Zero(t, code, stderr)
	require.True(t, done.Changed)
	require.Len(t, done.Servers, 2)
	cease()
	failures.none(t)
	require.Positive(t, made)
	after := listKeys(t, environ)
	for i, k := range after.Keys {
		require.Equal(t, before.Keys[i].KID, k.KID, "the same keys")
		require.NotEqual(t, before.Keys[i].WrappedBy, k.WrappedBy)
		require.Equal(t, after.Keys[0].WrappedBy, k.WrappedBy)
	}
	require.Len(t, auditOf(t, s, "key.rewrapped"), len(after.Keys))
	for _, p := range replicas {
		p.stop()
	}
	fails() // the secret key alone opens nothing any more
	alone := serving(wrapping, "LATCHKEY_SECRET_KEY="+key(150))
	set, err := fetchKeys(t.Context(), alone, keySet{})
	require.NoError(t, err)
	require.NoError(t, set.verify(tokens.text("access_token")))
	alone.stop()
	// And on to the next one, with what it was before named as such.
	next := []string{"LATCHKEY_KEYS_WRAPPING_KEY=" + key(30), "LATCHKEY_KEYS_FORMER_WRAPPING_KEY=" + key(1)}
	fails(next[0])
	serving(next...).stop()
	latchkeyKeys(t, append(slices.Clone(environ), next...), 0, "rewrap", "--yes")
	serving(next[0]).stop()
}

// An algorithm that no client uses yet is staged, and signs when a server starts that needs it.
func TestKeysStageWhatIsNotInUse(t *testing.T) {
	s := realStores(t)
	twilio, base := standIn(t)
	environ := byHand(s, base)
	const ed = "  ed: {algorithm: EdDSA, audiences: [https://api.example.com]}\n"
	old := start(t, environ, "serve", "--config", file(t, "old.yaml", strings.Replace(settings, ed, "", 1))).awaitServing()
	stage(t, environ, "EdDSA")
	next := listKeys(t, environ).find(t, "EdDSA", "next")
	require.Contains(t, next.Next, "signs when a server first needs EdDSA")
	require.Contains(t, latchkeyKeys(t, environ, 1, "rotate", "--yes"), "Reasons to wait", "of the others")
	listKeys(t, environ).find(t, "EdDSA", "next")
	with := start(t, environ, "serve", "--config", settingsFile(t)).awaitServing()
	require.Equal(t, next.KID, listKeys(t, environ).find(t, "EdDSA", "current").KID)
	token := with.signIn(twilio, "ed", "+447700900502").text("access_token")
	require.Equal(t, next.KID, kidOf(t, token))
	set, err := fetchKeys(t.Context(), old, keySet{})
	require.NoError(t, err)
	require.NoError(t, set.verify(token))
}
