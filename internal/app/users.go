package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/latchkey-id/latchkey/internal/account"
	"github.com/latchkey-id/latchkey/internal/config"
	"github.com/latchkey-id/latchkey/internal/login"
	"github.com/latchkey-id/latchkey/internal/phone"
	"github.com/latchkey-id/latchkey/internal/session"
	"github.com/latchkey-id/latchkey/internal/store/sql"
	"github.com/latchkey-id/latchkey/internal/tier"
)

type usersCommand struct {
	Show   usersShow   `cmd:"" help:"Show a person: what HR says, whom their number signs in, their tier and why, their sessions."`
	Unlock usersUnlock `cmd:"" help:"Forget wrong guesses at a number and texts to it, so that the person can sign in again."`
}

type usersShow struct {
	Who   string `arg:"" help:"The person, by phone, e-mail, HR's id or sub."`
	Ended bool   `help:"Also sessions that are over or revoked, as long as they are kept."`
	where
	output
}

// shownPeople and shownSessions bound what one command prints.
const (
	shownPeople   = 20
	shownSessions = 100
)

// shownPerson is what is printed of one person.
type shownPerson struct {
	Subject  string      `json:"sub,omitempty"`
	UserID   string      `json:"user_id,omitempty"`
	Source   string      `json:"source,omitempty"`
	External string      `json:"external_id,omitempty"`
	Name     string      `json:"name,omitempty"`
	Active   bool        `json:"active"`
	Phone    string      `json:"phone,omitempty"`
	Email    string      `json:"email,omitempty"`
	Attrs    []attribute `json:"attributes,omitempty"`
	Matching string      `json:"matching"`
	Tier     string      `json:"tier"`
	Rule     string      `json:"rule"`
	// NoTexts says why texts to the number are withheld, Texts what became of the last ones.
	NoTexts  string        `json:"no_texts,omitempty"`
	Texts    []textJSON    `json:"texts"`
	Sessions []sessionJSON `json:"sessions"`

	listed []session.Listed
	more   int
}

type attribute struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Run shows whom the argument names. Nobody is an error.
func (cmd usersShow) Run(ctx context.Context, env Env) error {
	c, err := cmd.load(env)
	if err != nil {
		return err
	}
	tiers, err := newTiers(c)
	if err != nil {
		return err
	}
	return withRecord(ctx, c, func(store *sql.Store) error {
		filter, err := guess(ctx, c, store, cmd.Who)
		if err != nil {
			return err
		}
		if filter.SID != "" { // whose session it is
			sessions, _, err := store.Sessions(ctx, session.Filter{SID: filter.SID, Ended: true}, 1)
			if err != nil || len(sessions) == 0 {
				return errors.Join(err, errNobody)
			}
			filter = session.Filter{Subject: sessions[0].Subject}
		}
		v := viewer{config: c, store: store, tiers: tiers, ended: cmd.Ended}
		people, err := v.people(ctx, filter)
		if err != nil {
			return err
		}
		if cmd.json() {
			return writeJSON(env.Stdout, people)
		}
		for i, person := range people {
			if i > 0 {
				fmt.Fprintln(env.Stdout)
			}
			if err := person.write(env.Stdout); err != nil {
				return err
			}
		}
		return nil
	})
}

// viewer puts together what is shown of people.
type viewer struct {
	config config.Config
	store  *sql.Store
	tiers  *tier.Table
	ended  bool
}

func (v viewer) people(ctx context.Context, filter session.Filter) ([]shownPerson, error) {
	found, err := v.store.People(ctx, filter, shownPeople)
	if err != nil {
		return nil, err
	}
	if len(found) == 0 && filter.Phone == "" {
		return nil, errNobody
	}
	if len(found) == 0 { // a number that nobody has yet; signing in with it would work all the same
		found = []sql.Known{{}}
	}
	all := make([]shownPerson, len(found))
	for i, known := range found {
		if all[i], err = v.person(ctx, known, filter); err != nil {
			return nil, err
		}
	}
	return all, nil
}

func (v viewer) person(ctx context.Context, known sql.Known, filter session.Filter) (shownPerson, error) {
	p := shownPerson{Subject: known.Subject, Sessions: []sessionJSON{}, Texts: []textJSON{}}
	number := cmp.Or(filter.Phone, known.Number)
	if user := known.User; user != nil {
		p.UserID, p.Source, p.External, p.Name, p.Active = user.ID, user.Source, user.ExternalID, user.Name, user.Active
		p.Email, number = user.Email, user.Phone.E164()
		for _, name := range []string{"department", "title", "employment_type", "groups"} {
			if values := user.Attribute(name); len(values) > 0 {
				p.Attrs = append(p.Attrs, attribute{name, strings.Join(values, ", ")})
			}
		}
	}
	if known.Subject != "" {
		listed, total, err := v.store.Sessions(ctx, session.Filter{Subject: known.Subject, Ended: v.ended}, shownSessions)
		if err != nil {
			return p, err
		}
		p.listed, p.more, p.Sessions = listed, total-len(listed), listedJSON(listed, time.Now())
	}
	stored, err := phone.Stored(number)
	if err != nil {
		p.Matching = "HR has no mobile number for them: they cannot sign in"
		p.Tier, p.Rule = "none", "no sign-in, no tier"
		return p, nil
	}
	p.Phone = stored.Masked()
	if p.NoTexts, p.Texts, err = v.texts(ctx, stored); err != nil {
		return p, err
	}
	facts, err := v.store.WhoIsBehind(ctx, account.Identity{Method: account.SMS, Identifier: number})
	if err != nil {
		return p, err
	}
	p.Matching = matching(facts)
	p.Tier, p.Rule = v.tier(facts)
	if known.User != nil && !known.User.Active {
		p.Tier, p.Rule = "none", "who has left has none"
	}
	return p, nil
}

// matching says which row of the matching table a sign-in with the number would take.
func matching(f login.Found) string {
	switch {
	case len(f.Users) > 1:
		return "several active people have this number: it signs in none of them, until HR corrects it"
	case len(f.Users) == 1 && f.UserAccount != nil && f.Holder != nil && f.Holder.Subject == f.UserAccount.Subject:
		return "the number signs in as " + f.Users[0].Name
	case len(f.Users) == 1 && f.UserAccount != nil:
		return "the number signs in as " + f.Users[0].Name + ", for the first time with this number"
	case len(f.Users) == 1 && f.Holder == nil:
		return "the number signs in as " + f.Users[0].Name + ", for the first time"
	case len(f.Users) == 1 && f.Holder.UserID == "":
		return "somebody waits with this number: with their next refresh or sign-in they become " + f.Users[0].Name
	case len(f.Users) == 1:
		return "the number was somebody else's: " + f.Users[0].Name + " gets an account of their own"
	case f.Holder != nil && f.Holder.UserID != "":
		return "no active person has this number any more: who signs in with it is anonymous, in a new account"
	default:
		return "HR has no active person with this number: who signs in with it is anonymous"
	}
}

// tier says which tier a sign-in with the number would have, and by which rule.
func (v viewer) tier(f login.Found) (name, rule string) {
	if len(f.Users) != 1 {
		return v.tiers.Anonymous().Name, "no rule: the number is no one active person's"
	}
	level := v.tiers.Resolve(f.Users[0])
	for i, t := range v.config.Tiers {
		if t.Name == level.Name {
			return level.Name, fmt.Sprintf("tiers[%d]: %s", i, conditions(t.When))
		}
	}
	return level.Name, ""
}

func conditions(when map[string][]string) string {
	if len(when) == 0 {
		return "every active person whom no rule before it matched"
	}
	var all []string
	for _, name := range slices.Sorted(maps.Keys(when)) {
		all = append(all, name+" is "+strings.Join(when[name], " or "))
	}
	return strings.Join(all, ", and ")
}

func (p shownPerson) write(w io.Writer) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	line := func(name, value string) {
		if value != "" {
			fmt.Fprintf(table, "%s\t%s\n", name, value)
		}
	}
	switch {
	case p.UserID == "":
		line("person", "not in HR")
	case p.Active:
		line("person", p.Name)
	default:
		line("person", p.Name+" (has left)")
	}
	line("phone", p.Phone)
	line("email", p.Email)
	for _, a := range p.Attrs {
		line(strings.ReplaceAll(a.Name, "_", " "), a.Value)
	}
	if p.External != "" {
		line("HR's id", p.External+" of source "+p.Source)
	}
	line("sub", p.Subject)
	line("matching", p.Matching)
	line("tier", p.Tier+" ("+p.Rule+")")
	line("no texts", p.NoTexts)
	for i, text := range p.Texts {
		if i < shownTexts {
			line("text", text.String())
		}
	}
	if err := table.Flush(); err != nil {
		return err
	}
	if len(p.listed) == 0 {
		_, err := fmt.Fprintln(w, "\nNo live sessions. (--ended shows those that are over.)")
		return err
	}
	fmt.Fprintln(w)
	if err := writeSessions(w, p.listed, time.Now()); err != nil {
		return err
	}
	if p.more > 0 {
		fmt.Fprintf(w, "… and %d more (latchkey sessions list --sub %s)\n", p.more, p.Subject)
	}
	return nil
}
