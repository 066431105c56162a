package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// scripts are those that Redis has run.
type scripts struct {
	calls int64
	took  time.Duration
}

// scripts asks Redis for all that it has run since its start, whoever asked for them.
func (s *stores) scripts(ctx context.Context) (scripts, error) {
	options, err := redis.ParseURL(s.redis)
	if err != nil {
		return scripts{}, errors.New("the address of Redis is not a URL")
	}
	client := redis.NewClient(options)
	defer func() { _ = client.Close() }()
	stats, err := client.Info(ctx, "commandstats").Result()
	if err != nil {
		return scripts{}, fmt.Errorf("ask Redis what it has run: %w", err)
	}
	return parseScripts(stats)
}

// parseScripts reads "cmdstat_evalsha:calls=7,usec=140,usec_per_call=20.00,…". EVAL comes only before Redis knows a
// script.
func parseScripts(stats string) (scripts, error) {
	_, line, found := strings.Cut(stats, "cmdstat_evalsha:")
	line, _, _ = strings.Cut(line, "\n")
	var s scripts
	var failed error
	for field := range strings.SplitSeq(line, ",") {
		name, value, _ := strings.Cut(field, "=")
		if name != "calls" && name != "usec" {
			continue
		}
		n, err := strconv.ParseInt(value, 10, 64)
		failed = errors.Join(failed, err)
		if name == "calls" {
			s.calls = n
		} else {
			s.took = time.Duration(n) * time.Microsecond
		}
	}
	if !found {
		return s, errors.New("INFO commandstats tells nothing of EVALSHA: no script has run")
	}
	return s, failed
}
