//go:build !kms

package kms

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestWithoutTheTagNothingOpens(t *testing.T) {
	require.False(t, Supported)
	require.Empty(t, Schemes())
	for _, url := range []string{places[0].example, "", "hashivault://latchkey"} {
		require.ErrorContains(t, Check(url), "this binary was built without KMS")
		_, _, err := Open(t.Context(), url, time.Second)
		require.ErrorContains(t, err, "make build TAGS=kms")
	}
}
