package oauth

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestFlag(t *testing.T) {
	const jsonType, formType = "application/json", "application/x-www-form-urlencoded"
	for _, tc := range []struct {
		name, media, body string
		want, refused     bool
	}{
		{"JSON, not there", jsonType, `{}`, false, false},
		{"JSON, another", jsonType, `{"Everywhere":true,"everywhere ":true}`, false, false},
		{"JSON null", jsonType, `{"everywhere":null}`, false, false},
		{"JSON, empty", jsonType, `{"everywhere":""}`, false, false},
		{"JSON true", jsonType, `{"everywhere":true}`, true, false},
		{"JSON false", jsonType, `{"everywhere":false}`, false, false},
		{"JSON text true", jsonType, `{"everywhere":"true"}`, true, false},
		{"JSON text false", jsonType, `{"everywhere":"false"}`, false, false},
		{"JSON, escaped", jsonType, `{"\u0065verywhere":"\u0074rue"}`, true, false},
		{"JSON text TRUE", jsonType, `{"everywhere":"TRUE"}`, false, true},
		{"JSON text null", jsonType, `{"everywhere":"null"}`, false, true},
		{"JSON blank", jsonType, `{"everywhere":" "}`, false, true},
		{"JSON 1", jsonType, `{"everywhere":1}`, false, true},
		{"JSON 0", jsonType, `{"everywhere":0}`, false, true},
		{"JSON text 1", jsonType, `{"everywhere":"1"}`, false, true},
		{"JSON array", jsonType, `{"everywhere":[]}`, false, true},
		{"JSON array of true", jsonType, `{"everywhere":[true]}`, false, true},
		{"JSON object", jsonType, `{"everywhere":{}}`, false, true},
		{"form, not there", formType, `x=1`, false, false},
		{"form, empty", formType, `everywhere=`, false, false},
		{"form, bare", formType, `everywhere`, false, false},
		{"form true", formType, `everywhere=true`, true, false},
		{"form false", formType, `everywhere=false`, false, false},
		{"form, escaped", formType, `%65verywhere=%74rue`, true, false},
		{"form yes", formType, `everywhere=yes`, false, true},
		{"form on", formType, `everywhere=on`, false, true},
		{"form 1", formType, `everywhere=1`, false, true},
		{"form, a space", formType, `everywhere=true+`, false, true},
		{"form, NUL", formType, `everywhere=true%00`, false, true},
		{"form array", formType, `everywhere[]=true`, false, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p, ok := parsed(t, tc.media, []byte(tc.body))
			require.True(t, ok)
			got, err := p.flag("everywhere")
			require.Equal(t, tc.want, got)
			if !tc.refused {
				require.NoError(t, err)
				return
			}
			var refusal *Error
			require.True(t, errors.As(err, &refusal))
			require.Equal(t, &Error{Status: 400, Code: "invalid_request", Description: "everywhere must be true or false."}, refusal)
		})
	}
}

// A JSON boolean is a flag's value and nobody else's: as text it would be a client_id or a token.
func TestABooleanIsNoText(t *testing.T) {
	p, ok := parsed(t, "application/json", []byte(`{"token":true,"client_id":false}`))
	require.True(t, ok)
	for _, name := range []string{"token", "client_id"} {
		value, err := p.get(name)
		require.Error(t, err, name)
		require.Empty(t, value)
		_, err = p.need(name)
		require.Error(t, err, name)
		_, err = p.may(name)
		require.Error(t, err, name)
	}
}
