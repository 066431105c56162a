package config

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestDecimal(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]Decimal{
		"0": 0, "12": 12_000_000, "0.05": 50_000, "0.000001": 1, "999999999.999999": 999_999_999_999_999, "007.50": 7_500_000,
	} {
		got, err := parseDecimal(text)
		require.NoError(t, err, text)
		require.Equal(t, want, got, text)
	}
	for _, text := range []string{"", "-1", "+1", ".5", "5.", "1,5", "1e3", "1e999999999", "0x10", "1_000", "0.0000001", "1234567890", "NaN", "1/3", " 1"} {
		_, err := parseDecimal(text)
		require.ErrorContains(t, err, "want a number such as 12 or 0.05", text)
	}
	for number, want := range map[Decimal]string{0: "0", 1: "0.000001", 50_000: "0.05", 20_000_000: "20", 100_000_000: "100", 7_500_000: "7.5"} {
		require.Equal(t, want, number.String())
		again, err := parseDecimal(want)
		require.NoError(t, err)
		require.Equal(t, number, again)
	}
	asJSON, err := json.Marshal(Decimal(50_000))
	require.NoError(t, err)
	require.JSONEq(t, `"0.05"`, string(asJSON))
}
