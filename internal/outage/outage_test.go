package outage_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-id/latchkey/internal/outage"
)

func TestIs(t *testing.T) {
	wrapped := outage.Wrap("redis", io.ErrUnexpectedEOF)
	for name, tc := range map[string]struct {
		err  error
		want bool
	}{
		"nil":                    {nil, false},
		"another error":          {io.ErrUnexpectedEOF, false},
		"a deadline":             {context.DeadlineExceeded, false},
		"an outage":              {wrapped, true},
		"an outage inside":       {fmt.Errorf("open challenge: %w", wrapped), true},
		"joined with others":     {errors.Join(io.EOF, wrapped), true},
		"its text alone":         {errors.New(wrapped.Error()), false},
		"inside, not unwrapped":  {fmt.Errorf("open challenge: %v", wrapped), false}, //nolint:errorlint // the point
		"an outage of an outage": {outage.Wrap("database", wrapped), true},
	} {
		t.Run(name, func(t *testing.T) { require.Equal(t, tc.want, outage.Is(tc.err)) })
	}
}

func TestAnOutageKeepsItsCause(t *testing.T) {
	err := outage.Wrap("redis", io.ErrUnexpectedEOF)
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
	require.EqualError(t, err, "redis unavailable: unexpected EOF")
	var typed *outage.Error
	require.ErrorAs(t, fmt.Errorf("outer: %w", err), &typed)
	require.Equal(t, "redis", typed.Store)
}
