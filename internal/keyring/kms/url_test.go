package kms

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestURLsHaveAShape(t *testing.T) {
	for url, name := range map[string]string{
		"hashivault://latchkey":                           "hashivault://latchkey",
		"hashivault://signing.keys-1?engine=team/transit": "hashivault://signing.keys-1",
		"awskms://1234abcd-12ab-34cd-56ef-1234567890ab?region=eu-central-1&context_app=latchkey": "awskms://1234abcd-12ab-34cd-56ef-1234567890ab",
		"awskms:///arn:aws:kms:eu-central-1:111122223333:key/1234abcd":                           "awskms:///arn:aws:kms:eu-central-1:111122223333:key/1234abcd",
		"awskms://alias/latchkey": "awskms://alias/latchkey",
		"gcpkms://projects/acme/locations/global/keyRings/r/cryptoKeys/k?additional_authenticated_data=bGF0Y2hrZXk=": "gcpkms://projects/acme/locations/global/keyRings/r/cryptoKeys/k",
		"azurekeyvault://acme.vault.azure.net/keys/latchkey/0123456789abcdef?algorithm=RSA-OAEP-256":                 "azurekeyvault://acme.vault.azure.net/keys/latchkey/0123456789abcdef",
	} {
		u, err := parse(url)
		require.NoError(t, err, url)
		require.Equal(t, name, nameOf(u))
	}
	for _, p := range places {
		_, err := parse(p.example)
		require.NoError(t, err, "what errors show as an example")
	}
}

func TestURLsThatAreWrong(t *testing.T) {
	for url, want := range map[string]string{
		"":                                        `unknown scheme ""`,
		"latchkey":                                "unknown scheme",
		"base64key://":                            `unknown scheme "base64key": want one of awskms, gcpkms, azurekeyvault, hashivault`,
		"https://vault.example/v1/transit":        `unknown scheme "https"`,
		"hashivault://":                           "want a URL like hashivault://latchkey",
		"hashivault:latchkey":                     "want a URL like",
		"hashivault://latchkey/":                  "want a URL like",
		"hashivault://..":                         "want a URL like",
		"hashivault://../../sys/seal":             "want a URL like",
		"hashivault://127.0.0.1:8200/latchkey":    "want a URL like",
		"hashivault://root:hunter2@latchkey":      "a user name or password does not belong here",
		"hashivault://hunter2@latchkey":           "a user name or password does not belong here",
		"hashivault://latchkey?token=hunter2":     `unknown parameter "token": hashivault has engine`,
		"hashivault://latchkey?engine=a&engine=b": `parameter "engine" is there twice`,
		"hashivault://latchkey?engine=%zz":        `what is after "?" cannot be read`,
		"hashivault://latchkey#hunter2":           `"#" has no meaning here`,
		"hashivault://latchkey#":                  `"#" has no meaning here`,
		"hashivault://latch key":                  "not a URL",
		"hashivault://hunter2\x7f":                "not a URL",
		"awskms://":                               "want a URL like awskms:///arn:aws:kms",
		"awskms:///":                              "want a URL like",
		"awskms://alias/latchkey?context_=x":      "unknown parameter",
		"awskms://alias/latchkey?anonymous=true":  "unknown parameter",
		"gcpkms://projects/acme/locations/global/keyRings/r/cryptoKeys/a%20b": "want a URL like",
		"gcpkms://projects/acme/locations/global/keyRings/r":                  "want a URL like gcpkms://projects/",
		"gcpkms://projects/acme/locations/global/keyRings/r/cryptoKeys":       "want a URL like",
		"azurekeyvault://acme.vault.azure.net/keys/latchkey":                  "want a URL like azurekeyvault://acme.vault.azure.net/keys/latchkey/0123", // which version, it must say
		"azurekeyvault://acme.vault.azure.net/secrets/latchkey/1":             "want a URL like",
		"azurekeyvault://evil.example/keys/latchkey/1":                        "want a URL like",
		"azurekeyvault://acme.vault.azure.net:8443/keys/latchkey/1":           "want a URL like",
	} {
		_, err := parse(url)
		require.ErrorContains(t, err, want, url)
		require.NotContains(t, err.Error(), "hunter2", url)
	}
}

func FuzzParse(f *testing.F) {
	for _, p := range places {
		f.Add(p.example)
	}
	f.Add("hashivault://a:b@c?engine=d#e")
	f.Fuzz(func(t *testing.T, raw string) {
		u, err := parse(raw)
		if err != nil {
			return
		}
		name := nameOf(u)
		require.False(t, strings.ContainsAny(name, "@?# "), name)
		again, err := parse(name)
		require.NoError(t, err, name)
		require.Equal(t, name, nameOf(again), "a name is for good")
	})
}
