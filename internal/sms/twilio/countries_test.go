package twilio_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-id/latchkey/internal/sms/twilio"
	"github.com/latchkey-id/latchkey/internal/sms/twiliotest"
)

func TestCountries(t *testing.T) {
	t.Parallel()
	server, base := standIn(t)
	sender := newSender(t, options(base))
	_, err := sender.Countries(t.Context())
	require.ErrorIs(t, err, twilio.ErrMayNotRead)

	server.AllowCountries(map[string]bool{"US": true, "GB": true, "FR": false})
	countries, err := sender.Countries(t.Context())
	require.NoError(t, err)
	require.Equal(t, []string{"GB", "US"}, countries)

	for _, tc := range []struct {
		name  string
		fault twiliotest.Fault
		want  []string
		err   string
	}{
		{"prefixes of a country are not the country", twiliotest.JSON(200, `{"permissions":[{"country_code":"LV","type":"prefix","enabled":true},
			{"country_code":"de","type":"country","enabled":true},{"country_code":"DE","enabled":true}]}`), []string{"DE"}, ""},
		{"none", twiliotest.JSON(200, `{"permissions":[]}`), []string{}, ""},
		{"another form", twiliotest.JSON(200, `{"permissions":{"GB":true}}`), nil, "a form that Latchkey does not know"},
		{"nothing in it", twiliotest.JSON(200, `{}`), nil, "HTTP status 200"},
		{"page", twiliotest.HTML(200), nil, "HTTP status 200"},
		{"failed", twiliotest.HTML(502), nil, "HTTP status 502"},
		{"refused", twiliotest.Refused(401, 20003), nil, twilio.ErrMayNotRead.Error()},
	} {
		server.Script(tc.fault)
		countries, err := sender.Countries(t.Context())
		if tc.err != "" {
			require.ErrorContains(t, err, tc.err, tc.name)
			continue
		}
		require.NoError(t, err, tc.name)
		require.Equal(t, tc.want, countries, tc.name)
	}
}
