package bare

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"sync/atomic"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"
	"github.com/redis/go-redis/v9"
	api "github.com/twilio/twilio-go/rest/api/v2010"
)

// Settings are where everything is. They arrive as JSON on the process's standard input.
type Settings struct {
	Listen    string
	Database  string
	Redis     string
	KeyPrefix string
	Twilio    Twilio
	// Algorithms are those of the clients: RS256 or ES256, by client id.
	Algorithms map[string]string
}

// connections is as many to each store as Latchkey opens by default.
const connections = 20

// server is the handler with what it needs.
type server struct {
	settings Settings
	redis    *redis.Client
	db       *sql.DB
	twilio   *api.ApiService
	secret   []byte
	keys     map[string]crypto.Signer // by algorithm
	places   atomic.Int64             // handed out, of the status list
}

// Run serves until ctx ends.
func Run(ctx context.Context, settings Settings) error {
	s, err := newServer(settings)
	if err != nil {
		return fmt.Errorf("bare: %w", err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /passwordless/start", s.start)
	mux.HandleFunc("POST /oauth/token", s.token)
	mux.HandleFunc("GET /healthz", func(http.ResponseWriter, *http.Request) {})
	listener := &http.Server{Addr: settings.Listen, Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	context.AfterFunc(ctx, func() { _ = listener.Close() })
	if err := listener.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("bare: %w", err)
	}
	return errors.Join(s.redis.Close(), s.db.Close())
}

func newServer(settings Settings) (*server, error) {
	address, err := redis.ParseURL(settings.Redis)
	if err != nil {
		return nil, err
	}
	db, err := sql.Open("pgx", settings.Database)
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(connections)
	db.SetMaxIdleConns(connections)
	sender, err := newTwilio(settings.Twilio)
	if err != nil {
		return nil, err
	}
	rs, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, err
	}
	es, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	return &server{
		settings: settings, redis: redis.NewClient(address), db: db, twilio: sender, secret: []byte(rand.Text()),
		keys: map[string]crypto.Signer{"RS256": rs, "ES256": es},
	}, nil
}

// answer writes v, or a bare 500.
func answer(w http.ResponseWriter, v any, err error) {
	body, encodeErr := json.Marshal(v)
	if err = errors.Join(err, encodeErr); err != nil {
		fmt.Fprintln(os.Stderr, "bare:", err)
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	_, _ = w.Write(body)
}
