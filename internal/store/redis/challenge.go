package redis

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/latchkey-id/latchkey/internal/origin"
	"github.com/latchkey-id/latchkey/internal/otp"
	"github.com/latchkey-id/latchkey/internal/rule"
)

// Challenges is an otp.Store. It is safe for concurrent use.
//
// A challenge is a hash: n nonce, d digest while living, u digest once used and a the attempt that
// used it with its answer (f failures, o rules noted), r how often it was restored, e end (Unix ms),
// g wrong guesses in all, s:SOURCE wrong guesses of a source. A number that was never asked for has a
// hash without n once somebody guesses at it.
//
// Beside the challenges of a number lies one hash for the number itself (see challenge_scripts.go), in the
// same slot of a Cluster. Everything expires by itself.
//
// Each script may run twice for one call: a Cluster's client sends it again when the answer is
// lost. The second run finds the nonce, or the attempt, of the first, takes back what that counted,
// and so counts and answers the same.
type Challenges struct {
	client redis.UniversalClient
	prefix string
	limits otp.Limits
	// settings are the limits as scripts take them.
	settings []any
	// now is nil to go by the clock of Redis, which is one for all replicas.
	now func() time.Time
}

// NewChallenges returns a store that keeps its keys behind prefix.
func NewChallenges(client redis.UniversalClient, prefix string, limits otp.Limits) *Challenges {
	return &Challenges{client: client, prefix: prefix, limits: limits, settings: newSettings(limits)}
}

// WithClock returns a copy that goes by now instead of the clock of Redis, for tests of time.
func (c *Challenges) WithClock(now func() time.Time) *Challenges {
	with := *c
	with.now = now
	return &with
}

// rules are known to scripts by their place in this list, the first is 1.
var rules = []rule.Name{
	rule.CodeGuessesSource, rule.CodeGuesses,
	rule.NumberGuessesSource, rule.NumberGuesses, rule.NumberInARow,
	rule.ResendGap,
	rule.NumberTextsSourceHour, rule.NumberTextsSourceDay, rule.NumberTextsHour, rule.NumberTextsDay,
}

// newSettings is in the order in which scripts unpack it.
func newSettings(l otp.Limits) []any {
	recordOnly := []byte(strings.Repeat("0", len(rules)))
	for i, name := range rules {
		if l.RecordOnly[name] && name != rule.CodeGuesses && name != rule.CodeGuessesSource {
			recordOnly[i] = '1'
		}
	}
	return []any{
		string(recordOnly),
		l.Lifetime.Milliseconds(), l.RenewBelow.Milliseconds(), l.ResendGap.Milliseconds(),
		l.GuessesPerSource, l.Guesses, l.StrictGuessesPerSource, l.StrictGuesses,
		l.NumberGuessesFor(false), l.NumberGuessesFor(true), l.NumberGuesses, l.NumberAlarm, l.InARow, l.RowKept().Milliseconds(), l.TrustFor.Milliseconds(),
		l.TextsPerSourceHour, l.TextsPerSourceDay, l.TextsPerHour,
		l.TextsPerDayFor(false, false), l.TextsPerDayFor(false, true), l.TextsPerDayFor(true, false),
		l.Kept(), otp.KeptNetworks,
	}
}

// arguments are those of the scripts that judge; call names this call of them.
func (c *Challenges) arguments(from origin.Origin, guard otp.Guard, call, digest string) []any {
	return append([]any{
		c.clock(), string(from.Source), string(otp.Trustable(from)), from.Listed, guard.Strict, doorkeeper(guard), call, digest,
	}, c.settings...)
}

// doorkeeper is who the guard lets in, as the scripts read it.
func doorkeeper(guard otp.Guard) int {
	switch {
	case guard.KnownOnly:
		return 2
	case guard.TrustedOnly:
		return 1
	}
	return 0
}

// Open implements otp.Store.
func (c *Challenges) Open(ctx context.Context, slot otp.Slot, from origin.Origin, guard otp.Guard, fresh otp.Challenge) (otp.Opened, error) {
	values, err := openScript.Run(ctx, c.client, c.keys(slot), c.arguments(from, guard, fresh.Nonce, fresh.Digest)...).Slice()
	if err != nil {
		return otp.Opened{}, unavailable(err)
	}
	r := reply{values: values}
	verdict, nonce, wait := r.text(0), r.text(1), r.milliseconds(2)
	name, trusted, noted := r.rule(3), r.number(4) == 1, r.rules(5)
	if r.err != nil {
		return otp.Opened{}, fmt.Errorf("redis: open script: %w", r.err)
	}
	switch verdict {
	case "untrusted":
		return otp.Opened{}, otp.ErrUntrusted
	case "throttled":
		return otp.Opened{Noted: noted}, &otp.ThrottledError{Rule: name, RetryAfter: wait}
	case "send", "quiet":
		return otp.Opened{Nonce: nonce, Left: wait, Send: verdict == "send", Trusted: trusted, Noted: noted}, nil
	}
	return otp.Opened{}, fmt.Errorf("redis: open script answered %q", verdict)
}

// Redeem implements otp.Store.
func (c *Challenges) Redeem(
	ctx context.Context, slot otp.Slot, from origin.Origin, guard otp.Guard, digest string, attempt otp.Attempt,
) (otp.Compared, error) {
	values, err := redeemScript.Run(ctx, c.client, c.keys(slot), c.arguments(from, guard, string(attempt), digest)...).Slice()
	if err != nil {
		return otp.Compared{}, unavailable(err)
	}
	r := reply{values: values}
	verdict, nonce, number, name := r.text(0), r.text(1), r.number(2), r.rule(3)
	compared := otp.Compared{Failures: int(r.number(4)), Noted: r.rules(5), Alarm: r.number(6) == 1}
	if r.err != nil {
		return otp.Compared{}, fmt.Errorf("redis: redeem script: %w", r.err)
	}
	switch verdict {
	case "right":
		compared.Nonce, compared.Restored = nonce, int(number)
		return compared, nil
	case "untrusted":
		return compared, otp.ErrUntrusted
	case "spent":
		return compared, otp.ErrTooManyGuesses
	case "blocked":
		return compared, &otp.BlockedError{Rule: name, RetryAfter: time.Duration(number) * time.Millisecond}
	case "wrong":
		return compared, otp.ErrInvalidCode
	}
	return otp.Compared{}, fmt.Errorf("redis: redeem script answered %q", verdict)
}

// Restore implements otp.Store.
func (c *Challenges) Restore(ctx context.Context, slot otp.Slot, attempt otp.Attempt) error {
	return unavailable(restoreScript.Run(ctx, c.client, c.keys(slot)[:1], string(attempt)).Err())
}

// Withdraw implements otp.Store.
func (c *Challenges) Withdraw(ctx context.Context, number, nonce string) error {
	return unavailable(withdrawScript.Run(ctx, c.client, []string{c.number(number)}, nonce).Err())
}

// Release implements otp.Store.
func (c *Challenges) Release(ctx context.Context, number, nonce string) error {
	return unavailable(releaseScript.Run(ctx, c.client, []string{c.number(number)}, nonce).Err())
}

// keys returns the challenge's key and that of the number. Client ids and connections
// are free text of the configuration, so they come last, where they can be mistaken for nothing.
func (c *Challenges) keys(slot otp.Slot) []string {
	return []string{
		strings.Join([]string{c.tag(slot.Number), "challenge", slot.Connection, slot.Client}, ":"),
		c.number(slot.Number),
	}
}

func (c *Challenges) number(number string) string { return c.tag(number) + ":number" }

// tag begins every key of a number; what is in braces chooses the slot of a Cluster.
func (c *Challenges) tag(number string) string { return c.prefix + "otp:{" + number + "}" }

func (c *Challenges) clock() any {
	if c.now == nil {
		return ""
	}
	return c.now().UnixMilli()
}
