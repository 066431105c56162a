package app

import (
	"context"
	"crypto/rand"
	_ "embed" // for dev.yaml
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/latchkey-id/latchkey/internal/client"
	"github.com/latchkey-id/latchkey/internal/config"
	"github.com/latchkey-id/latchkey/internal/keyring"
	"github.com/latchkey-id/latchkey/internal/keyring/kms"
	"github.com/latchkey-id/latchkey/internal/login"
	"github.com/latchkey-id/latchkey/internal/phone"
	"github.com/latchkey-id/latchkey/internal/session"
	"github.com/latchkey-id/latchkey/internal/statuslist"
	"github.com/latchkey-id/latchkey/internal/store/sql"
	"github.com/latchkey-id/latchkey/internal/tier"
)

// renewBelow is the rest of a code's life under which a start makes a new one (C6): what is left
// of it when a slow text arrives has to be enough to type it.
const renewBelow = 120 * time.Second

// where are the flags that say which settings a command works with.
type where struct {
	Config string `short:"c" placeholder:"FILE" help:"Settings file; or LATCHKEY_CONFIG. Every key can be set by environment too."`
	Dev    bool   `help:"Use the settings and the data of latchkey dev."`
	Data   string `default:".latchkey" placeholder:"DIR" help:"With --dev, where its data are."`
}

// defaultData is where dev keeps its data.
const defaultData = ".latchkey"

// load reads the settings. Every mistake is reported at once.
func (w where) load(env Env) (config.Config, error) {
	if !w.Dev && w.Data != "" && w.Data != defaultData {
		return config.Config{}, usageError{errors.New("--data says where the data of dev are: add --dev")}
	}
	if w.Dev {
		if _, err := os.Stat(filepath.Join(w.Data, secretFile)); err != nil {
			return config.Config{}, fmt.Errorf("there are no dev data in %q: run latchkey dev first, or name them with --data "+
				"(a dev that was started with --data '' keeps none)", w.Data)
		}
		return loadDev(env, w.Data, w.Config)
	}
	file := w.Config
	if file == "" {
		file = lookup(env.Environ, config.ConfigVariable)
	}
	opts := config.LoadOptions{Environ: env.Environ, Parts: checkParts}
	if file != "" {
		opts.Files = []string{file}
	}
	c, err := config.Load(opts)
	if err != nil && file == "" {
		err = fmt.Errorf("%w\nNo settings file was named: --config FILE, or --dev for the data of latchkey dev", err)
	}
	return c, err
}

//go:embed dev.yaml
var devSettings []byte

const (
	devSettingsName = "(settings of dev)"
	secretFile      = "secret.key"
	databaseFile    = "latchkey.db"
)

// production are the variables that dev does not follow: typed in the shell of a production
// container, latchkey dev would otherwise show real people's codes to whoever opens its page. Who
// wants dev over other stores says so in a file.
var production = []string{config.ConfigVariable, "LATCHKEY_DATABASE_URL", "LATCHKEY_REDIS_URL", "LATCHKEY_SECRET_KEY"}

func withoutProduction(env Env) []string {
	return slices.DeleteFunc(slices.Clone(env.Environ), func(entry string) bool {
		name, value, _ := strings.Cut(entry, "=")
		ignored := slices.Contains(production, strings.TrimSuffix(name, "_FILE"))
		if ignored && value != "" {
			fmt.Fprintf(env.Stderr, "latchkey dev ignores %s; to use it, put it into a file for --config.\n", name)
		}
		return ignored
	})
}

// loadDev reads dev's own settings with overlay, if it is not empty, laid over them. Without a data
// directory nothing is kept.
func loadDev(env Env, data, overlay string) (config.Config, error) {
	base := config.Defaults()
	database := sql.Temporary
	secret := newSecret()
	if data != "" {
		if err := os.MkdirAll(data, 0o700); err != nil {
			return config.Config{}, fmt.Errorf("make the data directory: %w", err)
		}
		var err error
		if secret, err = keptSecret(filepath.Join(data, secretFile)); err != nil {
			return config.Config{}, err
		}
		database = "sqlite:" + filepath.Join(data, databaseFile)
	}
	base.Database.URL, base.SecretKey = config.NewSecret(database), config.NewSecret(secret)
	opts := config.LoadOptions{
		Mode: config.Dev, Base: func() config.Config { return base }, Environ: withoutProduction(env), Parts: checkGateways,
		Files: []string{devSettingsName},
		ReadFile: func(name string) ([]byte, error) {
			if name == devSettingsName {
				return devSettings, nil
			}
			return os.ReadFile(name) // #nosec G304 -- the operator names it
		},
	}
	if overlay != "" {
		opts.Files = append(opts.Files, overlay)
	}
	return config.Load(opts)
}

// keptSecret returns the secret in file, made on the first start.
func keptSecret(file string) (string, error) {
	text, err := os.ReadFile(file) // #nosec G304 -- the operator names the directory
	if err == nil {
		return strings.TrimSpace(string(text)), nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("read the secret key: %w", err)
	}
	if err := keep(file, newSecret()+"\n"); err != nil {
		return "", fmt.Errorf("keep the secret key: %w", err)
	}
	text, err = os.ReadFile(file) // #nosec G304 -- of two first starts one has won
	return strings.TrimSpace(string(text)), err
}

// keep writes a file whole or not at all, and leaves alone one that has come about meanwhile.
func keep(file, content string) error {
	draft, err := os.CreateTemp(filepath.Dir(file), ".draft-") // with mode 0600
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(draft.Name()) }()
	_, err = draft.WriteString(content)
	if err = errors.Join(err, draft.Sync(), draft.Close()); err != nil {
		return err
	}
	if err = os.Link(draft.Name(), file); errors.Is(err, fs.ErrExist) {
		return nil
	}
	return err
}

func newSecret() string {
	key := make([]byte, 32)
	_, _ = rand.Read(key) // never fails
	return base64.StdEncoding.EncodeToString(key)
}

func lookup(environ []string, name string) string {
	for _, entry := range slices.Backward(environ) {
		if value, ok := strings.CutPrefix(entry, name+"="); ok {
			return value
		}
	}
	return ""
}

// What follows turns settings into the values that the parts take. The settings have been checked,
// so errors are faults of ours.

func newLogger(c config.Config, env Env) *slog.Logger {
	var level slog.Level
	_ = level.UnmarshalText([]byte(c.Log.Level)) // checked by config
	opts := &slog.HandlerOptions{Level: level}
	if c.Log.Format == "text" {
		return slog.New(slog.NewTextHandler(env.Stderr, opts))
	}
	return slog.New(slog.NewJSONHandler(env.Stderr, opts))
}

func newTiers(c config.Config) (*tier.Table, error) {
	tiers := make([]tier.Tier, len(c.Tiers))
	for i, t := range c.Tiers {
		tiers[i] = tier.Tier{
			Name: t.Name, Permissions: t.Permissions, Scopes: t.Scopes, When: t.When,
			AccessTokenLifetime: t.AccessTokenLifetime, IDTokenLifetime: t.IDTokenLifetime,
		}
	}
	return tier.NewTable(tiers, tier.MaxAccessTokenLifetime(c.StatusList.Enabled))
}

func newClients(c config.Config) *client.Registry {
	clients := make([]client.Client, 0, len(c.Clients))
	for id, app := range c.Clients {
		grants := make([]client.Grant, len(app.Grants))
		for i, grant := range app.Grants {
			grants[i] = client.Grant(grant)
		}
		clients = append(clients, client.Client{
			ID: id, Name: app.Name, Secret: app.Secret.Reveal(), Grants: grants, Audiences: app.Audiences,
			Scopes: app.Scopes, Tiers: app.Tiers, Origins: app.Origins, Algorithm: app.Algorithm,
			Language: app.Language, ForwardsFor: app.TrustForwardedFor,
		})
	}
	return client.NewRegistry(clients, c.CORS.AllowLoopback)
}

func newParser(c config.Config) phone.Parser {
	return phone.Parser{Region: c.Phone.DefaultRegion, AllowFictional: c.Phone.AllowFictional}
}

// openStore opens the record; changed, if it is not nil, hears of what other replicas have to notice.
func openStore(c config.Config, changed func()) (*sql.Store, error) {
	return sql.Open(c.Database.URL.Reveal(), sql.Options{
		MaxOpenConns: c.Database.MaxOpenConns, TransactionPooler: c.Database.Pooler == "transaction", Changed: changed,
	})
}

func newSessionLimits(c config.Config) login.Limits {
	return login.Limits{
		Rules: session.Rules{
			Idle: c.Sessions.IdleLifetime, Absolute: c.Sessions.AbsoluteLifetime,
			RepeatWindow: c.Sessions.RepeatWindow, LateRepeats: c.Sessions.LateRepeats,
		},
		RaiseWithin: c.Sessions.RaiseWithin, PerPerson: c.Sessions.PerPerson,
	}
}

func newKeyRules(c config.Config) keyring.Rules {
	return keyring.Rules{RotateEvery: c.Keys.RotateEvery, PublishBefore: c.Keys.PublishBefore, KeepAfter: c.Keys.KeepAfter}
}

// longestToken is how long a token can live by these settings.
func longestToken(c config.Config) time.Duration {
	longest := statuslist.Lifetime
	for _, t := range c.Tiers {
		longest = max(longest, t.AccessTokenLifetime, t.IDTokenLifetime)
	}
	return longest
}

// newWrappers opens what private keys are encrypted with: what the settings name, and to read what was
// encrypted before, the secret key. Call closeAll when done.
func newWrappers(ctx context.Context, c config.Config) (w keyring.Wrappers, closeAll func(), err error) {
	var closers []func() error
	closeAll = func() {
		for _, each := range closers {
			_ = each()
		}
	}
	open := func(name string, from config.Wrapping) (keyring.Wrapper, error) {
		switch {
		case from.URL != "":
			service, stop, err := kms.Open(ctx, from.URL, from.Timeout)
			if err != nil {
				return nil, fmt.Errorf("keys.%s.url: %w", name, err)
			}
			closers = append(closers, stop)
			return service, nil
		case !from.Key.IsZero():
			key, err := from.Key.Bytes()
			if err != nil {
				return nil, err
			}
			return keyring.NewAESGCM(key)
		}
		return nil, nil
	}
	defer func() {
		if err != nil {
			closeAll()
		}
	}()
	secret, err := c.MasterKey()
	if err != nil {
		return w, closeAll, err
	}
	derived, err := keyring.NewAESGCM(secret)
	if err != nil {
		return w, closeAll, err
	}
	former, err := open("former_wrapping", c.Keys.FormerWrapping)
	if err != nil {
		return w, closeAll, err
	}
	if w.Primary, err = open("wrapping", c.Keys.Wrapping); err != nil {
		return w, closeAll, err
	}
	if former != nil {
		w.Former = append(w.Former, former)
	}
	if former != nil && w.Primary != nil && former.Name() == w.Primary.Name() && c.Keys.FormerWrapping.URL != c.Keys.Wrapping.URL {
		return w, closeAll, fmt.Errorf("keys.former_wrapping.url: goes by the same name as keys.wrapping.url, %s: what either has encrypted could not be told apart", former.Name())
	}
	if w.Primary == nil {
		w.Primary = derived
	} else {
		w.Former = append(w.Former, derived)
	}
	return w, closeAll, nil
}

// algorithms are those of the clients, and RS256, which discovery always lists (wire contract 9).
func algorithms(clients *client.Registry) []string {
	all := clients.Algorithms()
	if !slices.Contains(all, keyring.RS256) {
		all = append(all, keyring.RS256)
	}
	return all
}
