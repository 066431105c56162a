package app

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/latchkey-id/latchkey/internal/config"
	"github.com/latchkey-id/latchkey/internal/phone"
	"github.com/latchkey-id/latchkey/internal/session"
	"github.com/latchkey-id/latchkey/internal/store/sql"
)

// whose says whose sessions a command is about: WHO by whatever is at hand, or one of the flags. What
// is given and empty, as by a script's variable that is not set, is not the same as nothing.
type whose struct {
	Who        *string `arg:"" optional:"" help:"A person, by phone, e-mail, HR's id or sub; or a session, by sid."`
	SID        *string `name:"sid" help:"One session."`
	Phone      *string `help:"Of the person with this number."`
	Email      *string `help:"Of the person with this e-mail address."`
	ExternalID *string `name:"external-id" help:"Of the person with this id in HR's files."`
	Sub        *string `help:"Of the account with this sub."`
	Client     *string `help:"Of this application only."`
}

// check refuses what is empty, and two ways of saying who. It reports whether anybody, and whether
// anything at all, is named.
func (w whose) check() (somebody, something bool, err error) {
	people := 0
	for _, given := range []*string{w.Who, w.SID, w.Phone, w.Email, w.ExternalID, w.Sub, w.Client} {
		switch {
		case given == nil:
			continue
		case strings.TrimSpace(*given) == "":
			return false, false, usageError{errors.New("an argument or a flag is there and empty: whose sessions?")}
		}
		something = true
		if given != w.Client {
			people++
		}
	}
	if people > 1 {
		return false, false, usageError{errors.New("name the person or the session once: as an argument or by one flag")}
	}
	return people == 1, something, nil
}

// filter finds out what is meant. A number that cannot be one is a usageError.
func (w whose) filter(ctx context.Context, c config.Config, store *sql.Store) (session.Filter, error) {
	f := session.Filter{}
	if w.Who != nil {
		var err error
		if f, err = guess(ctx, c, store, *w.Who); err != nil {
			return f, err
		}
	}
	for into, given := range map[*string]*string{
		&f.SID: w.SID, &f.Email: w.Email, &f.ExternalID: w.ExternalID, &f.Subject: w.Sub, &f.ClientID: w.Client,
	} {
		if given != nil {
			*into = strings.TrimSpace(*given)
		}
	}
	if w.Phone != nil {
		number, err := newParser(c).Parse(*w.Phone)
		if err != nil {
			return f, usageError{errors.New("--phone: not a mobile number: " + phoneMistake(err))}
		}
		f.Phone = number.E164()
	}
	return f, nil
}

// nobody says why a filter selects no live session: whom it names is signed in nowhere, which is no
// error, or does not exist, which is one. A mistyped address must not look like a job done.
func nobody(ctx context.Context, c config.Config, store *sql.Store, f session.Filter) (string, error) {
	ever := 0
	if f.SID+f.ClientID != "" {
		var err error
		if _, ever, err = store.Sessions(ctx, session.Filter{SID: f.SID, ClientID: f.ClientID, Ended: true}, 1); err != nil {
			return "", err
		}
	}
	_, registered := c.Clients[f.ClientID]
	switch {
	case f.ClientID != "" && !registered && ever == 0:
		return "", fmt.Errorf("there is no client %q: latchkey config check lists them", f.ClientID)
	case f.SID != "" && ever == 0:
		return "", errors.New("there is no such session, or none that is still kept")
	case f.SID != "":
		return "That session is over already.", nil
	case f.Phone+f.Email+f.ExternalID+f.Subject == "":
		return "No live sessions.", nil
	}
	people, err := store.People(ctx, f, 1)
	switch {
	case err != nil:
		return "", err
	case len(people) == 0:
		return "", errNobody
	case people[0].User != nil:
		return people[0].User.Name + " has no live session.", nil
	}
	return "They have no live session.", nil
}

// onePerson refuses an e-mail or an id of HR's that is more than one person's: two sources may have the
// same.
func onePerson(ctx context.Context, store *sql.Store, f session.Filter) error {
	if f.Email+f.ExternalID == "" {
		return nil
	}
	people, err := store.People(ctx, f, 2)
	if len(people) > 1 {
		err = errors.New("that is more than one person: latchkey users show tells them apart, and --sub means one")
	}
	return err
}

// errNobody means that neither HR nor any sign-in knows whom a command names.
var errNobody = errors.New("nobody found: neither HR's people nor anybody who has signed in. " +
	"Want a phone, an e-mail, HR's id, a sub or a sid, each in full")

// randomID is the shape of a sid and of a sub alike.
var randomID = regexp.MustCompile(`^[a-z2-7]{26}$`)

// guess tells what text names a person or a session.
func guess(ctx context.Context, c config.Config, store *sql.Store, text string) (session.Filter, error) {
	text = strings.TrimSpace(text)
	number, err := newParser(c).Parse(text)
	international := strings.HasPrefix(text, "+")
	switch {
	case err == nil && international:
		return session.Filter{Phone: number.E164()}, nil
	case international:
		return session.Filter{}, usageError{errors.New("not a mobile number: " + phoneMistake(err))}
	case err == nil: // HR's ids may look like numbers of the default region
		clash, failed := store.People(ctx, session.Filter{ExternalID: text}, 1)
		if len(clash) > 0 {
			failed = usageError{errors.New("this is an id of HR's and could be a phone number: write the number with +, or name the person otherwise")}
		}
		return session.Filter{Phone: number.E164()}, failed
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
