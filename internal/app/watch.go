package app

import (
	"context"
	"log/slog"
	"time"

	"github.com/latchkey-id/latchkey/internal/audit"
	"github.com/latchkey-id/latchkey/internal/limit"
	"github.com/latchkey-id/latchkey/internal/login"
	"github.com/latchkey-id/latchkey/internal/ops"
	"github.com/latchkey-id/latchkey/internal/rule"
	"github.com/latchkey-id/latchkey/internal/sms"
	"github.com/latchkey-id/latchkey/internal/store/sql"
)

// watch tells operators what limits decide: in metrics each time, in the list of blocks and in the audit
// once for each block, in the log what is worth a look. Of a number they get the masked form only.
type watch struct {
	metrics *ops.Metrics
	limits  *limit.Service
	store   *sql.Store
	log     *slog.Logger
	now     func() time.Time
	untold  chan []limit.Block
}

// Outcomes of a rule, in metrics.
const (
	outcomeRefused  = "refused"
	outcomeWithheld = "withheld"
	outcomeRecorded = "recorded"
	// doorSend is where texts meet rules; the others are login's.
	doorSend = "send"
)

// Limited implements login.Watch. Limits of sources list their blocks by themselves.
func (w *watch) Limited(_ context.Context, l login.Limited) {
	if !l.Refused {
		w.metrics.Limited(string(l.Rule), string(l.Door), outcomeRecorded)
		return
	}
	w.metrics.Limited(string(l.Rule), string(l.Door), outcomeRefused)
	if ofNumber(l.Rule) && l.RetryAfter > 0 {
		w.limits.NoteBlock(l.Rule, limit.NumberSubject(l.Tag, l.Number.Masked()), w.now().Add(l.RetryAfter))
	}
}

// ofNumber reports whether a rule blocks a number for longer than a code lives.
func ofNumber(name rule.Name) bool {
	switch name {
	case rule.NumberGuesses, rule.NumberGuessesSource, rule.NumberInARow,
		rule.NumberTextsHour, rule.NumberTextsDay, rule.NumberTextsSourceHour, rule.NumberTextsSourceDay:
		return true
	}
	return false
}

// guesses is the watch over sign-ins; the rest of watch is over texts.
type guesses struct{ *watch }

// Alarm implements login.Watch.
func (g guesses) Alarm(ctx context.Context, l login.Limited) {
	g.metrics.Alarm(string(l.Rule))
	g.log.WarnContext(ctx, "many wrong guesses at one number", "alarm", string(l.Rule), "number", l.Number,
		"source", string(l.Origin.Source), "client", l.ClientID)
}

// Text implements dispatch.Observer.
func (w *watch) Text(country, result string) { w.metrics.Text(orUnknown(country), result) }

// Delivered implements dispatch.Observer.
func (w *watch) Delivered(country string, status sms.Status) {
	w.metrics.Delivery(orUnknown(country), string(status))
}

// Ruled implements dispatch.Observer.
func (w *watch) Ruled(name rule.Name, withheld bool) {
	outcome := outcomeRecorded
	if withheld {
		outcome = outcomeWithheld
	}
	w.metrics.Limited(string(name), doorSend, outcome)
}

// Alarm implements dispatch.Observer.
func (w *watch) Alarm(ctx context.Context, kind, detail string) {
	w.metrics.Alarm(kind)
	w.log.ErrorContext(ctx, "alarm", "alarm", kind, "detail", detail)
}

func orUnknown(country string) string {
	if country == "" {
		return "unknown"
	}
	return country
}

// breaker hears of a provider that is switched off, or on again.
func (w *watch) breaker(s sms.Standing) {
	if s.Open {
		w.metrics.Alarm("breaker_open")
	}
}

const (
	// auditTimeout bounds writing events that nobody waits for.
	auditTimeout = 5 * time.Second
	// maxUntold is how many batches of new blocks wait to be put on record while that is slow.
	maxUntold = 64
	// shownBlocks are told one by one in the log; under attack there are thousands.
	shownBlocks = 20
)

// blocked takes new blocks, to be told and put on record (T10). It never waits.
func (w *watch) blocked(blocks []limit.Block) {
	select {
	case w.untold <- blocks:
	default:
		w.log.Warn("blocks are missing in the audit: the record is too slow", "blocks", len(blocks))
	}
}

// run tells of new blocks until ctx ends.
func (w *watch) run(ctx context.Context) {
	for {
		select {
		case blocks := <-w.untold:
			w.tell(ctx, blocks)
		case <-ctx.Done():
			return
		}
	}
}

// finish tells of those that are left, when nobody notes any more.
func (w *watch) finish(ctx context.Context) {
	for len(w.untold) > 0 && ctx.Err() == nil {
		w.tell(ctx, <-w.untold)
	}
}

func (w *watch) tell(ctx context.Context, blocks []limit.Block) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), auditTimeout)
	defer cancel()
	var events []audit.Event
	for i, b := range blocks {
		if b.Rule == rule.AllGuesses || b.Rule == rule.AllGuessesClosed {
			w.metrics.Alarm(string(b.Rule)) // T4 pages somebody
		}
		if i < shownBlocks {
			w.log.WarnContext(ctx, "blocked", "block", b.ID, "rule", string(b.Rule), "why", b.Rule.Explain(), "subject", shownSubject(b), "until", b.Until)
		}
		events = append(events, blockEvent(b))
	}
	if more := len(blocks) - shownBlocks; more > 0 {
		w.log.WarnContext(ctx, "blocked, and more: see latchkey blocks list", "blocks", more)
	}
	if err := w.store.RecordMany(ctx, events); err != nil {
		w.log.WarnContext(ctx, "blocks are missing in the audit", "blocks", len(events), "error", err)
	}
}

func blockEvent(b limit.Block) audit.Event {
	event := audit.Event{At: b.Since, Kind: audit.LimitReached, Actor: audit.System, Reason: string(b.Rule), Detail: map[string]any{
		"block": b.ID, "until": b.Until.UTC().Format(time.RFC3339),
	}}
	if _, shown, ok := b.Number(); ok {
		event.Phone = shown
	} else {
		event.Detail["subject"] = b.Subject
	}
	return event
}

// shownSubject is the subject of a block without what stands for a number.
func shownSubject(b limit.Block) string {
	if _, shown, ok := b.Number(); ok {
		return "number " + shown
	}
	return b.Subject
}
