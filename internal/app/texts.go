package app

import (
	"errors"
	"fmt"
	"net/url"
	"time"

	"github.com/latchkey-id/latchkey/internal/client"
	"github.com/latchkey-id/latchkey/internal/config"
	"github.com/latchkey-id/latchkey/internal/dispatch"
	"github.com/latchkey-id/latchkey/internal/login"
	"github.com/latchkey-id/latchkey/internal/phone"
	"github.com/latchkey-id/latchkey/internal/sms"
	"github.com/latchkey-id/latchkey/internal/sms/wording"
)

// noticeLife is how long it is worth telling a person of a sign-in.
const noticeLife = 30 * time.Minute

// texts is the login.Texter: codes become texts in a queue.
type texts struct {
	queue    *sms.Queue
	words    *wording.Catalog
	router   *sms.Router
	dispatch *dispatch.Service
	now      func() time.Time
}

// Available implements login.Texter.
func (t *texts) Available() error { return t.router.Available() }

// Text implements login.Texter.
func (t *texts) Text(text login.Text) error {
	country := text.To.Country()
	language := t.words.Pick(text.Language, text.Client.Language, country)
	err := t.queue.Enqueue(sms.Message{
		To: text.To, Body: t.words.Code(language, text.Client.ID, string(text.Code), text.Left), Kind: sms.KindCode, Country: country,
		Challenge: text.Challenge, ClientID: text.Client.ID, Trusted: text.Trusted, Listed: text.Listed,
		ValidUntil: t.now().Add(text.Left), Ref: string(text.ID),
	})
	if errors.Is(err, sms.ErrQueueFull) || errors.Is(err, sms.ErrQueueClosed) {
		return fmt.Errorf("%w: %w", login.ErrBusy, err)
	}
	return err
}

// Redeemed implements login.Texter.
func (t *texts) Redeemed(challenge string) { t.dispatch.Redeemed(challenge) }

// Notice implements login.Texter. The person holds the phone, so it counts as asked for from a trusted
// place.
func (t *texts) Notice(to phone.Number, c *client.Client) {
	country := to.Country()
	language := t.words.Pick("", c.Language, country)
	_ = t.queue.Enqueue(sms.Message{ // a queue that is full has codes to send
		To: to, Body: t.words.Notice(language, t.now()), Kind: sms.KindNotice, Country: country, ClientID: c.ID, Trusted: true,
		ValidUntil: t.now().Add(noticeLife),
	})
}

// newWording is how texts read; phones bind codes to the issuer's host.
func newWording(c config.Config) (*wording.Catalog, error) {
	issuer, err := url.Parse(c.Issuer)
	if err != nil { // its own mistake, reported by config
		issuer = &url.URL{}
	}
	hashes := map[string]string{}
	for id, each := range c.Clients {
		if each.AndroidAppHash != "" {
			hashes[id] = each.AndroidAppHash
		}
	}
	return wording.New(wording.Options{
		Brand: c.SMS.Brand, Host: issuer.Hostname(), Codes: c.SMS.Templates.Code, Notices: c.SMS.Templates.Notice,
		AppHashes: hashes, DefaultLanguage: c.SMS.Language,
	})
}
