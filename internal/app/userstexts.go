package app

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/latchkey-id/latchkey/internal/phone"
	"github.com/latchkey-id/latchkey/internal/rule"
	"github.com/latchkey-id/latchkey/internal/sms"
)

// shownTexts is how many texts are shown of a person.
const shownTexts = 5

// textJSON is one text to a person, as it is printed: for whoever is asked "did my text go out?"
type textJSON struct {
	At       time.Time `json:"at"`
	Kind     string    `json:"kind"`
	ClientID string    `json:"client_id,omitempty"`
	Provider string    `json:"provider,omitempty"`
	// Status is the furthest that is known: "delivered", "accepted", "withheld", "not sent", "undelivered".
	Status   string `json:"status"`
	Why      string `json:"why,omitempty"`
	Redeemed bool   `json:"redeemed"`
}

// String is one line.
func (t textJSON) String() string {
	line := fmt.Sprintf("%s  %s, %s", t.At.UTC().Format("2006-01-02 15:04:05"), t.Kind, t.Status)
	if t.Redeemed {
		line += ", code used"
	}
	if t.Why != "" {
		line += ": " + t.Why
	}
	return line
}

// texts returns why texts to a number are withheld, if they are, and what became of the last ones.
func (v viewer) texts(ctx context.Context, to phone.Number) (noTexts string, shown []textJSON, err error) {
	recipient, err := v.store.Recipient(ctx, to)
	if err != nil {
		return "", nil, err
	}
	if u := recipient.Undeliverable; u != nil {
		noTexts = fmt.Sprintf("none until %s: %s", u.Until.UTC().Format("2006-01-02 15:04 UTC"), cmp.Or(u.Reason, string(u.Class)))
	}
	last, err := v.store.TextsTo(ctx, to, shownTexts)
	if err != nil {
		return "", nil, err
	}
	shown = []textJSON{}
	for _, t := range last {
		text := textJSON{At: t.At, Kind: string(t.Kind), ClientID: t.ClientID, Provider: t.Provider, Redeemed: !t.RedeemedAt.IsZero()}
		text.Status, text.Why = fate(t)
		shown = append(shown, text)
	}
	return noTexts, shown, nil
}

// fate says what became of a text, and why.
func fate(t sms.Tracked) (status, why string) {
	switch {
	case t.Class == sms.Withheld:
		return "withheld", rule.Name(t.Rule).Explain()
	case t.Class == sms.UnknownOutcome:
		return "perhaps sent", string(t.Class)
	case t.Class != "":
		return "not sent", coded(t.Class, t.Code)
	case t.Status.Bad():
		return string(t.Status), coded(t.StatusClass, t.StatusCode)
	}
	return cmp.Or(string(t.Status), "accepted"), ""
}

func coded(class sms.Class, code int) string {
	if code == 0 {
		return string(class)
	}
	return fmt.Sprintf("%s, code %d", class, code)
}
