package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

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
		if cmd.json() {
			return writeJSON(env.Stdout, listedJSON(all, time.Now()))
		}
		if total == 0 {
			fmt.Fprintln(env.Stdout, "No sessions. (--ended shows those that are over.)")
			return nil
		}
		if err := writeSessions(env.Stdout, all, time.Now()); err != nil {
			return err
		}
		if more := total - len(all); more > 0 {
			fmt.Fprintf(env.Stdout, "… and %d more (--limit shows more of them)\n", more)
		}
		return nil
	})
}

// maxListed bounds what one command prints.
const maxListed = 10_000

type sessionsRevoke struct {
	whose
	All    bool   `help:"Everybody's sessions, or everybody's of --client."`
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
	switch person := cmd.whose; {
	case !cmd.All && !person.named():
		return usageError{errors.New("whose sessions? Name a person or a session, --client, or --all")}
	case cmd.All && person != whose{Client: person.Client}:
		return usageError{errors.New("--all is for everybody: name nobody beside it but a --client")}
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
		// Who signs in from now on is not meant, or this would never end.
		if filter.OpenedBy, err = store.Clock(ctx); err != nil {
			return err
		}
		if cmd.DryRun {
			shown, total, err := store.Sessions(ctx, filter, shownEnded)
			if err != nil {
				return err
			}
			return cmd.report(env.Stdout, shown, total)
		}
		shown, total, err := cmd.end(ctx, store, filter, env.Stderr)
		return errors.Join(cmd.report(env.Stdout, shown, total), err)
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

func (cmd sessionsRevoke) report(w io.Writer, shown []session.Listed, total int) error {
	now := time.Now()
	if cmd.json() {
		return writeJSON(w, struct {
			DryRun   bool          `json:"dry_run"`
			Ended    int           `json:"ended"`
			Sessions []sessionJSON `json:"sessions"`
		}{cmd.DryRun, total, listedJSON(shown, now)})
	}
	if total == 0 {
		fmt.Fprintln(w, "No live session matches: nothing to end.")
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
