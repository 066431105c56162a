package spendtest_test

import (
	"testing"
	"time"

	"github.com/latchkey-id/latchkey/internal/spend"
	"github.com/latchkey-id/latchkey/internal/spend/spendtest"
)

func TestMemory(t *testing.T) {
	spendtest.TestStore(t, func(_ *testing.T, now func() time.Time) spend.Store { return spendtest.NewMemory(now) })
}
