package bare

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// redeemScript makes the calls that Latchkey's makes for a right guess.
var redeemScript = redis.NewScript(`
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local from = 's:' .. ARGV[2]
local c = redis.call('HMGET', KEYS[1], 'd', 'e', 'g', from)
if (tonumber(c[2]) or 0) <= now then return 'wrong' end
if (tonumber(c[3]) or 0) >= tonumber(ARGV[4]) or (tonumber(c[4]) or 0) >= tonumber(ARGV[3]) then return 'spent' end
redis.call('HINCRBY', KEYS[1], 'g', 1)
redis.call('HINCRBY', KEYS[1], from, 1)
if c[1] == ARGV[1] then
  redis.call('HSET', KEYS[1], 'u', ARGV[1])
  redis.call('HDEL', KEYS[1], 'd')
  redis.call('HINCRBY', KEYS[1], 'g', -1)
  redis.call('HINCRBY', KEYS[1], from, -1)
  redis.call('DEL', KEYS[2])
  return 'right'
end
return 'wrong'
`)

// The transaction's statements, on Latchkey's tables and indexes.
const (
	whoIsBehind = `
SELECT u.id, u.name, u.email, u.updated_at, own.subject, i.subject
FROM users u
JOIN accounts own ON own.user_id = u.id
JOIN identities i ON i.method = 'sms' AND i.identifier = u.phone
WHERE u.phone = $1 AND u.active FOR SHARE OF u`
	openSession = `
INSERT INTO sessions (sid, subject, client_id, code_use, method, identifier, scope, audience, tier, device, address, last_address,
    auth_time, last_used_at, expires_at, rotated_at, status_list, status_index)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $11, $12, $12, $13, $12, $14, $15)`
	recordEvent = `
INSERT INTO audit_events (at, kind, actor, subject, user_id, client_id, sid, address, phone, reason, detail)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`
)

const (
	accessLifetime = 15 * time.Minute
	refreshGrant   = "refresh_token"
	// statusList is the list that all sessions have their places in.
	statusList = "k3jq7mzw2a"
)

type tokenRequest struct {
	GrantType    string `json:"grant_type"`
	ClientID     string `json:"client_id"`
	Username     string `json:"username"`
	Code         string `json:"otp"`
	Scope        string `json:"scope"`
	Audience     string `json:"audience"`
	RefreshToken string `json:"refresh_token"`
}

type tokenResponse struct {
	AccessToken  string `json:"access_token"`
	IDToken      string `json:"id_token"`
	RefreshToken string `json:"refresh_token,omitempty"`
	TokenType    string `json:"token_type"`
	ExpiresIn    int64  `json:"expires_in"`
	Scope        string `json:"scope"`
}

// person is who signs in or refreshes, and their session.
type person struct {
	userID, name, email string
	updatedAt           int64
	subject, holder     string
	sid                 string
	generation          int64
	scope, audience     string
	list                string
	index               int64
	authTime, now       time.Time
}

// expires is when nothing of the session is valid any more.
func (p person) expires() time.Time {
	if p.refreshable() {
		return p.now.Add(idle)
	}
	return p.now.Add(accessLifetime)
}

func (p person) refreshable() bool { return strings.Contains(p.scope, "offline_access") }

// token serves POST /oauth/token.
func (s *server) token(w http.ResponseWriter, r *http.Request) {
	var in tokenRequest
	err := json.NewDecoder(r.Body).Decode(&in)
	var who person
	switch {
	case err != nil:
	case in.GrantType == refreshGrant:
		who, err = s.refresh(r.Context(), in)
	default:
		if err = s.redeem(r.Context(), in); err == nil {
			who, err = s.signIn(r.Context(), in, r.UserAgent())
		}
	}
	var out tokenResponse
	if err == nil {
		out, err = s.mint(in, who)
	}
	answer(w, out, err)
}

func (s *server) redeem(ctx context.Context, in tokenRequest) error {
	verdict, err := redeemScript.Run(ctx, s.redis, s.challenge(in.ClientID, in.Username),
		s.digest(in.Username, in.Code), source, perSource, guesses, lifetime).Text()
	if err == nil && verdict != "right" {
		err = fmt.Errorf("redeem: %s", verdict)
	}
	return err
}

func (s *server) signIn(ctx context.Context, in tokenRequest, device string) (person, error) {
	now := time.Now()
	who := person{
		sid: rand.Text(), scope: in.Scope, audience: in.Audience, list: statusList, index: s.places.Add(1), authTime: now, now: now,
	}
	tx, err := s.db.BeginTx(ctx, &sql.TxOptions{})
	if err != nil {
		return who, err
	}
	defer func() { _ = tx.Rollback() }() // of no effect once committed
	err = tx.QueryRowContext(ctx, whoIsBehind, in.Username).
		Scan(&who.userID, &who.name, &who.email, &who.updatedAt, &who.subject, &who.holder)
	if err != nil {
		return who, err
	}
	_, err = tx.ExecContext(ctx, openSession, who.sid, who.subject, in.ClientID, who.sid, "sms", in.Username, who.scope, who.audience,
		"employee", device, source, now.UnixMicro(), who.expires().UnixMicro(), who.list, who.index)
	if err != nil {
		return who, err
	}
	_, err = tx.ExecContext(ctx, recordEvent, now.UnixMicro(), "signin.succeeded", who.subject, who.subject, who.userID, in.ClientID,
		who.sid, source, in.Username[:4]+"******"+in.Username[10:], "", `{"tier":"employee"}`)
	if err != nil {
		return who, err
	}
	return who, tx.Commit()
}
