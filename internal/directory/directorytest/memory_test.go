package directorytest_test

import (
	"testing"
	"time"

	"github.com/latchkey-id/latchkey/internal/directory"
	"github.com/latchkey-id/latchkey/internal/directory/directorytest"
)

func TestMemory(t *testing.T) {
	directorytest.TestStore(t, func(*testing.T) directory.Store { return directorytest.NewMemory(time.Now) })
}
