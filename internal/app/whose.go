package app

import (
	"context"
	"errors"
	"regexp"
	"strings"

	"github.com/latchkey-id/latchkey/internal/config"
	"github.com/latchkey-id/latchkey/internal/phone"
	"github.com/latchkey-id/latchkey/internal/session"
	"github.com/latchkey-id/latchkey/internal/store/sql"
)

// whose says whose sessions a command is about: WHO by whatever is at hand, or one of the flags.
type whose struct {
	Who        string `arg:"" optional:"" help:"A person, by phone, e-mail, HR's id or sub; or a session, by sid."`
	SID        string `name:"sid" help:"One session."`
	Phone      string `help:"Of the person with this number."`
	Email      string `help:"Of the person with this e-mail address."`
	ExternalID string `name:"external-id" help:"Of the person with this id in HR's files."`
	Sub        string `help:"Of the account with this sub."`
	Client     string `help:"Of this application only."`
}

// named reports whether anything narrows the sessions down.
func (w whose) named() bool { return w != whose{} }

// filter finds out what is meant. A number that cannot be one is a usageError.
func (w whose) filter(ctx context.Context, c config.Config, store *sql.Store) (session.Filter, error) {
	f := session.Filter{SID: w.SID, ClientID: w.Client, Email: w.Email, ExternalID: w.ExternalID, Subject: w.Sub}
	if w.Phone != "" {
		number, err := newParser(c).Parse(w.Phone)
		if err != nil {
			return f, usageError{errors.New("--phone: not a mobile number: write it with its country code, as in +447700900123")}
		}
		f.Phone = number.E164()
	}
	if w.Who == "" {
		return f, nil
	}
	guessed, err := guess(ctx, c, store, w.Who)
	if err != nil {
		return f, err
	}
	return merge(f, guessed)
}

func merge(f, guessed session.Filter) (session.Filter, error) {
	for _, each := range []struct {
		into *string
		from string
	}{
		{&f.SID, guessed.SID}, {&f.Phone, guessed.Phone}, {&f.Email, guessed.Email}, {&f.ExternalID, guessed.ExternalID}, {&f.Subject, guessed.Subject},
	} {
		if each.from == "" {
			continue
		}
		if *each.into != "" {
			return f, usageError{errors.New("name the person once: as an argument or by a flag")}
		}
		*each.into = each.from
	}
	return f, nil
}

// randomID is the shape of a sid and of a sub alike.
var randomID = regexp.MustCompile(`^[a-z2-7]{26}$`)

// guess tells what text names a person or a session.
func guess(ctx context.Context, c config.Config, store *sql.Store, text string) (session.Filter, error) {
	text = strings.TrimSpace(text)
	number, err := newParser(c).Parse(text)
	switch {
	case err == nil:
		return session.Filter{Phone: number.E164()}, nil
	case strings.HasPrefix(text, "+"):
		return session.Filter{}, usageError{errors.New("not a mobile number: " + phoneMistake(err))}
	case strings.Contains(text, "@"):
		return session.Filter{Email: text}, nil
	case !randomID.MatchString(text):
		return session.Filter{ExternalID: text}, nil
	}
	_, total, err := store.Sessions(ctx, session.Filter{SID: text, Ended: true}, 1)
	if err != nil || total > 0 {
		return session.Filter{SID: text}, err
	}
	return session.Filter{Subject: text}, nil
}

func phoneMistake(err error) string {
	switch {
	case errors.Is(err, phone.ErrImpossible):
		return "there is no such number"
	case errors.Is(err, phone.ErrNotMobile):
		return "it cannot receive texts"
	}
	return "write it as in +447700900123"
}
