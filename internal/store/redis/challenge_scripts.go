package redis

import "github.com/redis/go-redis/v9"

// The scripts say in Lua what otp.Limits say in Go: where one changes, so does the other, and the walk
// of otptest finds what differs. They judge before they write, so what is refused has no effect (T7).
//
// KEYS are the challenge's hash and the number's. Of the latter's fields, guesses, texts and networks are
// lists in one text each, a line per entry, the oldest first:
//
//	guesses   TIME SOURCE ATTEMPT    wrong guesses of the last 24 h (T1)
//	texts     TIME SOURCE GAP NONCE  texts of the last 24 h (M3); GAP is an otp.Gap
//	networks  TIME NETWORK           the last sign-in from each
//	row, last                        wrong guesses in a row, and the time of the last (T2)
//
// All times are Unix milliseconds. A few dozen lines are read and written faster so than as sorted sets.

// clock sets the local now: the caller's if it sent one, else Redis's own.
const clock = `
local now = tonumber(ARGV[1])
if not now then
  local t = redis.call('TIME')
  now = t[1] * 1000 + math.floor(t[2] / 1000)
end
`

// judging reads the number and has what both scripts ask of it. call names the call, by the nonce where opening
// and else by the attempt: what an earlier run
// of the same call counted is taken back first, so this one is judged and answered as that was.
const judging = clock + `
local call, digest, record_only = ARGV[7], ARGV[8], ARGV[9]
local nonce_of_call, attempt_of_call = opening and call, not opening and call
local source, network, listed, strict = ARGV[2], ARGV[3], ARGV[4] == '1', ARGV[5] == '1'
-- trusted_only lets in who is trusted, known_only not for being listed.
local trusted_only, known_only = ARGV[6] == '1', ARGV[6] == '2'
local l = {}
for i = 10, #ARGV do l[i - 9] = tonumber(ARGV[i]) end
local lifetime, renew_below, gap, code_own, code_all, strict_own, strict_all = unpack(l, 1, 7)
local number_own, number_own_listed, number_all, alarm, in_a_row, row_kept, trust_for = unpack(l, 8, 14)
local own_hour, own_day, all_hour, all_day, all_day_listed, all_day_known, kept, kept_networks = unpack(l, 15, 22)
local hour, day = 3600000, 86400000

local number = redis.call('HMGET', KEYS[2], 'guesses', 'texts', 'networks', 'row', 'last')
local row, last = tonumber(number[4]) or 0, tonumber(number[5]) or 0
if now - last >= row_kept then row = 0 end

local known, networks = false, {}
for line, at, name in string.gmatch(number[3] or '', '((%d+) (%S+)\n)') do
  if now - at < trust_for then
    if name == network then known = true else networks[#networks + 1] = line end
  end
end
local trusted = listed or known
local outside = trusted_only and not trusted or known_only and not known
if listed then number_own = number_own_listed end
local code_dead = code_all
if strict and not trusted then
  code_own, code_all = math.min(code_own, strict_own), math.min(code_all, strict_all)
end

local guesses, guesses_others, guesses_at, guesses_own_at, repeated = {}, {}, {}, {}, false
for line, at, by, attempt in string.gmatch(number[1] or '', '((%d+) (%S+) ([^\n]*)\n)') do
  at = tonumber(at)
  local counts = now - at < day
  if counts and attempt == attempt_of_call then
    repeated, row = true, math.max(0, row - 1)
  elseif counts then
    guesses_at[#guesses_at + 1] = at
    if by == source then
      guesses_own_at[#guesses_own_at + 1] = at
    else
      guesses_others[#guesses_others + 1] = line
    end
    guesses[#guesses + 1] = line
  end
end

local texts, texts_at, texts_own_at, own_last, resend, renew = {}, {}, {}, 0, 0, 0
for line, at, by, fate, nonce in string.gmatch(number[2] or '', '((%d+) (%S+) (%d) ([^\n]*)\n)') do
  at = tonumber(at)
  if nonce ~= nonce_of_call and now - at < day then
    texts[#texts + 1] = line
    texts_at[#texts_at + 1] = at
    if by == source then
      texts_own_at[#texts_own_at + 1] = at
      own_last = #texts
      local left = math.max(0, at + gap - now)
      resend, renew = 0, 0
      if fate == '0' then resend = left end
      if fate ~= '2' then renew = left end
    end
  end
end

-- wait is how long it takes until fewer than limit of events are in the window; a limit of 0 is none.
local function wait(events, limit, window)
  if limit == 0 or #events < limit then return 0 end
  local recent = {}
  for _, at in ipairs(events) do
    if now - at < window then recent[#recent + 1] = at end
  end
  local over = #recent - limit
  if over < 0 then return 0 end
  return recent[over + 1] + window - now
end

-- refuse takes note that the rule, a place in record_only, refuses for so long.
local worst, longest, noted = 0, 0, {}
local function refuse(rule, wait)
  if wait <= 0 then return end
  if string.sub(record_only, rule, rule) == '1' then
    noted[#noted + 1] = tostring(rule)
  elseif wait > longest then
    worst, longest = rule, wait
  end
end

local function judge_number()
  refuse(3, wait(guesses_own_at, number_own, day))
  if trusted then return end
  refuse(4, wait(guesses_at, number_all, day))
  if in_a_row > 0 and row >= in_a_row then refuse(5, last + row_kept - now) end
end

local function newest(lines, most)
  return table.concat(lines, '', math.max(1, #lines - most + 1))
end

-- keep writes fields of the number, and lets it expire with what is kept longest.
local function keep(...)
  redis.call('HSET', KEYS[2], ...)
  local longest = day
  if row > 0 then longest = math.max(longest, row_kept) end
  if #networks > 0 or known then longest = math.max(longest, trust_for) end
  redis.call('PEXPIRE', KEYS[2], longest)
end
`

// openScript answers with a verdict, a nonce, milliseconds (of the code's life, or to wait), the rule that
// refuses, whether the origin is trusted, and the rules noted.
var openScript = redis.NewScript(`local opening = true` + judging + `
if outside then return {'untrusted', '', 0, 0, 0, ''} end
local c = redis.call('HMGET', KEYS[1], 'n', 'd', 'e', 'g', 's:' .. source)
local left, tried, own = (tonumber(c[3]) or 0) - now, tonumber(c[4]) or 0, tonumber(c[5]) or 0
local living = c[2] and left > 0 and tried < code_dead
local usable = living and tried < code_all and own < code_own
local function answer(verdict, nonce, ms)
  return {verdict, nonce, ms, worst, known and 1 or 0, table.concat(noted, ' ')}
end

judge_number()
local again = usable and left >= renew_below
if usable and renew > 0 and string.sub(record_only, 6, 6) ~= '1' then
  if worst > 0 then return answer('throttled', '', longest) end
  if resend > 0 or not again then return answer('quiet', c[1], left) end
  -- The last text was not sent: this one takes its place, time and count, so that nothing shows.
  texts[own_last] = string.format('%d %s 0 %s\n', texts_own_at[#texts_own_at], source, call)
  keep('texts', newest(texts, kept))
  return answer('send', c[1], left)
end
if living and not usable and left >= renew_below then
  refuse(own >= code_own and 1 or 2, left - renew_below + 1)
end
refuse(6, again and resend or renew)
refuse(7, wait(texts_own_at, own_hour, hour))
refuse(8, wait(texts_own_at, own_day, day))
if not trusted then refuse(9, wait(texts_at, all_hour, hour)) end
refuse(10, wait(texts_at, listed and all_day_listed or known and all_day_known or all_day, day))
if worst > 0 then return answer('throttled', '', longest) end

texts[#texts + 1] = string.format('%d %s 0 %s\n', now, source, call)
keep('texts', newest(texts, kept))
if again then return answer('send', c[1], left) end
redis.call('DEL', KEYS[1])
redis.call('HSET', KEYS[1], 'n', call, 'd', digest, 'e', now + lifetime)
redis.call('PEXPIRE', KEYS[1], lifetime)
return answer('send', call, lifetime)
`)

// redeemScript answers with a verdict, a nonce, a number (how often it was restored, or milliseconds to
// wait), the rule that refuses, failures, the rules noted, and whether this is the guess for the alarm.
var redeemScript = redis.NewScript(`local opening = false` + judging + `
local c = redis.call('HMGET', KEYS[1], 'd', 'e', 'g', 's:' .. source, 'a', 'n', 'r', 'f', 'o')
local restored = tonumber(c[7]) or 0
if c[5] and c[5] == call then return {'right', c[6], restored, 0, tonumber(c[8]) or 0, c[9] or '', 0} end
if outside then return {'untrusted', '', 0, 0, 0, '', 0} end
local living = (tonumber(c[2]) or 0) > now
local tried, own = 0, 0
if living then
  tried, own = tonumber(c[3]) or 0, tonumber(c[4]) or 0
  if repeated then tried, own = math.max(0, tried - 1), math.max(0, own - 1) end
  if tried >= code_all or own >= code_own then return {'spent', '', 0, 0, 0, '', 0} end
end
judge_number()
noted = table.concat(noted, ' ')
if worst > 0 then return {'blocked', '', longest, worst, 0, noted, 0} end

if living and c[1] and c[1] == digest then
  local failures = math.min(row, #guesses)
  redis.call('HSET', KEYS[1], 'u', digest, 'a', call, 'f', failures, 'o', noted)
  redis.call('HDEL', KEYS[1], 'd')
  for i, line in ipairs(texts) do
    local at, by, nonce = string.match(line, '^(%d+) (%S+) %d ([^\n]*)\n')
    if by == source then texts[i] = at .. ' ' .. by .. ' 2 ' .. nonce .. '\n' end
  end
  if network ~= '' and trust_for > 0 then networks[#networks + 1] = string.format('%d %s\n', now, network) end
  row = 0
  keep('guesses', table.concat(guesses_others), 'texts', table.concat(texts),
    'networks', newest(networks, kept_networks), 'row', row)
  return {'right', c[6], restored, 0, failures, noted, 0}
end

if not living then
  redis.call('DEL', KEYS[1])
  redis.call('HSET', KEYS[1], 'e', now + lifetime)
  redis.call('PEXPIRE', KEYS[1], lifetime)
end
redis.call('HSET', KEYS[1], 'g', tried + 1, 's:' .. source, own + 1)
guesses[#guesses + 1] = string.format('%d %s %s\n', now, source, call)
row = row + 1
keep('guesses', newest(guesses, kept), 'row', row, 'last', now)
return {'wrong', '', 0, 0, 0, noted, #guesses == alarm and 1 or 0}
`)

// A code that was replaced meanwhile, or that somebody else has used, stays used: an attempt that
// never arrived must not bring back what another one took.
var restoreScript = redis.NewScript(`
if redis.call('HGET', KEYS[1], 'a') == ARGV[1] then
  redis.call('HSET', KEYS[1], 'd', redis.call('HGET', KEYS[1], 'u'))
  redis.call('HDEL', KEYS[1], 'u', 'a', 'f', 'o')
  redis.call('HINCRBY', KEYS[1], 'r', 1)
end
return 1
`)

// Only the gap that the text of this nonce began ends; that of a later text stays.
var releaseScript = redis.NewScript(`
local texts, freed = redis.call('HGET', KEYS[1], 'texts') or '', false
texts = string.gsub(texts, '(%d+ %S+ )0( ([^\n]*)\n)', function(before, after, nonce)
  if nonce == ARGV[1] then
    freed = true
    return before .. '1' .. after
  end
end)
if freed then redis.call('HSET', KEYS[1], 'texts', texts) end
return 1
`)

var withdrawScript = redis.NewScript(`
local texts, forgotten = redis.call('HGET', KEYS[1], 'texts') or '', false
texts = string.gsub(texts, '%d+ %S+ %d ([^\n]*)\n', function(nonce)
  if nonce == ARGV[1] then
    forgotten = true
    return ''
  end
end)
if forgotten then redis.call('HSET', KEYS[1], 'texts', texts) end
return 1
`)

// stateScript hands out the number as it is, and the clock to judge it by.
var stateScript = redis.NewScript(clock + `
local number = redis.call('HMGET', KEYS[1], 'guesses', 'texts', 'networks', 'row', 'last')
for i = 1, 5 do number[i] = number[i] or '' end
return {now, unpack(number)}
`)
