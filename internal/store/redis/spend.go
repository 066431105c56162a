package redis

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/latchkey-id/latchkey/internal/spend"
)

// Spend is a spend.Store. It is safe for concurrent use.
//
// Each window is a hash of its counters and of "at", the number of the window that they are of. The
// first text of the next window empties it: keys must be named before a script runs, and only the
// script knows the time. Pauses are one hash: until:COUNTRY, from:COUNTRY (Unix ms) and by:COUNTRY, the call that
// began it. A call that counted leaves a ticket: the windows that it counted in, and its answer.
//
// All keys lie in one slot of a Cluster, so all texts pass through one server. A Take costs it 50 to
// 70 µs, which is more texts a second than any provider takes.
type Spend struct {
	client redis.UniversalClient
	prefix string
	// now is nil to go by the clock of Redis, which is one for all replicas.
	now func() time.Time
}

// NewSpend returns a store that keeps its keys behind prefix.
func NewSpend(client redis.UniversalClient, prefix string) *Spend {
	return &Spend{client: client, prefix: prefix + "{spend}:"}
}

// WithClock returns a copy that goes by now instead of the clock of Redis, for tests of time.
func (s *Spend) WithClock(now func() time.Time) *Spend {
	with := *s
	with.now = now
	return &with
}

// spendWindows is spend.Window.At in Lua. KEYS 1 to 4 are the windows in spend's order; kept are those whose
// counters are of now. A hash outlives its window, for a clock that steps back.
const spendWindows = clock + `
local length = {60000, 3600000, 3600000, 86400000}
local at, kept = {}, {}
for w = 1, 4 do
  local this, stored = math.floor(now / length[w]), tonumber(redis.call('HGET', KEYS[w], 'at'))
  kept[w] = stored == this or stored == this + 1
  at[w] = kept[w] and stored or this
end

local function count(w, name)
  return kept[w] and tonumber(redis.call('HGET', KEYS[w], name)) or 0
end

local function open(w)
  if kept[w] then return end
  redis.call('DEL', KEYS[w])
  redis.call('HSET', KEYS[w], 'at', at[w])
  redis.call('PEXPIRE', KEYS[w], 3 * length[w])
  kept[w] = true
end
`

// KEYS[5] pauses, KEYS[6] the ticket. ARGV[2] the ticket's life, ARGV[3] how many checks follow, each of
// checkArgs, and then the counts: window, name, what to add.
var spendTakeScript = redis.NewScript(spendWindows + `
local again = redis.call('HMGET', KEYS[6], 'noted', 'tell')
if again[1] then return {-1, again[1], again[2]} end

local life, checks = tonumber(ARGV[2]), tonumber(ARGV[3])
local refused, noted, tell = -1, '', ''
local i = 4
for c = 0, checks - 1 do
  local kind, w, name, add, limit = ARGV[i], tonumber(ARGV[i+1]), ARGV[i+2], tonumber(ARGV[i+3]), tonumber(ARGV[i+4])
  local level, reached = 1, false
  if kind == 'paused' then
    reached = (tonumber(redis.call('HGET', KEYS[5], 'until:' .. name)) or 0) > now
  else
    level = 1 + count(tonumber(ARGV[i+5]), ARGV[i+6])
    reached = count(w, name) + add > limit * level
  end
  if reached then
    local tw, told, mode = tonumber(ARGV[i+7]), ARGV[i+8], ARGV[i+9]
    if told ~= '' and count(tw, told) < level then
      open(tw)
      redis.call('HSET', KEYS[tw], told, level)
      tell = tell .. c .. ' '
    end
    if mode == 'refuse' then
      refused = c
      break
    end
    if mode == 'record' then noted = noted .. c .. ' ' end
  end
  i = i + 10
end
if refused >= 0 then return {refused, noted, tell} end

for j = 4 + 10 * checks, #ARGV, 3 do
  local w = tonumber(ARGV[j])
  open(w)
  redis.call('HINCRBY', KEYS[w], ARGV[j+1], ARGV[j+2])
end
redis.call('HSET', KEYS[6], 'noted', noted, 'tell', tell, 'until', now + life,
  'w1', at[1], 'w2', at[2], 'w3', at[3], 'w4', at[4])
redis.call('PEXPIRE', KEYS[6], life)
return {-1, noted, tell}
`)

// spendModes are what the script calls spend's modes.
var spendModes = map[spend.Mode]string{spend.Refuse: "refuse", spend.Record: "record", spend.Watch: "watch"}

// Take implements spend.Store.
func (s *Spend) Take(ctx context.Context, id string, p spend.Plan) (spend.Outcome, error) {
	args := []any{s.clock(), spend.TicketLife.Milliseconds(), len(p.Checks)}
	for _, c := range p.Checks {
		kind, name := "count", c.Counter.Name
		if c.Paused != "" {
			kind, name = "paused", c.Paused
		}
		args = append(args, kind, windowKey(c.Counter.Window), name, c.Add, c.Limit,
			windowKey(c.Raised.Window), c.Raised.Name, windowKey(c.Told.Window), c.Told.Name, spendModes[c.Mode])
	}
	for _, c := range p.Counts {
		args = append(args, windowKey(c.Window), c.Name, c.Add)
	}
	reply, err := spendTakeScript.Run(ctx, s.client, s.keys(id), args...).Slice()
	if err != nil {
		return spend.Outcome{}, unavailable(err)
	}
	return spendOutcome(reply, len(p.Checks))
}

// spendOutcome reads the script's answer; one that is not understood must not pass for "send".
func spendOutcome(reply []any, checks int) (spend.Outcome, error) {
	if len(reply) != 3 {
		return spend.Outcome{}, fmt.Errorf("redis: spend script answered %d values", len(reply))
	}
	refused, isNumber := reply[0].(int64)
	if !isNumber || refused < -1 || refused >= int64(checks) {
		return spend.Outcome{}, fmt.Errorf("redis: spend script answered %v", reply[0])
	}
	out := spend.Outcome{Refused: int(refused)}
	for i, into := range []*[]int{&out.Noted, &out.Tell} {
		list, _ := reply[i+1].(string)
		for _, field := range strings.Fields(list) {
			check, err := strconv.Atoi(field)
			if err != nil || check < 0 || check >= checks {
				return spend.Outcome{}, fmt.Errorf("redis: spend script answered check %q", field)
			}
			*into = append(*into, check)
		}
	}
	return out, nil
}

// The ticket goes first, so that nothing comes back twice. Windows are compared as Redis wrote them.
var spendReturnScript = redis.NewScript(clock + `
local t = redis.call('HMGET', KEYS[6], 'until', 'w1', 'w2', 'w3', 'w4')
redis.call('DEL', KEYS[6])
if not t[1] or tonumber(t[1]) <= now then return 0 end
for j = 2, #ARGV, 3 do
  local w = tonumber(ARGV[j])
  if redis.call('HGET', KEYS[w], 'at') == t[w+1] then
    redis.call('HINCRBY', KEYS[w], ARGV[j+1], ARGV[j+2])
  end
end
return 1
`)

// Return implements spend.Store.
func (s *Spend) Return(ctx context.Context, id string, counts []spend.Count) error {
	args := []any{s.clock()}
	for _, c := range counts {
		args = append(args, windowKey(c.Window), c.Name, -c.Add)
	}
	return unavailable(spendReturnScript.Run(ctx, s.client, s.keys(id), args...).Err())
}

var spendRaiseScript = redis.NewScript(spendWindows + `
if redis.call('EXISTS', KEYS[6]) == 1 then return 0 end
local w = tonumber(ARGV[3])
open(w)
redis.call('HINCRBY', KEYS[w], ARGV[4], 1)
redis.call('HSET', KEYS[6], 'raised', 1)
redis.call('PEXPIRE', KEYS[6], ARGV[2])
return 1
`)

// Raise implements spend.Store.
func (s *Spend) Raise(ctx context.Context, id string, c spend.Counter) error {
	return unavailable(spendRaiseScript.Run(ctx, s.client, s.keys(id),
		s.clock(), spend.TicketLife.Milliseconds(), windowKey(c.Window), c.Name).Err())
}

var spendPauseScript = redis.NewScript(clock + `
local id, country, from, pause, keep = ARGV[2], ARGV[3], tonumber(ARGV[4]), tonumber(ARGV[5]), ARGV[6]
local p = redis.call('HMGET', KEYS[5], 'until:' .. country, 'from:' .. country, 'by:' .. country)
if p[3] == id then return 1 end
if (tonumber(p[1]) or 0) > now or (tonumber(p[2]) or 0) ~= from then return 0 end
redis.call('HSET', KEYS[5], 'until:' .. country, now + pause, 'from:' .. country, now + pause, 'by:' .. country, id)
redis.call('PEXPIRE', KEYS[5], keep)
return 1
`)

// Pause implements spend.Store.
func (s *Spend) Pause(
	ctx context.Context, id, country string, from time.Time, pause, keep time.Duration,
) (bool, error) {
	paused, err := spendPauseScript.Run(ctx, s.client, s.keys(id),
		s.clock(), id, country, pauseMilli(from), pause.Milliseconds(), keep.Milliseconds()).Bool()
	return paused, unavailable(err)
}

var spendResumeScript = redis.NewScript(clock + `
local country = ARGV[2]
if (tonumber(redis.call('HGET', KEYS[5], 'until:' .. country)) or 0) <= now then return 0 end
redis.call('HSET', KEYS[5], 'until:' .. country, now, 'from:' .. country, now)
redis.call('HDEL', KEYS[5], 'by:' .. country)
return 1
`)

// Resume implements spend.Store.
func (s *Spend) Resume(ctx context.Context, country string) error {
	return unavailable(spendResumeScript.Run(ctx, s.client, s.keys(""), s.clock(), country).Err())
}

// keys returns all that a script may touch: the windows in spend's order, the pauses, the ticket.
func (s *Spend) keys(id string) []string {
	return []string{
		s.prefix + "minute", s.prefix + "hour", s.prefix + "blocks", s.prefix + "day",
		s.prefix + "pauses", s.prefix + "ticket:" + id,
	}
}

func (s *Spend) clock() any {
	if s.now == nil {
		return ""
	}
	return s.now().UnixMilli()
}

// windowKey is the number of the window's key, as Lua counts.
func windowKey(w spend.Window) int { return int(w) + 1 }

// pauseMilli is 0 for the zero time, which no pause ends at.
func pauseMilli(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}
