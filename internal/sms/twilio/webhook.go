package twilio

import (
	"errors"
	"fmt"
	"mime"
	"net/url"
	"regexp"
	"strconv"

	"github.com/twilio/twilio-go/client"

	"github.com/latchkey-id/latchkey/internal/phone"
	"github.com/latchkey-id/latchkey/internal/sms"
)

// Errors of Read. Neither holds anything of the request.
var (
	// ErrForged means that nobody who knows the account's token signed the request: answer 403, without
	// a body.
	ErrForged = errors.New("twilio: webhook's signature is not valid")
	// ErrMalformed means that the request is no status callback: answer 400, without a body.
	ErrMalformed = errors.New("twilio: webhook's request is no status callback")
)

// MaxWebhookBody is how large a status callback may be, in bytes; they have about 500.
const MaxWebhookBody = 16 << 10

// WebhookAccount is an account whose callbacks are taken. It holds secrets: do not print it.
type WebhookAccount struct {
	// Name is the provider's, and Path where its settings are, as in Options.
	Name string
	Path string
	// AccountSID is the account's, Tokens its auth token (an API key's secret signs no callbacks) and,
	// while that is changed, the former or the next one.
	AccountSID string
	Tokens     []string
}

// Webhook reads the status callbacks that Twilio makes to us (security requirement X3). A callback has no
// time and no number of its own, so that a repeated one is taken again: it is for whoever keeps the
// status to only ever move forward, and only for texts that we sent. It is safe for concurrent use.
type Webhook struct {
	url      string
	accounts map[string]webhookAccount
}

type webhookAccount struct {
	name       string
	validators []client.RequestValidator
}

var tokenShape = regexp.MustCompile(`^[A-Za-z0-9]{32}$`)

// NewWebhook takes the public URL under which Twilio was told to reach us, letter by letter: it is part
// of what is signed. Every mistake is returned at once, with its setting's key.
func NewWebhook(publicURL string, accounts []WebhookAccount) (*Webhook, error) {
	w := &Webhook{url: publicURL, accounts: map[string]webhookAccount{}}
	errs := []error{checkPublic(publicURL)}
	for i, each := range accounts {
		if each.Name == "" {
			each.Name = Options{}.withDefaults().Name
		}
		if each.Path == "" {
			each.Path = defaultPath
		}
		if i == 0 && errs[0] != nil { // once for all accounts: they are called back at one address
			errs[0] = fmt.Errorf("%s.auth_token: with it Twilio is asked to call the public URL: %w", each.Path, errs[0])
		}
		errs = append(errs, w.add(each))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return w, nil
}

func (w *Webhook) add(a WebhookAccount) error {
	if err := checkSID(a.Path, "account_sid", a.AccountSID, "AC"); err != nil {
		return err
	}
	if other, twice := w.accounts[a.AccountSID]; twice {
		return fmt.Errorf("%s.account_sid: provider %q has the same account: "+
			"a callback does not say which of them it is for, so keep one", a.Path, other.name)
	}
	known := webhookAccount{name: a.Name}
	for _, token := range a.Tokens {
		if !tokenShape.MatchString(token) {
			return fmt.Errorf("%s.auth_token: want the 32 letters and digits that Twilio's console shows as the auth token", a.Path)
		}
		known.validators = append(known.validators, client.NewRequestValidator(token))
	}
	if len(known.validators) == 0 {
		return fmt.Errorf("%s.auth_token: missing: callbacks are signed with the account's auth token", a.Path)
	}
	w.accounts[a.AccountSID] = known
	return nil
}

// Read returns what a status callback says. rawQuery and body are those of the request, untouched;
// signature is its X-Twilio-Signature. The errors are ErrForged and ErrMalformed. A status that we do not
// know has Rank 0: it is no error, for Twilio adds some without notice, and changes nothing.
func (w *Webhook) Read(rawQuery string, body []byte, signature, contentType string) (sms.Delivery, error) {
	kind, _, err := mime.ParseMediaType(contentType)
	if err != nil || kind != "application/x-www-form-urlencoded" || len(body) > MaxWebhookBody {
		return sms.Delivery{}, ErrMalformed
	}
	form, err := once(body)
	if err != nil || signature == "" {
		return sms.Delivery{}, ErrForged
	}
	account, known := w.accounts[form["AccountSid"]]
	if !known || !account.signed(w.address(rawQuery), form, signature) {
		return sms.Delivery{}, ErrForged
	}
	// Names and values are signed without a mark between them, so that Ab=C passes for A=bC: what is used
	// has to have its own shape.
	if !messageSID.MatchString(form["MessageSid"]) {
		return sms.Delivery{}, ErrMalformed
	}
	return delivery(account.name, form), nil
}

// address is what Twilio called, by our settings and never by what the request says of its host.
func (w *Webhook) address(rawQuery string) string {
	if rawQuery == "" {
		return w.url
	}
	return w.url + "?" + rawQuery
}

// once reads a form in which no name comes twice: only one of its values would be signed.
func once(body []byte) (map[string]string, error) {
	values, err := url.ParseQuery(string(body))
	if err != nil {
		return nil, err
	}
	form := make(map[string]string, len(values))
	for name, each := range values {
		if len(each) != 1 {
			return nil, ErrForged
		}
		form[name] = each[0]
	}
	return form, nil
}

// signed asks Validate and not ValidateBody, which would sign the body only by a digest that the query
// may name.
func (a webhookAccount) signed(address string, form map[string]string, signature string) bool {
	for _, v := range a.validators {
		if v.Validate(address, form, signature) {
			return true
		}
	}
	return false
}

// statuses are the ones that matter to us. Others, such as read, canceled or received, belong to
// features that are not used.
var statuses = map[string]sms.Status{
	"accepted": sms.Accepted, "queued": sms.Queued, "sending": sms.Sending, "sent": sms.Sent,
	"failed": sms.Failed, "undelivered": sms.Undelivered, "delivered": sms.Delivered,
}

func delivery(provider string, form map[string]string) sms.Delivery {
	d := sms.Delivery{Provider: provider, ProviderID: form["MessageSid"], Status: statuses[form["MessageStatus"]]}
	d.To, _ = phone.Stored(form["To"]) // without a number the news is still of use
	if d.Status != sms.Failed && d.Status != sms.Undelivered {
		return d
	}
	if code, err := strconv.Atoi(form["ErrorCode"]); err == nil && code > 0 {
		d.Code = code
	}
	// Of a code that we do not know the class is empty: nothing is held against a number, or a provider,
	// for a reason that nobody has looked at.
	d.Class, _ = ClassOf(d.Code)
	if d.Code == 0 {
		d.Class = sms.NumberTemporary
	}
	d.Account = accountCodes[d.Code]
	return d
}
