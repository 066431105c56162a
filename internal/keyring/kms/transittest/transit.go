package transittest

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
)

// newTransit answers as Vault's transit engine does at /v1/transit/encrypt/KEY and .../decrypt/KEY
// (https://developer.hashicorp.com/vault/api-docs/secret/transit), errors to the letter.
func newTransit(token, key string) http.Handler {
	secret := make([]byte, 32)
	rand.Read(secret)
	block, err := aes.NewCipher(secret)
	if err != nil {
		panic(err)
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		panic(err)
	}
	work := map[string]func(cipher.AEAD, map[string]string) (map[string]any, string){
		"/v1/transit/encrypt/" + key: encrypt,
		"/v1/transit/decrypt/" + key: decrypt,
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		do, allowed := work[r.URL.Path]
		var in map[string]string
		switch given := r.Header.Get("X-Vault-Token"); {
		case given == "":
			reply(w, http.StatusForbidden, map[string]any{"errors": []string{"permission denied"}})
		case given != token:
			reply(w, http.StatusForbidden, map[string]any{"errors": []string{"2 errors occurred:\n\t* permission denied\n\t* invalid token\n\n"}})
		case !allowed || r.Method != http.MethodPut && r.Method != http.MethodPost:
			reply(w, http.StatusForbidden, map[string]any{"errors": []string{"1 error occurred:\n\t* permission denied\n\n"}})
		case json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<20)).Decode(&in) != nil:
			reply(w, http.StatusBadRequest, map[string]any{"errors": []string{"failed to parse JSON input"}})
		default:
			data, problem := do(aead, in)
			if problem != "" {
				reply(w, http.StatusBadRequest, map[string]any{"errors": []string{problem}})
				return
			}
			reply(w, http.StatusOK, map[string]any{"data": data, "mount_type": "transit"})
		}
	})
}

func encrypt(aead cipher.AEAD, in map[string]string) (out map[string]any, problem string) {
	plain, err := base64.StdEncoding.DecodeString(in["plaintext"])
	if err != nil {
		return nil, err.Error()
	}
	sealed := base64.StdEncoding.EncodeToString(aead.Seal(nil, nil, plain, nil))
	return map[string]any{"ciphertext": "vault:v1:" + sealed, "key_version": 1}, ""
}

func decrypt(aead cipher.AEAD, in map[string]string) (out map[string]any, problem string) {
	encoded, ok := strings.CutPrefix(in["ciphertext"], "vault:v1:")
	if !ok {
		return nil, "invalid ciphertext: no prefix"
	}
	sealed, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		return nil, "invalid ciphertext: could not decode base64"
	}
	if len(sealed) < aead.Overhead() {
		return nil, "invalid ciphertext length"
	}
	plain, err := aead.Open(nil, nil, sealed, nil)
	if err != nil {
		return nil, err.Error()
	}
	return map[string]any{"plaintext": base64.StdEncoding.EncodeToString(plain)}, ""
}

func reply(w http.ResponseWriter, status int, body map[string]any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}
