package bare

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"net/http"
	"os"

	"github.com/redis/go-redis/v9"
)

// The limits of a challenge, which travel with each script as Latchkey's do.
const (
	lifetime  = 300_000 // ms
	renew     = 120_000 // ms
	gap       = 30_000  // ms
	perSource = 5
	guesses   = 10
	source    = "127.0.0.1"
)

// openScript makes the calls that Latchkey's makes for a number without a living challenge.
var openScript = redis.NewScript(`
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local c = redis.call('HMGET', KEYS[1], 'n', 'd', 'e', 'g', 's:' .. ARGV[3])
local quiet = (tonumber(redis.call('GET', KEYS[2])) or 0) - now
if quiet > 0 then return {'throttled', '', quiet} end
redis.call('DEL', KEYS[1])
redis.call('HSET', KEYS[1], 'n', ARGV[1], 'd', ARGV[2], 'e', now + tonumber(ARGV[4]))
redis.call('PEXPIRE', KEYS[1], ARGV[4])
redis.call('SET', KEYS[2], now + tonumber(ARGV[6]), 'PX', ARGV[6])
return {'send', ARGV[1], now + tonumber(ARGV[4])}
`)

type startRequest struct {
	ClientID    string `json:"client_id"`
	PhoneNumber string `json:"phone_number"`
}

type startResponse struct {
	ID            string `json:"_id"`
	PhoneNumber   string `json:"phone_number"`
	PhoneVerified bool   `json:"phone_verified"`
}

// start serves POST /passwordless/start.
func (s *server) start(w http.ResponseWriter, r *http.Request) {
	var in startRequest
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
		answer(w, nil, err)
		return
	}
	code, err := newCode()
	if err != nil {
		answer(w, nil, err)
		return
	}
	nonce := rand.Text()
	reply, err := openScript.Run(r.Context(), s.redis, s.challenge(in.ClientID, in.PhoneNumber),
		nonce, s.digest(in.PhoneNumber, code), source, lifetime, renew, gap, perSource, guesses).Slice()
	if err == nil && reply[0] != "send" {
		err = fmt.Errorf("open: %v", reply[0])
	}
	if err == nil {
		go s.text(in.PhoneNumber, code)
	}
	answer(w, startResponse{ID: nonce, PhoneNumber: in.PhoneNumber}, err)
}

func (s *server) text(to, code string) {
	body := code + " is your Latchkey code. It expires in 5 min. Do not share it with anyone.\n\n@127.0.0.1 #" + code
	if err := s.send(to, body); err != nil {
		fmt.Fprintln(os.Stderr, "bare: text:", err)
	}
}

func newCode() (string, error) {
	var random [4]byte
	_, err := rand.Read(random[:])
	return fmt.Sprintf("%06d", binary.BigEndian.Uint32(random[:])%1_000_000), err
}

// digest is what lies in Redis: the code is not readable there.
func (s *server) digest(number, code string) string {
	mac := hmac.New(sha256.New, s.secret)
	mac.Write([]byte(number))
	mac.Write([]byte(code))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// challenge returns the keys of a number.
func (s *server) challenge(client, number string) []string {
	tag := s.settings.KeyPrefix + "otp:{" + number + "}:"
	return []string{tag + "challenge:sms:" + client, tag + "texted"}
}
