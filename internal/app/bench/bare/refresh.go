package bare

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"database/sql"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"time"
)

// The two statements of a refresh.
const (
	whoseSession = `
SELECT s.subject, s.client_id, s.scope, s.audience, s.auth_time, s.status_list, s.status_index, u.name, u.email, u.updated_at
FROM sessions s
JOIN accounts a ON a.subject = s.subject
JOIN users u ON u.id = a.user_id AND u.active
WHERE s.sid = $1 AND s.generation = $2 AND s.revoked_at IS NULL AND s.expires_at > $3`
	advanceSession = `
UPDATE sessions SET generation = $3, rotated_at = $4, last_used_at = $4, expires_at = $5, last_address = $6
WHERE sid = $1 AND generation = $2 AND revoked_at IS NULL`
)

// idle is how long a session lives without a refresh.
const idle = 30 * 24 * time.Hour

var errRefreshToken = errors.New("refresh: not a live refresh token")

// refresh rotates a refresh token.
func (s *server) refresh(ctx context.Context, in tokenRequest) (person, error) {
	sid, generation, err := s.readRefreshToken(in.RefreshToken)
	who := person{sid: sid, generation: generation + 1, now: time.Now()}
	if err != nil {
		return who, err
	}
	var client string
	var authTime int64
	err = s.db.QueryRowContext(ctx, whoseSession, sid, generation, who.now.UnixMicro()).Scan(&who.subject, &client, &who.scope,
		&who.audience, &authTime, &who.list, &who.index, &who.name, &who.email, &who.updatedAt)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return who, errRefreshToken
	case err != nil:
		return who, err
	case client != in.ClientID:
		return who, errRefreshToken
	}
	who.authTime = time.UnixMicro(authTime)
	advanced, err := s.db.ExecContext(ctx, advanceSession, sid, generation, who.generation,
		who.now.UnixMicro(), who.now.Add(idle).UnixMicro(), source)
	if err != nil {
		return who, err
	}
	if n, err := advanced.RowsAffected(); err != nil || n != 1 {
		return who, errors.Join(errRefreshToken, err)
	}
	return who, nil
}

// Lengths of a refresh token's parts, in bytes.
const (
	generationLength = 4
	sidLength        = 26
)

// refreshToken is as long as Latchkey's: generation, sid, and a MAC over both.
func (s *server) refreshToken(sid string, generation int64) string {
	body := make([]byte, 0, generationLength+sidLength+sha256.Size)
	body = binary.BigEndian.AppendUint32(body, uint32(generation)) // #nosec G115 -- the bench does not refresh so often
	body = append(body, sid...)
	mac := hmac.New(sha256.New, s.secret)
	mac.Write(body)
	return base64.RawURLEncoding.EncodeToString(mac.Sum(body))
}

func (s *server) readRefreshToken(raw string) (sid string, generation int64, err error) {
	body, err := base64.RawURLEncoding.DecodeString(raw)
	if err != nil || len(body) != generationLength+sidLength+sha256.Size {
		return "", 0, errRefreshToken
	}
	generation = int64(binary.BigEndian.Uint32(body))
	sid = string(body[generationLength : generationLength+sidLength])
	if !hmac.Equal([]byte(s.refreshToken(sid, generation)), []byte(raw)) {
		return "", 0, errRefreshToken
	}
	return sid, generation, nil
}
