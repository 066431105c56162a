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
	if s.Open && w.metrics != nil {
		w.metrics.Alarm("breaker_open")
	}
}

// auditTimeout bounds writing an event that nobody waits for.
const auditTimeout = 5 * time.Second

// blocked puts a new block on record (T10).
func (w *watch) blocked(b limit.Block) {
	ctx, cancel := context.WithTimeout(context.Background(), auditTimeout)
	defer cancel()
	event := audit.Event{At: b.Since, Kind: audit.LimitReached, Actor: audit.System, Reason: string(b.Rule), Detail: map[string]any{
		"block": b.ID, "until": b.Until.UTC().Format(time.RFC3339),
	}}
	if _, shown, ok := b.Number(); ok {
		event.Phone = shown
	} else {
		event.Detail["subject"] = b.Subject
	}
	if b.Rule == rule.AllGuesses || b.Rule == rule.AllGuessesClosed {
		w.metrics.Alarm(string(b.Rule)) // T4 pages somebody
	}
	w.log.WarnContext(ctx, "blocked", "block", b.ID, "rule", string(b.Rule), "why", b.Rule.Explain(), "subject", shownSubject(b), "until", b.Until)
	if err := w.store.Record(ctx, event); err != nil {
		w.log.WarnContext(ctx, "a block is not in the audit", "block", b.ID, "error", err)
	}
}

// shownSubject is the subject of a block without what stands for a number.
func shownSubject(b limit.Block) string {
	if _, shown, ok := b.Number(); ok {
		return "number " + shown
	}
	return b.Subject
}
