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

// Blocks are left out: they may be thousands, and nobody shows them.
var spendReadScript = redis.NewScript(spendWindows + `
local found = {}
for w = 1, 4 do found[w] = (kept[w] and w ~= 3) and redis.call('HGETALL', KEYS[w]) or {} end
return {now, at, found, redis.call('HGETALL', KEYS[5])}
`)

// Read implements spend.Store.
func (s *Spend) Read(ctx context.Context) (spend.State, error) {
	reply, err := spendReadScript.Run(ctx, s.client, s.keys(""), s.clock()).Slice()
	if err != nil {
		return spend.State{}, unavailable(err)
	}
	if len(reply) != 4 {
		return spend.State{}, fmt.Errorf("redis: spend script read %d values", len(reply))
	}
	now, _ := reply[0].(int64)
	at, _ := reply[1].([]any)
	found, _ := reply[2].([]any)
	if len(at) != spend.Windows || len(found) != spend.Windows {
		return spend.State{}, fmt.Errorf("redis: spend script read %d windows", len(found))
	}
	state := spend.State{
		Now: time.UnixMilli(now).UTC(), Counters: map[spend.Counter]int64{}, Pauses: map[string]spend.Pause{},
	}
	for i := range spend.Windows {
		kind := spend.Window(i)
		window, _ := at[i].(int64)
		state.Ends[i] = kind.End(window)
		for name, n := range hashNumbers(found[i]) {
			if name != "at" {
				state.Counters[spend.Counter{Window: kind, Name: name}] = n
			}
		}
	}
	for name, ms := range hashNumbers(reply[3]) {
		what, country, _ := strings.Cut(name, ":")
		p := state.Pauses[country]
		switch what {
		case "until":
			p.Until = time.UnixMilli(ms).UTC()
		case "from":
			p.JudgeFrom = time.UnixMilli(ms).UTC()
		}
		state.Pauses[country] = p
	}
	return state, nil
}

// hashNumbers reads those fields of a hash that are numbers.
func hashNumbers(hash any) map[string]int64 {
	fields, _ := hash.([]any)
	found := map[string]int64{}
	for i := 0; i+1 < len(fields); i += 2 {
		name, _ := fields[i].(string)
		text, _ := fields[i+1].(string)
		if n, err := strconv.ParseInt(text, 10, 64); err == nil {
			found[name] = n
		}
	}
	return found
}
