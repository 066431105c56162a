package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/latchkey-id/latchkey/internal/login"
	"github.com/latchkey-id/latchkey/internal/ops"
	"github.com/latchkey-id/latchkey/internal/otp"
	"github.com/latchkey-id/latchkey/internal/phone"
	"github.com/latchkey-id/latchkey/internal/sms"
)

// releaseTimeout bounds what is done about a text that failed.
const releaseTimeout = 2 * time.Second

// texts is the login.Texter: codes become texts in a queue.
type texts struct {
	queue *sms.Queue
	text  sms.Text
	now   func() time.Time
}

// Text implements login.Texter.
func (t *texts) Text(to phone.Number, code otp.Code, left time.Duration, id otp.TextID) error {
	err := t.queue.Enqueue(sms.Message{
		To: to, Body: t.text.Code(string(code), left), ValidUntil: t.now().Add(left), Ref: string(id),
	})
	if errors.Is(err, sms.ErrQueueFull) || errors.Is(err, sms.ErrQueueClosed) {
		return fmt.Errorf("%w: %w", login.ErrBusy, err)
	}
	return err
}

// outcome hears what became of each text. When it surely was not sent, the person need not wait
// before they ask again (M9).
func outcome(codes *otp.Service, metrics *ops.Metrics, log *slog.Logger) func(context.Context, sms.Message, sms.Receipt, error) {
	return func(ctx context.Context, m sms.Message, receipt sms.Receipt, err error) {
		var failure *sms.Error
		if !errors.As(err, &failure) {
			metrics.Text("accepted")
			log.InfoContext(ctx, "text accepted", "to", m.To, "provider_id", receipt.ID)
			return
		}
		metrics.Text(string(failure.Class))
		level := slog.LevelWarn
		if failure.Class == sms.OurConfig {
			level = slog.LevelError // no text goes out until an operator acts
		}
		log.Log(ctx, level, "text failed", "to", m.To, "class", string(failure.Class), "code", failure.Code, "error", failure)
		if !failure.Definite() {
			return
		}
		ctx, cancel := context.WithTimeout(ctx, releaseTimeout)
		defer cancel()
		if err := codes.Unsent(ctx, m.To, otp.TextID(m.Ref)); err != nil {
			log.WarnContext(ctx, "the gap to the next text stays, though none was sent", "to", m.To, "error", err)
		}
	}
}
