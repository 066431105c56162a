package app_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// A mistake in a provider is told once, by the settings or by who will use them, with its path.
func TestConfigCheckTellsEachMistakeOfProvidersOnce(t *testing.T) {
	t.Parallel()
	config := file(t, "mistakes.yaml", strings.Replace(settings, "sms:\n", `sms:
  providers:
    none: {}
    empty: {type: http}
    acme:
      type: http
      http:
        url: "http://sms.example.com/?x={to}"
        method: GET
        timeout: 1m
        headers: {Host: hunter2, X-Key: "{hunter}"}
        body: '{"text": "{code}"}'
        success_values: [ok]
        failure_field: status
`, 1))
	environ := stores{"postgres://127.0.0.1:1/x", "redis://127.0.0.1:1", "x:"}.environ("http://127.0.0.1:1")
	code, _, stderr := command(t, environ, "config", "check", "--config", config)
	require.Equal(t, 1, code)
	require.NotContains(t, stderr, "hunter")
	var paths []string
	for line := range strings.Lines(stderr) {
		setting, _, _ := strings.Cut(line, ": ")
		paths = append(paths, strings.TrimPrefix(setting, "sms.providers."))
	}
	require.Equal(t, []string{
		"acme.http.url", "acme.http.method", "acme.http.headers.Host", "acme.http.headers.X-Key", "acme.http.body",
		"acme.http.success_field", "acme.http.failure_field", "acme.http.failure_values", "acme.http.timeout",
		"empty.http.url", "empty.http.body", "none.type",
	}, paths)
}
