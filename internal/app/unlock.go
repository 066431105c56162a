package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"github.com/latchkey-id/latchkey/internal/audit"
	"github.com/latchkey-id/latchkey/internal/limit"
	"github.com/latchkey-id/latchkey/internal/otp"
)

type usersUnlock struct {
	Phone  string `arg:"" help:"The person's number, as in +447700900123."`
	Reason string `placeholder:"TEXT" help:"Why, for the audit log."`
	DryRun bool   `help:"Show what is counted and forget nothing."`
	where
	output
}

// unlockedJSON is what was counted at a number, as it is printed.
type unlockedJSON struct {
	Number   string         `json:"number"`
	Unlocked bool           `json:"unlocked"`
	Guesses  int            `json:"wrong_guesses_24h"`
	InARow   int            `json:"wrong_guesses_in_a_row"`
	Texts    int            `json:"texts_24h"`
	Blocked  map[string]int `json:"blocked_seconds"`
	Trusted  []string       `json:"trusted_networks"`
}

// Run forgets wrong guesses at a number and texts to it.
func (cmd usersUnlock) Run(ctx context.Context, env Env) error {
	if err := checkReason(cmd.Reason); err != nil {
		return err
	}
	c, err := cmd.load(env)
	if err != nil {
		return err
	}
	number, err := newParser(c).Parse(cmd.Phone)
	if err != nil {
		return usageError{errors.New("not a mobile number: " + phoneMistake(err))}
	}
	return withLimits(ctx, c, func(o office) error {
		state, err := o.codes.State(ctx, number)
		if err != nil {
			return err
		}
		listed, err := o.blocksOf(ctx, o.codes.Tag(number))
		if err != nil {
			return err
		}
		// One address may be refused where nobody else is: only the list knows.
		for _, b := range listed {
			if state.Blocked[b.Rule] == 0 {
				state.Blocked[b.Rule] = time.Until(b.Until)
			}
		}
		if !cmd.DryRun {
			if err := o.unlock(ctx, o.codes.Tag(number), listed); err != nil {
				return err
			}
			err := o.store.Record(ctx, audit.Event{
				At: time.Now(), Kind: audit.NumberUnlocked, Actor: operator(), Phone: number.Masked(), Reason: cmd.Reason,
				Detail: map[string]any{"wrong_guesses": state.Guesses, "in_a_row": state.InARow, "texts": state.Texts},
			})
			if err != nil {
				return err
			}
		}
		if cmd.json() {
			return writeJSON(env.Stdout, newUnlockedJSON(number.E164(), state, !cmd.DryRun))
		}
		return writeUnlocked(env.Stdout, number.E164(), state, !cmd.DryRun)
	})
}

// blocksOf are the blocks on the list that are of a number.
func (o office) blocksOf(ctx context.Context, tag string) ([]limit.Block, error) {
	all, err := o.sources.Blocks(ctx, maxListed)
	return slices.DeleteFunc(all, func(b limit.Block) bool {
		of, _, ok := b.Number()
		return !ok || of != tag
	}), err
}

// unlock forgets what was counted at a number, and takes its blocks off the list.
func (o office) unlock(ctx context.Context, tag string, listed []limit.Block) error {
	if err := o.codes.Unlock(ctx, tag); err != nil {
		return err
	}
	for _, b := range listed {
		if _, err := o.sources.Lift(ctx, b.ID); err != nil && !errors.Is(err, limit.ErrNoBlock) {
			return err
		}
	}
	return nil
}

func newUnlockedJSON(number string, state otp.State, unlocked bool) unlockedJSON {
	shown := unlockedJSON{
		Number: number, Unlocked: unlocked, Guesses: state.Guesses, InARow: state.InARow, Texts: state.Texts,
		Blocked: map[string]int{}, Trusted: []string{},
	}
	for name, left := range state.Blocked {
		shown.Blocked[string(name)] = int(left.Seconds())
	}
	for network := range state.Trusted {
		shown.Trusted = append(shown.Trusted, string(network))
	}
	slices.Sort(shown.Trusted)
	return shown
}

func writeUnlocked(w io.Writer, number string, state otp.State, unlocked bool) error {
	fmt.Fprintf(w, "%s: %s and %s in the last 24 hours; %s without a success since.\n", number,
		plural(state.Guesses, "wrong guess", "wrong guesses"), plural(state.Texts, "text", "texts"),
		plural(state.InARow, "wrong guess", "wrong guesses"))
	for _, name := range slices.Sorted(maps.Keys(state.Blocked)) {
		fmt.Fprintf(w, "  blocked for %s: %s\n", left(state.Blocked[name]), name.Explain())
	}
	switch {
	case !unlocked:
		fmt.Fprintln(w, "Nothing was forgotten (--dry-run).")
	case len(state.Blocked) == 0:
		fmt.Fprintln(w, "Forgotten. The number was not blocked; the address that the person comes from may be: latchkey blocks list.")
	default:
		fmt.Fprintln(w, "Forgotten: the person can ask for a code; in a few minutes, if they have just used up their guesses at one.")
	}
	return nil
}
