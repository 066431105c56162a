package redis

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/latchkey-id/latchkey/internal/keyring"
)

// KeyWitness remembers which signing keys matter, in one sorted set by the time until when.
type KeyWitness struct {
	client redis.UniversalClient
	key    string
	now    func() time.Time
}

// NewKeyWitness returns that of the installation whose keys begin with prefix.
func NewKeyWitness(client redis.UniversalClient, prefix string, now func() time.Time) *KeyWitness {
	return &KeyWitness{client, prefix + "signing-keys", now}
}

// Members of the set are a kid behind what it is remembered for.
const (
	live    = "live:"
	revoked = "revoked:"
)

// Remember implements keyring.Witness.
func (w *KeyWitness) Remember(ctx context.Context, marks []keyring.Mark) error {
	_, err := w.client.Pipelined(ctx, func(p redis.Pipeliner) error {
		for _, m := range marks {
			member := live + m.KID
			if m.Revoked {
				member = revoked + m.KID
				p.ZRem(ctx, w.key, live+m.KID)
			}
			p.ZAdd(ctx, w.key, redis.Z{Score: float64(m.Until.Unix()), Member: member})
		}
		p.ZRemRangeByScore(ctx, w.key, "-inf", strconv.FormatInt(w.now().Unix(), 10))
		return nil
	})
	return unavailable(err)
}

// Recall implements keyring.Witness.
func (w *KeyWitness) Recall(ctx context.Context) ([]keyring.Mark, error) {
	members, err := w.client.ZRangeByScoreWithScores(ctx, w.key, &redis.ZRangeBy{
		Min: "(" + strconv.FormatInt(w.now().Unix(), 10), Max: "+inf", Count: 1000,
	}).Result()
	if err != nil {
		return nil, unavailable(err)
	}
	var marks []keyring.Mark
	for _, z := range members {
		member, _ := z.Member.(string)
		kid, isLive := strings.CutPrefix(member, live)
		kid, isRevoked := strings.CutPrefix(kid, revoked)
		if isLive || isRevoked {
			marks = append(marks, keyring.Mark{KID: kid, Revoked: isRevoked, Until: time.Unix(int64(z.Score), 0)})
		}
	}
	return marks, nil
}
