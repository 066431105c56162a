package transittest

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// provision makes a key at a real Vault, and a token for it.
func provision(t testing.TB, at *url.URL) (token, key string) {
	t.Helper()
	root, _ := at.User.Password()
	put := func(path string, body any) []byte {
		t.Helper()
		encoded, err := json.Marshal(body)
		require.NoError(t, err)
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPut, at.Scheme+"://"+at.Host+"/v1/"+path, bytes.NewReader(encoded))
		require.NoError(t, err)
		request.Header.Set("X-Vault-Token", root)
		response, err := http.DefaultClient.Do(request)
		require.NoError(t, err)
		defer func() { _ = response.Body.Close() }()
		answer, err := io.ReadAll(response.Body)
		require.NoError(t, err)
		if !bytes.Contains(answer, []byte("path is already in use")) { // by the engine, from the test before
			require.Less(t, response.StatusCode, 300, "%s: %s", path, answer)
		}
		return answer
	}
	key = "test-" + strings.ToLower(rand.Text())
	put("sys/mounts/transit", map[string]string{"type": "transit"})
	put("transit/keys/"+key, nil)
	put("sys/policies/acl/"+key, map[string]string{"policy": fmt.Sprintf(
		"path \"transit/encrypt/%[1]s\" { capabilities = [\"update\"] }\npath \"transit/decrypt/%[1]s\" { capabilities = [\"update\"] }", key)})
	var created struct {
		Auth struct {
			ClientToken string `json:"client_token"`
		} `json:"auth"`
	}
	require.NoError(t, json.Unmarshal(put("auth/token/create", map[string]any{"policies": []string{key}, "ttl": "10m"}), &created))
	return created.Auth.ClientToken, key
}
