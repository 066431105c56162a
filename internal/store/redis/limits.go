package redis

import (
	"context"
	"crypto/rand"
	"fmt"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/latchkey-id/latchkey/internal/limit"
	"github.com/latchkey-id/latchkey/internal/origin"
)

// Limits is a limit.Store. It is safe for concurrent use.
//
// A meter is a sorted set of its members by stamp; those of a network and of its sources share a slot. The
// count of all together is a hash in a slot of its own: minute (since 1970) to guesses, t their sum, m the
// minute in which the forgotten ones were last taken out of it, b the last batch that was given back.
//
// Each script may run twice for one call: a Cluster's client sends it again when the answer is lost. Meters count
// a member once; a batch that was given back is known again. Only a guess that all together are
// told of twice counts as two, until it is forgotten: that errs to the safe side.
type Limits struct {
	client redis.UniversalClient
	prefix string
	// now is nil to go by the clock of Redis, which is one for all replicas.
	now func() time.Time
}

// NewLimits returns a store that keeps its keys behind prefix.
func NewLimits(client redis.UniversalClient, prefix string) *Limits {
	return &Limits{client: client, prefix: prefix}
}

// WithClock returns a copy that goes by now instead of the clock of Redis, for tests of time.
func (l *Limits) WithClock(now func() time.Time) *Limits {
	with := *l
	with.now = now
	return &with
}

// limitTake is limit.Meter.Read, over all meters of a claim. The arguments are, for each meter: member,
// renew, keep, room, how many windows, and for each of these: length, limit, third, enforced. The answer is,
// for each meter: stamp, previous, and for each window the two waits.
var limitTake = redis.NewScript(clock + `
local at, admitted, counts, answer = 1, true, {}, {}
local function argument() at = at + 1; return ARGV[at] end
local function number() return tonumber(argument()) end

for i, key in ipairs(KEYS) do
  local member, renew, keep, room, windows = argument(), argument() == '1', number(), number(), number()
  redis.call('ZREMRANGEBYSCORE', key, '-inf', now - keep)
  local size = redis.call('ZCARD', key)
  local present = size > 0 and tonumber(redis.call('ZSCORE', key, member))
  local function wait(limit, length)
    if limit == 0 or size < limit or present then return 0 end
    local e = redis.call('ZREVRANGE', key, limit - 1, limit - 1, 'WITHSCORES')
    return math.max(0, tonumber(e[2]) + length - now)
  end
  local stamp, previous = now, 0
  if present and renew then
    stamp, previous = math.max(now, present + 1), present
  elseif present then
    stamp = present
  elseif size >= room then
    stamp = 0
  end
  answer[#answer + 1], answer[#answer + 2] = stamp, previous
  for _ = 1, windows do
    local length, limit, third, enforced = number(), number(), number(), argument() == '1'
    local full = wait(limit, length)
    answer[#answer + 1], answer[#answer + 2] = full, wait(third, length)
    if enforced and full > 0 then admitted = false end
  end
  counts[i] = {member, stamp, keep}
end

if admitted then
  for i, key in ipairs(KEYS) do
    local member, stamp, keep = unpack(counts[i])
    if stamp > 0 then
      redis.call('ZADD', key, stamp, member)
      redis.call('PEXPIRE', key, keep)
    end
  end
end
return answer
`)

// limitAll counts one guess of all, and answers with its minute and how many were before it.
var limitAll = redis.NewScript(clock + `
local remember, expire = tonumber(ARGV[2]), tonumber(ARGV[3])
local minute = math.floor(now / 60000)
local known = redis.call('HMGET', KEYS[1], 'm', 't')
local total = tonumber(known[2]) or 0
if tonumber(known[1]) ~= minute then
  local fields = redis.call('HGETALL', KEYS[1])
  total = 0
  for i = 1, #fields, 2 do
    local at = tonumber(fields[i])
    if at and math.abs(at - minute) <= remember then
      total = total + tonumber(fields[i + 1])
    elseif at then
      redis.call('HDEL', KEYS[1], fields[i])
    end
  end
  redis.call('HSET', KEYS[1], 'm', minute)
end
redis.call('HINCRBY', KEYS[1], minute, 1)
redis.call('HSET', KEYS[1], 't', total + 1)
redis.call('PEXPIRE', KEYS[1], expire)
return {minute, total}
`)

// limitExpire is how long the count of all is remembered after the last guess.
const limitExpire = (limit.AllMinutes + 1) * time.Minute

// Take implements limit.Counters, in one round trip if the claim is not Careful.
func (l *Limits) Take(ctx context.Context, claim limit.Claim) (limit.Taken, error) {
	meters := call{script: limitTake, args: l.takeArguments(claim.Meters)}
	for _, m := range claim.Meters {
		meters.keys = append(meters.keys, l.meter(m.From, m.Place))
	}
	all := call{limitAll, []string{l.all()}, []any{l.clock(), limit.AllMinutes, limitExpire.Milliseconds()}}

	calls := []call{meters}
	switch {
	case len(claim.Meters) == 0:
		calls = []call{all}
	case claim.All && !claim.Careful:
		calls = append(calls, all)
	}
	replies, err := l.run(ctx, calls)
	if err != nil {
		return limit.Taken{}, err
	}
	var taken limit.Taken
	if len(claim.Meters) > 0 {
		if taken.Readings, err = readings(claim.Meters, replies[0]); err != nil {
			return limit.Taken{}, err
		}
		replies = replies[1:]
		if claim.All && claim.Careful && limit.Admits(claim.Meters, taken.Readings) {
			if replies, err = l.run(ctx, []call{all}); err != nil {
				return limit.Taken{}, err
			}
		}
	}
	if len(replies) == 0 {
		return taken, nil
	}
	if len(replies[0]) != 2 {
		return limit.Taken{}, fmt.Errorf("redis: the count of all answered %d values", len(replies[0]))
	}
	taken.Minute, taken.Total = replies[0][0], int(replies[0][1])
	return taken, nil
}

func (l *Limits) takeArguments(meters []limit.Meter) []any {
	args := make([]any, 1, 1+13*len(meters))
	args[0] = l.clock()
	for _, m := range meters {
		args = append(args, m.Member, m.Renew, m.Keep.Milliseconds(), m.Room, len(m.Windows))
		for _, w := range m.Windows {
			args = append(args, w.Length.Milliseconds(), w.Limit, w.Third, w.Enforced)
		}
	}
	return args
}

// readings takes the answer of limitTake apart.
func readings(meters []limit.Meter, reply []int64) ([]limit.Reading, error) {
	read := make([]limit.Reading, len(meters))
	for i, m := range meters {
		values := 2 + 2*len(m.Windows)
		if len(reply) < values {
			return nil, fmt.Errorf("redis: the take script has no answer for meter %d", i)
		}
		read[i] = limit.Reading{Stamp: reply[0], Previous: reply[1], Waits: make([]limit.Wait, len(m.Windows))}
		for j := range m.Windows {
			read[i].Waits[j] = limit.Wait{
				Full:  time.Duration(reply[2+2*j]) * time.Millisecond,
				Third: time.Duration(reply[3+2*j]) * time.Millisecond,
			}
		}
		reply = reply[values:]
	}
	return read, nil
}

var limitLook = redis.NewScript(clock + `
local answer, fields = {now}, redis.call('HGETALL', KEYS[1])
for i = 1, #fields, 2 do
  local minute = tonumber(fields[i])
  if minute then answer[#answer + 1], answer[#answer + 2] = minute, tonumber(fields[i + 1]) end
end
return answer
`)

// All implements limit.Counters.
func (l *Limits) All(ctx context.Context) (limit.All, error) {
	reply, err := limitLook.Run(ctx, l.client, []string{l.all()}, l.clock()).Int64Slice()
	if err != nil {
		return limit.All{}, unavailable(err)
	}
	if len(reply)%2 == 0 {
		return limit.All{}, fmt.Errorf("redis: the look script answered %d values", len(reply))
	}
	all := limit.All{Now: reply[0], Minutes: map[int64]int{}}
	for i := 1; i < len(reply); i += 2 {
		all.Minutes[reply[i]] = int(reply[i+1])
	}
	return all, nil
}

// limitReturn takes members out of their meters: for each key member, stamp and previous.
var limitReturn = redis.NewScript(`
for i, key in ipairs(KEYS) do
  local member, stamp, previous = ARGV[3 * i - 2], tonumber(ARGV[3 * i - 1]), tonumber(ARGV[3 * i])
  local present = tonumber(redis.call('ZSCORE', key, member))
  if present and (stamp == 0 or stamp == present) then
    if previous > 0 then redis.call('ZADD', key, previous, member) else redis.call('ZREM', key, member) end
  end
end
return {}
`)

// limitReturnAll gives back guesses of all: the batch, and for each minute how many.
var limitReturnAll = redis.NewScript(`
local known = redis.call('HMGET', KEYS[1], 'm', 'b')
if not known[1] or known[2] == ARGV[1] then return {} end
redis.call('HSET', KEYS[1], 'b', ARGV[1])
for i = 2, #ARGV, 2 do
  local count = math.min(tonumber(ARGV[i + 1]), tonumber(redis.call('HGET', KEYS[1], ARGV[i]) or 0))
  if count > 0 then
    redis.call('HINCRBY', KEYS[1], ARGV[i], -count)
    redis.call('HINCRBY', KEYS[1], 't', -count)
  end
end
return {}
`)

// Return implements limit.Counters, in one round trip.
func (l *Limits) Return(ctx context.Context, back []limit.Return) error {
	var calls []call
	minutes := map[int64]int{}
	for _, b := range back {
		members := call{script: limitReturn}
		for _, c := range b.Members {
			members.keys = append(members.keys, l.meter(c.From, c.Place))
			members.args = append(members.args, c.Member, c.Stamp, c.Previous)
		}
		if len(members.keys) > 0 {
			calls = append(calls, members)
		}
		if b.Minute > 0 {
			minutes[b.Minute]++
		}
	}
	if len(minutes) > 0 {
		all := call{limitReturnAll, []string{l.all()}, []any{rand.Text()}}
		for minute, n := range minutes {
			all.args = append(all.args, minute, n)
		}
		calls = append(calls, all)
	}
	if len(calls) == 0 {
		return nil
	}
	_, err := l.run(ctx, calls)
	return err
}

// Forget implements limit.Counters.
func (l *Limits) Forget(ctx context.Context, from origin.Origin, place limit.Place) error {
	return unavailable(l.client.Del(ctx, l.meter(from, place)).Err())
}

// ForgetAll implements limit.Counters.
func (l *Limits) ForgetAll(ctx context.Context) error {
	return unavailable(l.client.Del(ctx, l.all()).Err())
}

// call is one script with what it is given. It answers with whole numbers.
type call struct {
	script *redis.Script
	keys   []string
	args   []any
}

// run runs calls in one round trip, and once more those whose script Redis did not know yet.
func (l *Limits) run(ctx context.Context, calls []call) ([][]int64, error) {
	answers := make([]*redis.Cmd, len(calls))
	_, err := l.client.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i, c := range calls {
			answers[i] = c.script.EvalSha(ctx, p, c.keys, c.args...)
		}
		return nil
	})
	if err != nil {
		_, err = l.client.Pipelined(ctx, func(p redis.Pipeliner) error {
			for i, c := range calls {
				if redis.HasErrorPrefix(answers[i].Err(), "NOSCRIPT") {
					answers[i] = c.script.Eval(ctx, p, c.keys, c.args...)
				}
			}
			return nil
		})
	}
	replies := make([][]int64, len(calls))
	for i, answer := range answers {
		reply, failed := answer.Int64Slice()
		if failed != nil {
			return nil, unavailable(failed)
		}
		replies[i] = reply
	}
	return replies, unavailable(err)
}

// meter is the key of one meter. What is in braces chooses the slot of a Cluster.
func (l *Limits) meter(from origin.Origin, place limit.Place) string {
	key := l.prefix + "limit:{" + string(from.Network) + "}:" + string(place.Kind)
	if place.Around == limit.Source {
		key += ":" + string(from.Source)
	}
	return key
}

func (l *Limits) all() string { return l.prefix + "limit:{all}:guesses" }

func (l *Limits) clock() any {
	if l.now == nil {
		return ""
	}
	return strconv.FormatInt(l.now().UnixMilli(), 10)
}
