package phone_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-id/latchkey/internal/phone"
)

func TestCountry(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ number, want string }{
		{"+447700900123", "GB"}, // fictional: in no plan
		{"+447400123456", "GB"},
		{"+447781123456", "GG"},
		{"+447624123456", "IM"},
		{"+12025550123", "US"}, // fictional, Washington
		{"+12125551234", "US"},
		{"+14165550123", "CA"}, // fictional, Toronto
		{"+16475551234", "CA"},
		{"+17875551234", "PR"},
		{"+18765551234", "JM"},
		{"+12995550123", "US"}, // fictional, in an area code that nobody has
		{"+12995551234", ""},   // the same, not fictional
		{"+79161234567", "RU"},
		{"+77011234567", "KZ"},
		{"+393491234567", "IT"},
		{"+85291234567", "HK"},
		{"+88213123456", ""}, // satellite
		{"+99912345678", ""}, // no such calling code
	} {
		n, err := phone.Stored(tc.number)
		require.NoError(t, err)
		require.Equal(t, tc.want, n.Country(), tc.number)
	}
	require.Empty(t, phone.Number{}.Country())
}

func BenchmarkCountry(b *testing.B) {
	n, err := phone.Stored("+447700900123")
	require.NoError(b, err)
	for b.Loop() {
		n.Country()
	}
}
