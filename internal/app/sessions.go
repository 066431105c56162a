package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/latchkey-id/latchkey/internal/config"
	"github.com/latchkey-id/latchkey/internal/phone"
	"github.com/latchkey-id/latchkey/internal/session"
	"github.com/latchkey-id/latchkey/internal/store/sql"
)

type sessionsCommand struct {
	List   sessionsList   `cmd:"" help:"Show who is signed in, where, and since when."`
	Revoke sessionsRevoke `cmd:"" help:"Sign people out at once, wherever their tokens are checked."`
}

type sessionsList struct {
	whose
	Ended bool `help:"Also those that are over or revoked, as long as they are kept."`
	Limit int  `default:"100" help:"How many, the newest first."`
	where
	output
}

// Run prints sessions.
func (cmd sessionsList) Run(ctx context.Context, env Env) error {
	if cmd.Limit < 1 || cmd.Limit > maxListed {
		return usageError{fmt.Errorf("--limit: want 1 to %d", maxListed)}
	}
	if _, _, err := cmd.check(); err != nil {
		return err
	}
	c, err := cmd.load(env)
	if err != nil {
		return err
	}
	return withRecord(ctx, c, func(store *sql.Store) error {
		filter, err := cmd.filter(ctx, c, store)
		if err != nil {
			return err
		}
		filter.Ended = cmd.Ended
		all, total, err := store.Sessions(ctx, filter, cmd.Limit)
		if err != nil {
			return err
		}
		if total == 0 {
			why, err := nobody(ctx, c, store, filter)
			if err != nil {
				return err
			}
			defer fmt.Fprintln(env.Stderr, why, "(--ended shows those that are over.)")
		}
		if more := total - len(all); more > 0 {
			defer fmt.Fprintf(env.Stderr, "… and %d more (--limit shows more of them)\n", more)
		}
		switch {
		case cmd.json():
			return writeJSON(env.Stdout, listedJSON(all, time.Now()))
		case total == 0:
			return nil
		}
		return writeSessions(env.Stdout, all, time.Now())
	})
}

// maxListed bounds what one command prints.
const maxListed = 10_000

type sessionsRevoke struct {
	whose
	All    bool   `help:"Everybody's sessions. (--client alone is everybody's of that application.)"`
	Reason string `placeholder:"TEXT" help:"Why, for the audit log."`
	DryRun bool   `help:"Show what would end and end nothing."`
	where
	output
}

// shownEnded is how many ended sessions are shown one by one.
const shownEnded = 50

// maxReason bounds what an operator may say, in bytes.
const maxReason = 500

// Run ends sessions and shows which.
func (cmd sessionsRevoke) Run(ctx context.Context, env Env) error {
	somebody, something, err := cmd.check()
	switch {
	case err != nil:
		return err
	case !cmd.All && !something:
		return usageError{errors.New("whose sessions? Name a person or a session, --client, or --all")}
	case cmd.All && somebody:
		return usageError{errors.New("--all is for everybody: name nobody beside it")}
	case len(cmd.Reason) > maxReason:
		return usageError{fmt.Errorf("--reason: want at most %d characters", maxReason)}
	}
	c, err := cmd.load(env)
	if err != nil {
		return err
	}
	return withRecord(ctx, c, func(store *sql.Store) error {
		filter, err := cmd.filter(ctx, c, store)
		if err != nil {
			return err
		}
		if filter.All = cmd.All; !filter.Named() {
			return usageError{errors.New("whose sessions? That names nobody")}
		}
		if err := onePerson(ctx, store, filter); err != nil {
			return err
		}
		// Who signs in from now on is not meant, or this would never end.
		if filter.OpenedUntil, err = store.Clock(ctx); err != nil {
			return err
		}
		if cmd.DryRun {
			shown, total, err := store.Sessions(ctx, filter, shownEnded)
			if err != nil {
				return err
			}
			return cmd.report(ctx, env, c, store, filter, shown, total)
		}
		shown, total, err := cmd.end(ctx, store, filter, env.Stderr)
		if total == 0 && err != nil {
			return err
		}
		return errors.Join(cmd.report(ctx, env, c, store, filter, shown, total), err)
	})
}

// end goes on batch by batch, so that refreshes and sign-ins beside it never wait for long. After an
// error the batches before it have ended.
func (cmd sessionsRevoke) end(ctx context.Context, store *sql.Store, f session.Filter, progress io.Writer) ([]session.Listed, int, error) {
	how := session.Ending{Reason: session.Operator, Actor: operator()}
	if cmd.Reason != "" {
		how.Detail = map[string]any{"reason": cmd.Reason}
	}
	var shown []session.Listed
	total := 0
	for {
		ended, err := store.EndSessions(ctx, f, how, session.EndBatch)
		if err != nil {
			return shown, total, fmt.Errorf("%w (%d sessions have ended; run it again for the rest)", err, total)
		}
		total += len(ended)
		shown = append(shown, ended[:min(len(ended), shownEnded-len(shown))]...)
		if len(ended) == 0 { // a batch may be short because somebody else ended some of it
			return shown, total, nil
		}
		for _, each := range ended {
			f.AfterSID = max(f.AfterSID, each.SID)
		}
		if total >= session.EndBatch {
			fmt.Fprintf(progress, "%d ended …\n", total)
		}
	}
}

// report shows what ended, or would. That nobody is there to be signed out is an error.
func (cmd sessionsRevoke) report(
	ctx context.Context, env Env, c config.Config, store *sql.Store, f session.Filter, shown []session.Listed, total int,
) error {
	why := ""
	if total == 0 {
		var err error
		if why, err = nobody(ctx, c, store, f); err != nil {
			return err
		}
	}
	w, now := env.Stdout, time.Now()
	if cmd.json() {
		said := revokedJSON{DryRun: cmd.DryRun, Ended: total, Sessions: listedJSON(shown, now)}
		if cmd.DryRun {
			said.Ended, said.WouldEnd = 0, total
		}
		return writeJSON(w, said)
	}
	if total == 0 {
		fmt.Fprintln(w, why, "Nothing to end.")
		return nil
	}
	if err := writeSessions(w, shown, now); err != nil {
		return err
	}
	if more := total - len(shown); more > 0 {
		fmt.Fprintf(w, "… and %d more\n", more)
	}
	if cmd.DryRun {
		fmt.Fprintf(w, "\nDry run: %s would end. Nothing was changed.\n", count(total, "session"))
		return nil
	}
	fmt.Fprintf(w, "\n%s ended. Refresh, introspection and /userinfo refuse them now; the status lists say so within seconds.\n",
		count(total, "session"))
	return nil
}

// revokedJSON is what ended, for scripts; sessions are the first few of them.
type revokedJSON struct {
	DryRun   bool          `json:"dry_run"`
	WouldEnd int           `json:"would_end,omitempty"`
	Ended    int           `json:"ended"`
	Sessions []sessionJSON `json:"sessions"`
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// sessionJSON is a session for scripts. Numbers are masked.
type sessionJSON struct {
	SID         string    `json:"sid"`
	State       string    `json:"state"`
	Subject     string    `json:"sub"`
	UserID      string    `json:"user_id,omitempty"`
	Name        string    `json:"name,omitempty"`
	Phone       string    `json:"phone,omitempty"`
	ClientID    string    `json:"client_id"`
	Tier        string    `json:"tier"`
	Scope       string    `json:"scope"`
	Device      string    `json:"device,omitempty"`
	Address     string    `json:"address"`
	LastAddress string    `json:"last_address"`
	SignedInAt  time.Time `json:"auth_time"`
	LastUsedAt  time.Time `json:"last_used_at"`
	ExpiresAt   time.Time `json:"expires_at"`
	RevokedAt   time.Time `json:"revoked_at,omitzero"`
	Reason      string    `json:"revoked_reason,omitempty"`
	Refreshes   int64     `json:"refreshes"`
}

func listedJSON(all []session.Listed, now time.Time) []sessionJSON {
	rows := make([]sessionJSON, len(all))
	for i, s := range all {
		rows[i] = sessionJSON{
			SID: s.SID, State: s.State(now), Subject: s.Subject, UserID: s.UserID, Name: s.Name, Phone: masked(s), ClientID: s.ClientID,
			Tier: s.Tier, Scope: s.Scope.String(), Device: s.Device, Address: s.Address, LastAddress: s.LastAddress,
			SignedInAt: s.AuthTime, LastUsedAt: s.LastUsedAt, ExpiresAt: s.ExpiresAt, RevokedAt: s.RevokedAt, Reason: string(s.RevokedReason), Refreshes: s.Generation,
		}
	}
	return rows
}

func masked(s session.Listed) string {
	number, err := phone.Stored(s.Identifier)
	if err != nil {
		return ""
	}
	return number.Masked()
}

// writeSessions writes a table. Times are UTC, as in the log.
func writeSessions(w io.Writer, all []session.Listed, now time.Time) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "SESSION\tWHO\tPHONE\tCLIENT\tTIER\tDEVICE\tFROM\tSIGNED IN (UTC)\tLAST USED\tSTATE")
	for _, s := range all {
		name := s.Name
		if name == "" {
			name = "not in HR"
		}
		fmt.Fprintln(table, strings.Join([]string{
			s.SID, name, masked(s), s.ClientID, s.Tier, short(s.Device), s.LastAddress,
			s.AuthTime.UTC().Format(time.DateTime), ago(s.LastUsedAt, now), state(s, now),
		}, "\t"))
	}
	return table.Flush()
}

// state says why a session was revoked, in words.
func state(s session.Listed, now time.Time) string {
	if s.Revoked() {
		return "revoked: " + strings.ReplaceAll(string(s.RevokedReason), "_", " ")
	}
	return s.State(now)
}

// shownDevice keeps a user agent from filling the screen.
const shownDevice = 28

func short(device string) string {
	if runes := []rune(device); len(runes) > shownDevice {
		return string(runes[:shownDevice-1]) + "…"
	}
	return device
}

// ago says how long ago something was, as a person would.
func ago(then, now time.Time) string {
	switch past := now.Sub(then); {
	case past < time.Minute:
		return "just now"
	case past < time.Hour:
		return fmt.Sprintf("%d min ago", int(past/time.Minute))
	case past < 48*time.Hour:
		return fmt.Sprintf("%d h ago", int(past/time.Hour))
	default:
		return fmt.Sprintf("%d days ago", int(past/(24*time.Hour)))
	}
}
