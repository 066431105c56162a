package limittest_test

import (
	"testing"
	"time"

	"github.com/latchkey-id/latchkey/internal/limit"
	"github.com/latchkey-id/latchkey/internal/limit/limittest"
)

func TestMemory(t *testing.T) {
	limittest.TestStore(t, func(_ *testing.T, now func() time.Time) limit.Store { return limittest.NewMemory(now) })
}
