package otptest_test

import (
	"testing"
	"time"

	"github.com/latchkey-id/latchkey/internal/otp"
	"github.com/latchkey-id/latchkey/internal/otp/otptest"
)

func TestMemory(t *testing.T) {
	otptest.TestStore(t, func(_ testing.TB, limits otp.Limits, now func() time.Time) otp.Store {
		return otptest.NewMemory(limits, now)
	})
}
