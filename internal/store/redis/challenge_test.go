package redis_test

import (
	"crypto/rand"
	"log/slog"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/stretchr/testify/require"

	"github.com/latchkey-id/latchkey/internal/otp"
	"github.com/latchkey-id/latchkey/internal/otp/otptest"
	"github.com/latchkey-id/latchkey/internal/store/redis"
)

func challenges(t *testing.T, address string, now func() time.Time) otp.Store {
	client, err := redis.Open(address, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	t.Cleanup(func() { _ = client.Close() })
	return redis.NewChallenges(client, "test:"+rand.Text()+":", otptest.Limits).WithClock(now)
}

func TestChallengesOnTheInProcessEngine(t *testing.T) {
	engine := miniredis.RunT(t)
	otptest.TestStore(t, func(t *testing.T, now func() time.Time) otp.Store {
		return challenges(t, "redis://"+engine.Addr(), now)
	})
}
