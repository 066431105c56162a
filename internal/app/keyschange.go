package app

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/latchkey-id/latchkey/internal/keyring"
)

// deciding are the flags of commands that change keys: each says first what it will do.
type deciding struct {
	DryRun bool `help:"Say what would happen, and change nothing."`
	Yes    bool `short:"y" help:"Do not ask before it happens."`
	Force  bool `help:"Do it in spite of objections."`
	where
	output
}

// proposal is a change before it is made, as it is put to the operator.
type proposal struct {
	plan keyring.Plan
	// says is what will happen and what that means; objections are reasons to wait.
	says, objections []string
	// asks is the question.
	asks string
	// urgent changes are not done before every server has noticed them.
	urgent bool
	// shows are the next keys that verifiers should have; nil shows no verifiers.
	shows []keyring.Key
}

// apply makes a change, and returns the revision that has it.
type apply func(context.Context, *keyring.Office, proposal) (int64, error)

// applyAs makes the change as it was proposed.
func applyAs(who keyring.Who) apply {
	return func(ctx context.Context, office *keyring.Office, p proposal) (int64, error) {
		_, err := office.Apply(ctx, p.plan, who)
		return p.plan.Snapshot.Revision + 1, err
	}
}

// carryOut puts a proposal to the operator, makes the change, and waits until the servers know.
func (f deciding) carryOut(
	ctx context.Context, env Env, d *keyDesk, who keyring.Who, propose func() (proposal, error), apply apply,
) error {
	p, err := propose()
	if err != nil {
		return err
	}
	said := newChangeJSON(f.DryRun, p)
	if !f.json() {
		if err := d.writeProposal(env.Stdout, p, f.DryRun); err != nil {
			return err
		}
	}
	if f.DryRun || len(p.objections) > 0 && !f.Force {
		return f.leaveIt(env, said)
	}
	if !f.Yes {
		if err := confirm(env, p.asks); err != nil {
			return err
		}
	}
	asked := ctx
	if p.urgent { // half an emergency, because somebody presses Ctrl-C, is worse than none
		ctx = context.WithoutCancel(ctx)
	}
	office, closeAll, err := d.office(ctx)
	if err != nil {
		return err
	}
	defer closeAll()
	begun := time.Now()
	var revision int64
	for tries := 0; ; tries++ {
		if p, err = d.announce(ctx, env, office, who, p, propose); err == nil {
			revision, err = apply(ctx, office, p)
		}
		if !p.urgent || !errors.Is(err, keyring.ErrChanged) || tries == urgentTries {
			break
		}
		if err := d.look(ctx); err != nil { // an emergency does not wait for somebody to call again
			return err
		}
		if p, err = propose(); err != nil {
			return err
		}
		if revision = p.plan.Snapshot.Revision; p.plan.Empty() { // somebody else has done it
			break
		}
	}
	switch {
	case errors.Is(err, keyring.ErrChanged):
		return errors.New("somebody else has changed the keys meanwhile, and this command has let no other key sign: look at latchkey keys list, and run it again")
	case err != nil:
		return err
	}
	if !p.plan.Empty() {
		said.Steps = stepsJSON(p.plan)
	}
	return f.report(asked, env, d, p, revision, said, begun)
}

// urgentTries is how often an urgent change is planned anew when others change the keys meanwhile.
const urgentTries = 5

// announce publishes keys that are to sign at once and that nobody has seen yet: every running server
// shows them before one signs with them. It returns the proposal as it is then. If others have
// changed the keys meanwhile so that there is again one that nobody has seen, it is keyring.ErrChanged.
func (d *keyDesk) announce(
	ctx context.Context, env Env, office *keyring.Office, who keyring.Who, p proposal, propose func() (proposal, error),
) (proposal, error) {
	unannounced := p.plan.Unannounced()
	switch {
	case len(d.snapshot.Live()) == 0:
		return p, nil
	case len(unannounced) == 0:
		return p, d.awaitPublished(ctx, env, p)
	}
	first := keyring.Plan{Snapshot: p.plan.Snapshot}
	for _, m := range p.plan.Moves { // a next key that is to be revoked makes room
		if m.Key.State == keyring.Next && m.To == keyring.Revoked {
			first.Moves = append(first.Moves, m)
		}
	}
	for _, algorithm := range unannounced {
		first.Makes = append(first.Makes, keyring.Make{Algorithm: algorithm, State: keyring.Next})
	}
	if _, err := office.Apply(ctx, first, who); err != nil {
		return p, err
	}
	fmt.Fprintln(env.Stderr, "The new key is being published …")
	if err := d.look(ctx); err != nil {
		return p, err
	}
	again, err := propose()
	if err == nil && len(again.plan.Unannounced()) > 0 {
		err = keyring.ErrChanged
	}
	if err != nil {
		return p, err
	}
	return again, d.awaitPublished(ctx, env, again)
}

// awaitPublished waits until every running server publishes the next keys that are to sign.
func (d *keyDesk) awaitPublished(ctx context.Context, env Env, p proposal) error {
	var newest int64
	for _, m := range p.plan.Moves {
		if m.Key.State == keyring.Next && m.To == keyring.Current {
			newest = max(newest, m.Key.Revision)
		}
	}
	_, behind, err := d.await(ctx, newest, announceWait)
	if err == nil && len(behind) > 0 {
		fmt.Fprintf(env.Stderr, "Not published within %s by %s; going on.\n", span(announceWait), serverNames(behind))
	}
	return err
}

// announceWait is for how long the servers may take to publish a key that has to sign at once.
const announceWait = 10 * time.Second

func (d *keyDesk) writeProposal(w io.Writer, p proposal, dryRun bool) error {
	title := "This will happen:"
	if dryRun {
		title = "This would happen:"
	}
	fmt.Fprintln(w, title)
	for _, line := range p.says {
		fmt.Fprintln(w, "  •", strings.ReplaceAll(line, "\n", "\n    "))
	}
	if p.shows != nil {
		fmt.Fprintln(w)
		if err := d.writeVerifiers(w, p.shows); err != nil {
			return err
		}
	}
	if len(p.objections) > 0 {
		fmt.Fprintln(w, "\nReasons to wait:")
		for _, line := range p.objections {
			fmt.Fprintln(w, "  !", line)
		}
	}
	fmt.Fprintln(w)
	return nil
}

// leaveIt says why nothing is done.
func (f deciding) leaveIt(env Env, said changeJSON) error {
	var err error
	if !f.DryRun {
		err = errReported
	}
	switch {
	case f.json():
		return errors.Join(writeJSON(env.Stdout, said), err)
	case !f.DryRun:
		fmt.Fprintln(env.Stderr, "Nothing was changed. Wait until the reasons are gone, or add --force.")
	case len(said.Objections) > 0 && f.Force:
		fmt.Fprintln(env.Stdout, "Dry run: nothing was changed. With --force it would go ahead in spite of these reasons.")
	case len(said.Objections) > 0:
		fmt.Fprintln(env.Stdout, "Dry run: nothing was changed. With these reasons to wait it needs --force.")
	default:
		fmt.Fprintln(env.Stdout, "Dry run: nothing was changed.")
	}
	return err
}

// confirm asks. No answer, as from a script, is no.
func confirm(env Env, question string) error {
	fmt.Fprint(env.Stderr, question, " [y/N] ")
	answer, _ := bufio.NewReader(env.Stdin).ReadString('\n')
	switch strings.ToLower(strings.TrimSpace(answer)) {
	case "y", "yes":
		return nil
	case "":
		fmt.Fprintln(env.Stderr)
		return errors.New("nothing was changed: answer y, or add --yes")
	}
	return errors.New("nothing was changed")
}

// report waits until the servers have noticed, and says how it went.
func (f deciding) report(ctx context.Context, env Env, d *keyDesk, p proposal, revision int64, said changeJSON, begun time.Time) error {
	live, behind, err := d.await(ctx, revision, serversWait)
	if err != nil {
		return fmt.Errorf("the change is made, but whether the servers have noticed cannot be told: %w", err)
	}
	said.Changed = true
	for _, each := range live {
		said.Servers = append(said.Servers, serverJSON{each.ID, each.Revision >= revision})
	}
	var failed error
	var lost []keyring.Replica
	if p.urgent {
		lost = d.snapshot.Lost(revision)
	}
	if p.urgent && len(behind)+len(lost) > 0 {
		failed = errReported
	}
	for _, each := range lost {
		said.Servers = append(said.Servers, serverJSON{each.ID, false})
	}
	took := time.Since(begun).Round(10 * time.Millisecond)
	switch {
	case f.json():
		return errors.Join(writeJSON(env.Stdout, said), failed)
	case len(lost) > 0:
		fmt.Fprintf(env.Stdout, "Done, but %s not heard of lately, without having stopped in order: %s. If one still runs, cut off from the database,\n"+
			"it goes on as before: stop it. What is gone is forgotten in half an hour.\n", plural(len(lost), "server was", "servers were"), serverNames(lost))
	case len(live) == 0:
		fmt.Fprintln(env.Stdout, "Done. No server is running; they will start with it.")
	case len(behind) == 0:
		fmt.Fprintf(env.Stdout, "Done, and known to %s after %s. latchkey keys list shows the keys.\n", all(len(live)), took)
	default:
		fmt.Fprintf(env.Stdout, "Done, but %s not noticed within %s: %s. Stop them, or see in their logs why.\n",
			plural(len(behind), "running server has", "running servers have"), span(serversWait), serverNames(behind))
	}
	return failed
}

func all(n int) string {
	switch n {
	case 1:
		return "the running server"
	case 2:
		return "both running servers"
	}
	return fmt.Sprintf("all %d running servers", n)
}
