package redis

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/latchkey-id/latchkey/internal/otp"
)

// Challenges is an otp.Store. It is safe for concurrent use.
//
// A challenge is a hash: n nonce, d digest while living, u digest once used and a the attempt that
// used it, r how often it was restored, e end (Unix ms), g wrong guesses in all, s:SOURCE wrong
// guesses of a source. A number that was never asked for has a hash without n once somebody guesses
// at it.
//
// Beside it lies the resend gap: the time until which no further text goes to the number, and the
// nonce of the start that began it. A text that failed frees it; the same time in "asked" stands,
// since an answer that hung on the fate of a text would tell which numbers cannot get any (U1).
//
// Each script may run twice for one call: a Cluster's client sends it again when the answer is
// lost. The second run finds the nonce, or the attempt, of the first and answers the same.
type Challenges struct {
	client redis.UniversalClient
	prefix string
	limits otp.Limits
	// now is nil to go by the clock of Redis, which is one for all replicas.
	now func() time.Time
}

// NewChallenges returns a store that keeps its keys behind prefix.
func NewChallenges(client redis.UniversalClient, prefix string, limits otp.Limits) *Challenges {
	return &Challenges{client: client, prefix: prefix, limits: limits}
}

// WithClock returns a copy that goes by now instead of the clock of Redis, for tests of time.
func (c *Challenges) WithClock(now func() time.Time) *Challenges {
	with := *c
	with.now = now
	return &with
}

// clock sets the local now, in Unix milliseconds: the caller's if it sent one, else Redis's own.
const clock = `
local now = tonumber(ARGV[1])
if not now then
  local t = redis.call('TIME')
  now = t[1] * 1000 + math.floor(t[2] / 1000)
end
`

var openScript = redis.NewScript(clock + `
local nonce, digest, source = ARGV[2], ARGV[3], 's:' .. ARGV[4]
local lifetime, renew, gap = tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7])
local per_source, total = tonumber(ARGV[8]), tonumber(ARGV[9])

local c = redis.call('HMGET', KEYS[1], 'n', 'd', 'e', 'g', source)
local ends, guesses, mine = tonumber(c[3]) or 0, tonumber(c[4]) or 0, tonumber(c[5]) or 0
local texted = redis.call('HMGET', KEYS[2], 'until', 'by', 'asked')
local quiet, asked = (tonumber(texted[1]) or 0) - now, (tonumber(texted[3]) or 0) - now
local left = ends - now

local function text()
  redis.call('HSET', KEYS[2], 'until', now + gap, 'by', nonce, 'asked', now + gap)
  redis.call('PEXPIRE', KEYS[2], gap)
end

if texted[2] == nonce and c[1] then return {'send', c[1], left} end

if c[2] and left > 0 and guesses < total then
  if mine >= per_source and left >= renew then
    return {'throttled', '', math.max(left - renew + 1, asked)}
  end
  if mine < per_source then
    if quiet > 0 then return {'quiet', c[1], left} end
    if left >= renew then
      text()
      return {'send', c[1], left}
    end
  end
end
if asked > 0 then return {'throttled', '', asked} end
redis.call('DEL', KEYS[1])
redis.call('HSET', KEYS[1], 'n', nonce, 'd', digest, 'e', now + lifetime)
redis.call('PEXPIRE', KEYS[1], lifetime)
text()
return {'send', nonce, lifetime}
`)

// Open implements otp.Store.
func (c *Challenges) Open(ctx context.Context, slot otp.Slot, source otp.Source, fresh otp.Challenge) (otp.Opened, error) {
	reply, err := openScript.Run(ctx, c.client, c.keys(slot), c.clock(), fresh.Nonce, fresh.Digest, string(source),
		c.limits.Lifetime.Milliseconds(), c.limits.RenewBelow.Milliseconds(), c.limits.ResendGap.Milliseconds(),
		c.limits.GuessesPerSource, c.limits.Guesses).Slice()
	if err != nil {
		return otp.Opened{}, unavailable(err)
	}
	if len(reply) != 3 {
		return otp.Opened{}, fmt.Errorf("redis: open script answered %d values", len(reply))
	}
	verdict, _ := reply[0].(string)
	nonce, _ := reply[1].(string)
	number, _ := reply[2].(int64)
	switch verdict {
	case "throttled":
		return otp.Opened{}, &otp.ThrottledError{RetryAfter: time.Duration(number) * time.Millisecond}
	case "send", "quiet":
		return otp.Opened{Nonce: nonce, Left: time.Duration(number) * time.Millisecond, Send: verdict == "send"}, nil
	}
	return otp.Opened{}, fmt.Errorf("redis: open script answered %q", verdict)
}

var redeemScript = redis.NewScript(clock + `
local digest, source = ARGV[2], 's:' .. ARGV[3]
local per_source, total, lifetime = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
local attempt = ARGV[7]

local c = redis.call('HMGET', KEYS[1], 'd', 'e', 'g', source, 'a', 'n', 'r')
if c[5] and c[5] == attempt then return {'right', c[6] .. (c[7] or '')} end
local ends = tonumber(c[2]) or 0
if ends <= now then
  redis.call('DEL', KEYS[1])
  redis.call('HSET', KEYS[1], 'e', now + lifetime)
  redis.call('PEXPIRE', KEYS[1], lifetime)
  c = {}
end
if (tonumber(c[3]) or 0) >= total or (tonumber(c[4]) or 0) >= per_source then return {'spent', ''} end
redis.call('HINCRBY', KEYS[1], 'g', 1)
redis.call('HINCRBY', KEYS[1], source, 1)
if c[1] and c[1] == digest then
  redis.call('HSET', KEYS[1], 'u', digest, 'a', attempt)
  redis.call('HDEL', KEYS[1], 'd')
  redis.call('HINCRBY', KEYS[1], 'g', -1)
  redis.call('HINCRBY', KEYS[1], source, -1)
  redis.call('DEL', KEYS[2])
  return {'right', c[6] .. (c[7] or '')}
end
return {'wrong', ''}
`)

// Redeem implements otp.Store.
func (c *Challenges) Redeem(ctx context.Context, slot otp.Slot, source otp.Source, digest string, attempt otp.Attempt) (use string, err error) {
	reply, err := redeemScript.Run(ctx, c.client, c.keys(slot), c.clock(), digest, string(source),
		c.limits.GuessesPerSource, c.limits.Guesses, c.limits.Lifetime.Milliseconds(), string(attempt)).StringSlice()
	if err != nil {
		return "", unavailable(err)
	}
	if len(reply) != 2 {
		return "", fmt.Errorf("redis: redeem script answered %d values", len(reply))
	}
	switch reply[0] {
	case "right":
		return reply[1], nil
	case "spent":
		return "", otp.ErrTooManyGuesses
	case "wrong":
		return "", otp.ErrInvalidCode
	}
	return "", fmt.Errorf("redis: redeem script answered %q", reply[0])
}

// A code that was replaced meanwhile, or that somebody else has used, stays used: an attempt that
// never arrived must not bring back what another one took.
var restoreScript = redis.NewScript(`
if redis.call('HGET', KEYS[1], 'a') == ARGV[1] then
  redis.call('HSET', KEYS[1], 'd', redis.call('HGET', KEYS[1], 'u'))
  redis.call('HDEL', KEYS[1], 'u', 'a')
  redis.call('HINCRBY', KEYS[1], 'r', 1)
end
return 1
`)

// Restore implements otp.Store.
func (c *Challenges) Restore(ctx context.Context, slot otp.Slot, attempt otp.Attempt) error {
	return unavailable(restoreScript.Run(ctx, c.client, c.keys(slot)[:1], string(attempt)).Err())
}

// The gap of a later text stays.
var releaseScript = redis.NewScript(`
if redis.call('HGET', KEYS[1], 'by') == ARGV[1] then redis.call('HDEL', KEYS[1], 'until', 'by') end
return 1
`)

// Release implements otp.Store.
func (c *Challenges) Release(ctx context.Context, number, nonce string) error {
	return unavailable(releaseScript.Run(ctx, c.client, []string{c.texted(number)}, nonce).Err())
}

// keys returns the challenge's key and that of the number's resend gap. Client ids and connections
// are free text of the configuration, so they come last, where they can be mistaken for nothing.
func (c *Challenges) keys(slot otp.Slot) []string {
	return []string{
		strings.Join([]string{c.tag(slot.Number), "challenge", slot.Connection, slot.Client}, ":"),
		c.texted(slot.Number),
	}
}

func (c *Challenges) texted(number string) string { return c.tag(number) + ":texted" }

// tag begins every key of a number; what is in braces chooses the slot of a Cluster.
func (c *Challenges) tag(number string) string { return c.prefix + "otp:{" + number + "}" }

func (c *Challenges) clock() any {
	if c.now == nil {
		return ""
	}
	return c.now().UnixMilli()
}
