package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"

	goredis "github.com/redis/go-redis/v9"

	"github.com/latchkey-id/latchkey/internal/audit"
	"github.com/latchkey-id/latchkey/internal/config"
	"github.com/latchkey-id/latchkey/internal/limit"
	"github.com/latchkey-id/latchkey/internal/otp"
	"github.com/latchkey-id/latchkey/internal/rule"
	"github.com/latchkey-id/latchkey/internal/spend"
	"github.com/latchkey-id/latchkey/internal/store/redis"
	"github.com/latchkey-id/latchkey/internal/store/sql"
)

// office is what commands about limits work with: the stores that the servers count in.
type office struct {
	store   *sql.Store
	codes   *otp.Service
	sources *limit.Service
	purse   *spend.Service
}

// errInside means limits that no command can reach.
var errInside = errors.New("without redis.url the limits are inside the running server, where no command reaches them: restart it to lift them all")

// withLimits runs a command on the servers' own counts.
func withLimits(ctx context.Context, c config.Config, command func(office) error) error {
	if c.Redis.URL.IsZero() {
		return errInside
	}
	return withRecord(ctx, c, func(store *sql.Store) error {
		client, err := redis.Open(c.Redis.URL.Reveal(), slog.New(slog.DiscardHandler))
		if err != nil {
			return err
		}
		defer func() { _ = client.Close() }()
		o, err := newOffice(ctx, c, store, client)
		if err != nil {
			return err
		}
		return command(o)
	})
}

func newOffice(ctx context.Context, c config.Config, store *sql.Store, client goredis.UniversalClient) (office, error) {
	secret, err := c.MasterKey()
	if err != nil {
		return office{}, err
	}
	log := slog.New(slog.DiscardHandler)
	codes, err := otp.NewService(redis.NewChallenges(client, c.Redis.KeyPrefix, newNumberLimits(c)), secret, otp.Options{})
	if err != nil {
		return office{}, err
	}
	people := newCrowd(store, log)
	if err := people.count(ctx); err != nil {
		return office{}, err
	}
	return office{
		store: store, codes: codes,
		sources: limit.NewService(redis.NewLimits(client, c.Redis.KeyPrefix), newSourceRules(c), people.total, limit.Options{}),
		purse: spend.NewService(redis.NewSpend(client, c.Redis.KeyPrefix), newSpendRules(c), people.people, store,
			spend.Options{CodeLife: c.Codes.Lifetime, Log: log}),
	}, nil
}

type blocksCommand struct {
	List blocksList `cmd:"" help:"Show whom limits refuse just now, and which texts they keep back, why, and how long still."`
	Lift blocksLift `cmd:"" help:"End blocks at once: forget what was counted, or allow as many texts or as much money again."`
}

type blocksList struct {
	Limit int `default:"100" help:"How many, those that last longest first."`
	where
	output
}

// blockJSON is one block, as it is printed.
type blockJSON struct {
	ID      string    `json:"id"`
	Rule    rule.Name `json:"rule"`
	Subject string    `json:"subject"`
	Since   time.Time `json:"since,omitzero"`
	Until   time.Time `json:"until"`
	Refused int       `json:"refused,omitempty"`
	Why     string    `json:"why"`
}

// Run prints blocks: of addresses and numbers, of texts, and of numbers that get no texts.
func (cmd blocksList) Run(ctx context.Context, env Env) error {
	if cmd.Limit < 1 || cmd.Limit > maxListed {
		return usageError{fmt.Errorf("--limit: want 1 to %d", maxListed)}
	}
	c, err := cmd.load(env)
	if err != nil {
		return err
	}
	return withLimits(ctx, c, func(o office) error {
		blocks, nowhere, err := o.blocks(ctx, cmd.Limit)
		if err != nil {
			return err
		}
		if nowhere != "" {
			fmt.Fprintln(env.Stderr, nowhere)
		}
		if cmd.json() {
			return writeJSON(env.Stdout, blocks)
		}
		if len(blocks) == 0 {
			if nowhere != "" {
				return nil
			}
			fmt.Fprintln(env.Stderr, "Nobody is blocked, and no texts are kept back.")
			return nil
		}
		return writeBlocks(env.Stdout, blocks, time.Now())
	})
}

// blocks returns those that last longest, and why no texts go to any country, if so.
func (o office) blocks(ctx context.Context, most int) (all []blockJSON, nowhere string, err error) {
	all = []blockJSON{} // JSON has no null for none
	listed, err := o.sources.Blocks(ctx, most)
	if err != nil {
		return nil, "", err
	}
	for _, b := range listed {
		all = append(all, blockJSON{b.ID, b.Rule, shownSubject(b), b.Since, b.Until, b.Count, b.Rule.Explain()})
	}
	standing, err := o.purse.Standing(ctx)
	if err != nil {
		return nil, "", err
	}
	for _, b := range standing.Blocks {
		why := b.Rule.Explain()
		if b.RecordOnly {
			why += " (only recorded)"
		}
		all = append(all, blockJSON{ID: textBlockID(b), Rule: b.Rule, Subject: textSubject(b), Until: b.Until, Why: why})
	}
	numbers, err := o.store.BlockedNumbers(ctx, most)
	if err != nil {
		return nil, "", err
	}
	for _, n := range numbers {
		all = append(all, blockJSON{
			ID: n.To.E164(), Rule: rule.Undeliverable, Subject: "number " + n.To.Masked(), Since: n.FirstAt, Until: n.Until, Refused: n.Hits,
			Why: whyNone(n.Class),
		})
	}
	slices.SortStableFunc(all, func(a, b blockJSON) int { return b.Until.Compare(a.Until) })
	return all[:min(most, len(all))], standing.Nowhere, nil
}

// textBlockID names a block of texts: its rule, and its country if it has one.
func textBlockID(b spend.Block) string {
	if b.Country == "" {
		return string(b.Rule)
	}
	return string(b.Rule) + ":" + b.Country
}

func textSubject(b spend.Block) string {
	subject := "texts"
	if b.Strangers {
		subject = "strangers' texts"
	}
	if b.Country != "" {
		subject += " to " + b.Country
	}
	return subject
}

// who is a block's subject as a person reads it; scripts get it as it is.
func who(subject string) string {
	for prefix, word := range map[string]string{"source:": "address ", "network:": "network "} {
		if rest, ok := strings.CutPrefix(subject, prefix); ok {
			return word + rest
		}
	}
	if subject == "all" {
		return "unknown networks"
	}
	return subject
}

func writeBlocks(w io.Writer, blocks []blockJSON, now time.Time) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "ID\tWHO\tLEFT\tREFUSED\tWHY")
	for _, b := range blocks {
		refused := "-"
		if b.Refused > 0 {
			refused = fmt.Sprint(b.Refused)
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\n", b.ID, who(b.Subject), left(b.Until.Sub(now)), refused, b.Why)
	}
	return table.Flush()
}

// left says roughly how long something lasts still.
func left(d time.Duration) string {
	switch {
	case d <= 0:
		return "over"
	case d < 2*time.Minute:
		return fmt.Sprintf("%d s", int(d.Seconds()))
	case d < 2*time.Hour:
		return fmt.Sprintf("%d min", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h", int(d.Hours()))
	}
	return fmt.Sprintf("%d days", int(d.Hours()/24))
}

type blocksLift struct {
	ID     []string `arg:"" help:"Blocks, by the ID that blocks list shows."`
	Reason string   `placeholder:"TEXT" help:"Why, for the audit log."`
	where
}

// Run lifts blocks one by one.
func (cmd blocksLift) Run(ctx context.Context, env Env) error {
	if err := checkReason(cmd.Reason); err != nil {
		return err
	}
	c, err := cmd.load(env)
	if err != nil {
		return err
	}
	return withLimits(ctx, c, func(o office) error {
		for _, id := range cmd.ID {
			lifted, err := o.lift(ctx, c, id)
			if err != nil {
				return fmt.Errorf("%s: %w", id, err)
			}
			event := audit.Event{
				At: time.Now(), Kind: audit.LimitLifted, Actor: operator(), Reason: cmd.Reason,
				Detail: map[string]any{"rule": lifted.Rule, "subject": lifted.Subject},
			}
			if err := o.store.Record(ctx, event); err != nil {
				return err
			}
			fmt.Fprintf(env.Stdout, "Lifted: %s (%s)\n", who(lifted.Subject), lifted.Rule.Explain())
		}
		return nil
	})
}

// lift ends one block, whatever kind it is.
func (o office) lift(ctx context.Context, c config.Config, id string) (blockJSON, error) {
	if number, err := newParser(c).Parse(id); err == nil {
		there, err := o.store.LiftUndeliverable(ctx, number, operator())
		if err == nil && !there {
			err = errors.New("texts to this number are not kept back; what was guessed at it, latchkey users unlock forgets")
		}
		return blockJSON{Rule: rule.Undeliverable, Subject: "number " + number.Masked()}, err
	}
	if name, country, _ := strings.Cut(id, ":"); rule.Name(name).Known() {
		return o.reopen(ctx, rule.Name(name), country)
	}
	block, err := o.sources.Lift(ctx, id)
	switch {
	case errors.Is(err, limit.ErrNoBlock):
		return blockJSON{}, errNoBlock
	case err != nil:
		return blockJSON{}, err
	}
	if tag, _, ok := block.Number(); ok {
		err = o.codes.Unlock(ctx, tag)
	}
	return blockJSON{Rule: block.Rule, Subject: shownSubject(block)}, err
}

// errNoBlock means an ID that is on no list.
var errNoBlock = errors.New("there is no such block, or it is over: latchkey blocks list shows those that there are")

// reopen lifts a block of texts. Only one that stands can be: each time allows as much again, and a command
// that was given twice must not double the day's money.
func (o office) reopen(ctx context.Context, name rule.Name, country string) (blockJSON, error) {
	standing, err := o.purse.Standing(ctx)
	if err != nil {
		return blockJSON{}, err
	}
	i := slices.IndexFunc(standing.Blocks, func(b spend.Block) bool { return b.Rule == name && b.Country == country })
	if i < 0 {
		return blockJSON{}, errNoBlock
	}
	err = o.purse.Reopen(ctx, name, country)
	if errors.Is(err, spend.ErrNotReopened) {
		err = errors.New("this cannot be lifted: change the settings, or wait until it ends by itself")
	}
	return blockJSON{Rule: name, Subject: textSubject(standing.Blocks[i])}, err
}

func checkReason(reason string) error {
	if len(reason) > maxReason || strings.ContainsFunc(reason, unicode.IsControl) {
		return usageError{fmt.Errorf("--reason: want at most %d characters on one line", maxReason)}
	}
	return nil
}
