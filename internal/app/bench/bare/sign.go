package bare

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"time"
)

const (
	issuer = "http://127.0.0.1:8080/"
	// keyID is as long as a thumbprint.
	keyID = "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopq"
)

type accessClaims struct {
	Issuer          string   `json:"iss"`
	Subject         string   `json:"sub"`
	Audience        string   `json:"aud"`
	ClientID        string   `json:"client_id"`
	AuthorizedParty string   `json:"azp"`
	IssuedAt        int64    `json:"iat"`
	Expiry          int64    `json:"exp"`
	AuthTime        int64    `json:"auth_time"`
	ID              string   `json:"jti"`
	SessionID       string   `json:"sid"`
	ACR             string   `json:"acr"`
	AMR             []string `json:"amr"`
	Scope           string   `json:"scope"`
	Tier            string   `json:"tier"`
	Status          status   `json:"status"`
}

// status says where the token's status stands (draft-ietf-oauth-status-list §6.1).
type status struct {
	StatusList struct {
		Index int64  `json:"idx"`
		URI   string `json:"uri"`
	} `json:"status_list"`
}

func (p person) status() status {
	var s status
	s.StatusList.Index, s.StatusList.URI = p.index, issuer+"status-lists/"+p.list
	return s
}

type idClaims struct {
	Issuer        string   `json:"iss"`
	Subject       string   `json:"sub"`
	Audience      string   `json:"aud"`
	IssuedAt      int64    `json:"iat"`
	Expiry        int64    `json:"exp"`
	AuthTime      int64    `json:"auth_time"`
	SessionID     string   `json:"sid"`
	ACR           string   `json:"acr"`
	AMR           []string `json:"amr"`
	AtHash        string   `json:"at_hash"`
	Tier          string   `json:"tier"`
	Name          string   `json:"name"`
	Nickname      string   `json:"nickname"`
	UpdatedAt     string   `json:"updated_at"`
	Email         string   `json:"email"`
	EmailVerified bool     `json:"email_verified"`
}

func (s *server) mint(in tokenRequest, who person) (tokenResponse, error) {
	algorithm := s.settings.Algorithms[in.ClientID]
	issued, authTime := who.now.Unix(), who.authTime.Unix()
	access, err := s.sign(algorithm, "at+jwt", accessClaims{
		Issuer: issuer, Subject: who.subject, Audience: who.audience, ClientID: in.ClientID, AuthorizedParty: in.ClientID,
		IssuedAt: issued, Expiry: who.now.Add(accessLifetime).Unix(), AuthTime: authTime, ID: rand.Text(), SessionID: who.sid,
		ACR: "aal1", AMR: []string{"sms"}, Scope: who.scope, Tier: "employee", Status: who.status(),
	})
	if err != nil {
		return tokenResponse{}, err
	}
	digest := sha256.Sum256([]byte(access))
	id, err := s.sign(algorithm, "JWT", idClaims{
		Issuer: issuer, Subject: who.subject, Audience: in.ClientID,
		IssuedAt: issued, Expiry: who.now.Add(time.Hour).Unix(), AuthTime: authTime, SessionID: who.sid,
		ACR: "aal1", AMR: []string{"sms"}, AtHash: base64.RawURLEncoding.EncodeToString(digest[:16]), Tier: "employee",
		Name: who.name, Nickname: who.name, UpdatedAt: time.UnixMicro(who.updatedAt).UTC().Format(time.RFC3339), Email: who.email,
	})
	out := tokenResponse{
		AccessToken: access, IDToken: id, TokenType: "Bearer", ExpiresIn: int64(accessLifetime.Seconds()), Scope: who.scope,
	}
	if who.refreshable() {
		out.RefreshToken = s.refreshToken(who.sid, who.generation)
	}
	return out, err
}

// sign returns the claims as a JWS in compact serialization (RFC 7515 §7.1).
func (s *server) sign(algorithm, typ string, claims any) (string, error) {
	payload, err := json.Marshal(claims)
	if err != nil {
		return "", err
	}
	b64 := base64.RawURLEncoding
	header := `{"alg":"` + algorithm + `","kid":"` + keyID + `","typ":"` + typ + `"}`
	token := b64.AppendEncode(nil, []byte(header))
	token = b64.AppendEncode(append(token, '.'), payload)
	digest := sha256.Sum256(token)
	signature, err := signature(s.keys[algorithm], digest[:])
	if err != nil {
		return "", err
	}
	return string(b64.AppendEncode(append(token, '.'), signature)), nil
}

func signature(key crypto.Signer, digest []byte) ([]byte, error) {
	if private, ok := key.(*rsa.PrivateKey); ok {
		return rsa.SignPKCS1v15(nil, private, crypto.SHA256, digest)
	}
	r, s, err := ecdsa.Sign(rand.Reader, key.(*ecdsa.PrivateKey), digest)
	if err != nil {
		return nil, err
	}
	both := make([]byte, 64)
	r.FillBytes(both[:32])
	s.FillBytes(both[32:])
	return both, nil
}
