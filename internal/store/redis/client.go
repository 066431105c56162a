package redis

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/latchkey-id/latchkey/internal/outage"
)

// Times that suit a request that a phone waits for: it gives up after 10 s.
const (
	dialTimeout = 1 * time.Second
	ioTimeout   = 2 * time.Second
	// clusterReload is how often the map of a cluster is read anew: by itself the client would
	// go on for a minute with the map from before a failover.
	clusterReload = 2 * time.Second
)

// Open returns a client for address; it does not connect yet. Addresses are redis://HOST:PORT/DB and
// rediss:// (TLS) for one server, redis+sentinel://HOST,HOST/MASTER and redis+cluster://HOST,HOST;
// each may carry USER:PASSWORD@, which sentinels get as well, and ?tls=true for the last two. Errors
// never hold the password.
func Open(address string, log *slog.Logger) (redis.UniversalClient, error) {
	redis.SetLogger(quiet{log})
	u, err := url.Parse(address)
	if err != nil {
		return nil, errors.New("redis: the address is not a URL")
	}
	switch u.Scheme {
	case "redis+cluster":
		return openCluster(u)
	case "redis+sentinel":
		return openSentinel(u)
	}
	opts, err := redis.ParseURL(address)
	if err != nil {
		return nil, errors.New("redis: want redis://[USER:PASSWORD@]HOST:PORT/DB, rediss://, redis+sentinel:// or redis+cluster://")
	}
	opts.DialTimeout, opts.ReadTimeout, opts.WriteTimeout = dialTimeout, ioTimeout, ioTimeout
	opts.DialerRetries = 1
	opts.MaxRetries = -1 // a person who waits is told sooner, and tries again
	opts.ContextTimeoutEnabled = true
	return redis.NewClient(opts), nil
}

func openCluster(u *url.URL) (redis.UniversalClient, error) {
	plain := *u
	plain.Scheme = scheme(u)
	hosts := strings.Split(u.Host, ",")
	plain.Host = hosts[0]
	plain.RawQuery = ""
	opts, err := redis.ParseClusterURL(plain.String())
	if err != nil {
		return nil, errors.New("redis: want redis+cluster://[USER:PASSWORD@]HOST:PORT,HOST:PORT[?tls=true]")
	}
	opts.Addrs = hosts
	opts.DialTimeout, opts.ReadTimeout, opts.WriteTimeout = dialTimeout, ioTimeout, ioTimeout
	opts.DialerRetries = 1
	opts.ClusterStateReloadInterval = clusterReload
	opts.ContextTimeoutEnabled = true
	opts.MaxRetries = -1
	verifyEachHost(opts.TLSConfig)
	client := redis.NewClusterClient(opts)
	client.OnNewNode(func(node *redis.Client) { node.AddHook(reloadOnDialError{client}) })
	return client, nil
}

func openSentinel(u *url.URL) (redis.UniversalClient, error) {
	master := strings.Trim(u.Path, "/")
	if master == "" || u.Host == "" {
		return nil, errors.New("redis: want redis+sentinel://[USER:PASSWORD@]HOST:PORT,HOST:PORT/MASTER[?tls=true]")
	}
	plain := url.URL{Scheme: scheme(u), User: u.User, Host: strings.Split(u.Host, ",")[0]}
	single, err := redis.ParseURL(plain.String())
	if err != nil {
		return nil, errors.New("redis: want redis+sentinel://[USER:PASSWORD@]HOST:PORT,HOST:PORT/MASTER[?tls=true]")
	}
	verifyEachHost(single.TLSConfig)
	return redis.NewFailoverClient(&redis.FailoverOptions{
		MasterName: master, SentinelAddrs: strings.Split(u.Host, ","),
		Username: single.Username, Password: single.Password, TLSConfig: single.TLSConfig,
		SentinelUsername: single.Username, SentinelPassword: single.Password,
		DialTimeout: dialTimeout, ReadTimeout: ioTimeout, WriteTimeout: ioTimeout,
		DialerRetries: 1, MaxRetries: -1, ContextTimeoutEnabled: true,
	}), nil
}

// verifyEachHost checks each server's certificate against its own name, not the first one's.
func verifyEachHost(config *tls.Config) {
	if config != nil {
		config.ServerName = ""
	}
}

func scheme(u *url.URL) string {
	if u.Query().Get("tls") == "true" {
		return "rediss"
	}
	return "redis"
}

// reloadOnDialError reads the cluster's map at once when a node cannot be dialled, as after a
// failover; the client by itself waits for its timer (redis/go-redis#3979).
type reloadOnDialError struct{ cluster *redis.ClusterClient }

func (h reloadOnDialError) DialHook(next redis.DialHook) redis.DialHook {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := next(ctx, network, addr)
		if err != nil {
			h.cluster.ReloadState(ctx)
		}
		return conn, err
	}
}

func (h reloadOnDialError) ProcessHook(next redis.ProcessHook) redis.ProcessHook { return next }

func (h reloadOnDialError) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

// quiet takes the client's own chatter, which it would print to standard error.
type quiet struct{ log *slog.Logger }

func (q quiet) Printf(ctx context.Context, format string, args ...any) {
	q.log.DebugContext(ctx, "redis client", "message", fmt.Sprintf(format, args...))
}

// unavailable turns a failed call into an outage. Redis refusing a command ("ERR …") is a fault of
// ours and stays what it is, but for the states in which a server serves nobody.
func unavailable(err error) error {
	if err == nil {
		return nil
	}
	var refused redis.Error
	if errors.As(err, &refused) && !strings.Contains(refused.Error(), "max number of clients") {
		word, _, _ := strings.Cut(refused.Error(), " ")
		switch word {
		case "LOADING", "READONLY", "MASTERDOWN", "CLUSTERDOWN", "TRYAGAIN", "OOM", "MISCONF", "NOAUTH", "WRONGPASS", "NOREPLICAS", "BUSY":
			return outage.Wrap("redis", err)
		}
		return fmt.Errorf("redis: %w", err)
	}
	return outage.Wrap("redis", err)
}
