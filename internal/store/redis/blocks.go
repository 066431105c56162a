package redis

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/latchkey-id/latchkey/internal/limit"
	"github.com/latchkey-id/latchkey/internal/rule"
)

// The list of blocks lies in one slot: a sorted set of ids by end (Unix ms), a hash from id to what
// does not change (since, rule and subject, with spaces between), and one from id to count. Whoever writes to it
// takes out what is over; with the last block it expires.

// blocksNote adds blocks: for each id, until, about, count. The answer is, for each, 1 if it is new.
var blocksNote = redis.NewScript(clock + `
local ends, about, counts, most = KEYS[1], KEYS[2], KEYS[3], tonumber(ARGV[2])
local function remove(ids)
  for _, id in ipairs(ids) do
    redis.call('ZREM', ends, id)
    redis.call('HDEL', about, id)
    redis.call('HDEL', counts, id)
  end
end
remove(redis.call('ZRANGEBYSCORE', ends, '-inf', now, 'LIMIT', 0, 2000))

local fresh = {}
for i = 3, #ARGV, 4 do
  local id, till = ARGV[i], tonumber(ARGV[i + 1])
  local listed = tonumber(redis.call('ZSCORE', ends, id))
  local isnew = till > now and (not listed or listed <= now)
  fresh[#fresh + 1] = isnew and 1 or 0
  if isnew then
    remove({id})
    redis.call('HSET', about, id, ARGV[i + 2])
  end
  if till > now then
    redis.call('HINCRBY', counts, id, ARGV[i + 3])
    redis.call('ZADD', ends, math.max(till, listed or 0), id)
  end
end
local beyond = redis.call('ZCARD', ends) - most
if beyond > 0 then remove(redis.call('ZRANGE', ends, 0, beyond - 1)) end

local last = redis.call('ZREVRANGE', ends, 0, 0, 'WITHSCORES')
if last[2] then
  for _, key in ipairs(KEYS) do redis.call('PEXPIRE', key, tonumber(last[2]) - now) end
end
return fresh
`)

// Note implements limit.Registry.
func (l *Limits) Note(ctx context.Context, blocks []limit.Block) ([]limit.Block, error) {
	args := []any{l.clock(), limit.MaxBlocks}
	for _, b := range blocks {
		about := fmt.Sprintf("%d %s %s", b.Since.UnixMilli(), b.Rule, b.Subject)
		args = append(args, b.ID, b.Until.UnixMilli(), about, b.Count)
	}
	answer, err := blocksNote.Run(ctx, l.client, l.blocks(), args...).Int64Slice()
	if err != nil {
		return nil, unavailable(err)
	}
	if len(answer) != len(blocks) {
		return nil, fmt.Errorf("redis: the note script answered %d values for %d blocks", len(answer), len(blocks))
	}
	var fresh []limit.Block
	for i, b := range blocks {
		if answer[i] == 1 {
			fresh = append(fresh, b)
		}
	}
	return fresh, nil
}

// blocksList reads blocks: that of an id, or at most so many. The answer is, for each: id, until,
// about, count.
var blocksList = redis.NewScript(clock + `
local id, most = ARGV[2], ARGV[3]
local ids
if id ~= '' then
  ids = {id, redis.call('ZSCORE', KEYS[1], id) or '0'}
else
  ids = redis.call('ZREVRANGEBYSCORE', KEYS[1], '+inf', '(' .. now, 'WITHSCORES', 'LIMIT', 0, most)
end
local answer = {}
for i = 1, #ids, 2 do
  if tonumber(ids[i + 1]) > now then
    answer[#answer + 1] = ids[i]
    answer[#answer + 1] = string.format('%.0f', tonumber(ids[i + 1]))
    answer[#answer + 1] = redis.call('HGET', KEYS[2], ids[i]) or ''
    answer[#answer + 1] = redis.call('HGET', KEYS[3], ids[i]) or '0'
  end
end
return answer
`)

// Noted implements limit.Registry.
func (l *Limits) Noted(ctx context.Context, most int) ([]limit.Block, error) {
	if most <= 0 {
		return nil, nil
	}
	return l.listBlocks(ctx, "", most)
}

// Block implements limit.Registry.
func (l *Limits) Block(ctx context.Context, id string) (limit.Block, error) {
	if id == "" {
		return limit.Block{}, limit.ErrNoBlock
	}
	found, err := l.listBlocks(ctx, id, 1)
	if err != nil {
		return limit.Block{}, err
	}
	if len(found) == 0 {
		return limit.Block{}, limit.ErrNoBlock
	}
	return found[0], nil
}

func (l *Limits) listBlocks(ctx context.Context, id string, most int) ([]limit.Block, error) {
	answer, err := blocksList.Run(ctx, l.client, l.blocks(), l.clock(), id, most).StringSlice()
	if err != nil {
		return nil, unavailable(err)
	}
	blocks := make([]limit.Block, 0, len(answer)/4)
	for ; len(answer) >= 4; answer = answer[4:] {
		b, err := parseBlock(answer)
		if err != nil {
			return nil, fmt.Errorf("redis: the block %q: %w", answer[0], err)
		}
		blocks = append(blocks, b)
	}
	return blocks, nil
}

// parseBlock reads four values of blocksList.
func parseBlock(answer []string) (limit.Block, error) {
	since, about, _ := strings.Cut(answer[2], " ")
	name, subject, _ := strings.Cut(about, " ")
	b := limit.Block{ID: answer[0], Rule: rule.Name(name), Subject: subject}
	until, err := strconv.ParseInt(answer[1], 10, 64)
	if err != nil {
		return b, fmt.Errorf("its end: %w", err)
	}
	began, err := strconv.ParseInt(since, 10, 64)
	if err != nil {
		return b, fmt.Errorf("its beginning: %w", err)
	}
	b.Since, b.Until = time.UnixMilli(began), time.UnixMilli(until)
	if b.Count, err = strconv.Atoi(answer[3]); err != nil {
		return b, fmt.Errorf("its count: %w", err)
	}
	return b, nil
}

// Remove implements limit.Registry.
func (l *Limits) Remove(ctx context.Context, ids ...string) error {
	keys := l.blocks()
	members := make([]any, len(ids))
	for i, id := range ids {
		members[i] = id
	}
	_, err := l.client.TxPipelined(ctx, func(p redis.Pipeliner) error {
		p.ZRem(ctx, keys[0], members...)
		p.HDel(ctx, keys[1], ids...)
		p.HDel(ctx, keys[2], ids...)
		return nil
	})
	return unavailable(err)
}

func (l *Limits) blocks() []string {
	tag := l.prefix + "limit:{blocks}:"
	return []string{tag + "ends", tag + "about", tag + "counts"}
}
