//go:build kms

package kms

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// googleCredentials writes a file that has the shape of a user's credentials and none.
func googleCredentials(t *testing.T) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "credentials.json")
	require.NoError(t, os.WriteFile(file, []byte(`{"type":"authorized_user","client_id":"x","client_secret":"x","refresh_token":"x"}`), 0o600))
	return file
}
