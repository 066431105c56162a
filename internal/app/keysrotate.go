package app

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/latchkey-id/latchkey/internal/keyring"
	"github.com/latchkey-id/latchkey/internal/verifier"
)

type keysRotate struct {
	algorithmFlag
	deciding
}

// Run lets next keys sign.
func (cmd keysRotate) Run(ctx context.Context, env Env) error {
	return cmd.withKeys(ctx, env, func(d *keyDesk) error {
		algorithms, err := cmd.chosen(d.snapshot)
		if err != nil {
			return err
		}
		if len(cmd.Algorithm) == 0 { // one that is only staged signs when a client first needs it
			algorithms = slices.DeleteFunc(algorithms, func(a string) bool { _, signs := d.snapshot.Find(a, keyring.Current); return !signs })
		}
		who := keyring.Who{Actor: operator(), Cause: "operator"}
		return cmd.carryOut(ctx, env, d, who, func() (proposal, error) {
			p := proposal{plan: keyring.PlanRotate(d.snapshot, algorithms...), asks: "Rotate?", shows: []keyring.Key{}}
			for _, algorithm := range algorithms {
				d.proposeRotation(&p, algorithm)
			}
			return p, nil
		}, applyAs(who))
	})
}

// proposeRotation says what a rotation means for tokens and verifiers, and what speaks against it.
func (d *keyDesk) proposeRotation(p *proposal, algorithm string) {
	now := d.snapshot.Now
	if current, signs := d.snapshot.Find(algorithm, keyring.Current); signs {
		current.StoppedAt = now
		p.says = append(p.says, fmt.Sprintf("%s: %s stops signing. Its tokens stay good: the last of them expires by %s,\nand it is published until %s.",
			algorithm, brief(current.KID), d.clock(current.StoppedAt.Add(current.Longest)), d.clock(d.rules.RetiresAt(current))))
	}
	next, staged := d.snapshot.Find(algorithm, keyring.Next)
	if !staged {
		p.says = append(p.says, algorithm+": a new key is made, published by every running server, and signs seconds later.")
		p.objections = append(p.objections, fmt.Sprintf(
			"%s has no next key, so no verifier knows the one that would sign. Run latchkey keys stage, and rotate %s later.",
			algorithm, span(d.rules.PublishBefore)))
		return
	}
	p.shows = append(p.shows, next)
	p.says = append(p.says, fmt.Sprintf("%s: %s, published %s, signs from now on.", algorithm, brief(next.KID), ago(next.PublishedAt, now)))
	if at := d.rules.MaySignAt(next); now.Before(at) {
		p.objections = append(p.objections, fmt.Sprintf(
			"%s was published %s. Verifiers may not have fetched it before %s, and would refuse its tokens.", brief(next.KID), ago(next.PublishedAt, now), d.when(at)))
	}
	if behind := append(d.snapshot.Behind(next.Revision), d.snapshot.Lost(next.Revision)...); len(behind) > 0 {
		p.objections = append(p.objections, fmt.Sprintf("%s is not published yet by %s: see in their logs why.", brief(next.KID), serverNames(behind)))
	}
	if lacking := behind(d.verifiers, next, now, d.config.Keys.VerifierWindow); len(lacking) > 0 {
		they, fetch := "They", "they fetch"
		if len(lacking) == 1 {
			they, fetch = "It", "it fetches"
		}
		p.objections = append(p.objections, fmt.Sprintf("%s has not been fetched by %s. %s would refuse its tokens until %s the JWKS again.",
			brief(next.KID), verifierNames(lacking), they, fetch))
	}
}

// namedVerifiers is how many are named in a sentence.
const namedVerifiers = 5

func verifierNames(all []verifier.Verifier) string {
	var names []string
	for _, v := range all {
		if name := v.Name + " at " + v.Source; len(names) < namedVerifiers {
			names = append(names, name)
		}
	}
	if more := len(all) - len(names); more > 0 {
		names = append(names, fmt.Sprintf("%d more", more))
	}
	return strings.Join(names, ", ")
}

type keysRevoke struct {
	KID    []string `arg:"" optional:"" name:"kid" help:"The keys, by the beginning of their kid; latchkey keys list shows them."`
	All    bool     `help:"Every key that is published: if the database and the secret key may both be known to somebody."`
	Reason string   `placeholder:"TEXT" required:"" help:"Why, for the audit log."`
	deciding
}

// Run withdraws keys.
func (cmd keysRevoke) Run(ctx context.Context, env Env) error {
	switch {
	case cmd.All == (len(cmd.KID) > 0):
		return usageError{errors.New("which keys? Name them by their kid, or say --all")}
	case strings.TrimSpace(cmd.Reason) == "" || len(cmd.Reason) > maxReason || strings.ContainsFunc(cmd.Reason, unicode.IsControl):
		return usageError{fmt.Errorf("--reason: want 1 to %d characters on one line", maxReason)}
	}
	return cmd.withKeys(ctx, env, func(d *keyDesk) error {
		keys := d.snapshot.Published()
		if !cmd.All {
			keys = nil
			for _, prefix := range cmd.KID {
				k, err := d.named(ctx, prefix)
				if err != nil {
					return err
				}
				keys = append(keys, k)
			}
		}
		var kids []string
		for _, k := range keys {
			if !k.State.Published() {
				fmt.Fprintf(env.Stderr, "%s is %s since %s: out of the JWKS and refused here already. Who has not fetched since may still accept it.\n", brief(k.KID), k.State, d.clock(k.EndedAt))
				continue
			}
			kids = append(kids, k.KID)
		}
		if len(kids) == 0 {
			if cmd.json() {
				return writeJSON(env.Stdout, newChangeJSON(cmd.DryRun, proposal{}))
			}
			return nil
		}
		who := keyring.Who{Actor: operator(), Cause: "operator", Reason: cmd.Reason}
		return cmd.carryOut(ctx, env, d, who, func() (proposal, error) { return d.proposeRevocation(kids), nil },
			func(ctx context.Context, office *keyring.Office, p proposal) (int64, error) {
				return d.revoke(ctx, office, p, kids, who)
			})
	})
}

// revoke lets the successors sign everywhere before it withdraws the keys: no server signs by a key that
// another refuses already. That takes a moment, and not longer than announceWait.
func (d *keyDesk) revoke(ctx context.Context, office *keyring.Office, p proposal, kids []string, who keyring.Who) (int64, error) {
	var algorithms []string
	for _, m := range p.plan.Moves {
		if m.To == keyring.Revoked && m.Key.State == keyring.Current {
			algorithms = append(algorithms, m.Key.Algorithm)
		}
	}
	if len(algorithms) == 0 || len(d.snapshot.Live()) == 0 || len(p.plan.Unannounced()) > 0 {
		return applyAs(who)(ctx, office, p)
	}
	first := keyring.PlanRotate(p.plan.Snapshot, algorithms...)
	if _, err := office.Apply(ctx, first, keyring.Who{Actor: who.Actor, Cause: who.Cause}); err != nil {
		return 0, err
	}
	_, _, _ = d.await(ctx, first.Snapshot.Revision+1, announceWait)
	for end := time.Now().Add(serversWait); ; { // whatever else changes or fails meanwhile, these keys go
		err := d.look(ctx)
		if err == nil {
			_, err = office.Apply(ctx, keyring.PlanRevoke(d.snapshot, kids), who)
		}
		switch {
		case err == nil:
			return d.snapshot.Revision + 1, nil
		case time.Now().After(end):
			return 0, fmt.Errorf("NOT REVOKED YET, only replaced: run it again: %w", err)
		case !errors.Is(err, keyring.ErrChanged):
			time.Sleep(time.Second)
		}
	}
}

// proposeRevocation says what becomes of tokens, who signs instead, and for how long others may still trust the key.
func (d *keyDesk) proposeRevocation(kids []string) proposal {
	p := proposal{plan: keyring.PlanRevoke(d.snapshot, kids), asks: "Revoke?", urgent: true, shows: []keyring.Key{}}
	now := d.snapshot.Now
	var trusted time.Time
	for _, m := range p.plan.Moves {
		k := m.Key
		switch {
		case m.To == keyring.Current:
			p.shows = append(p.shows, k)
			p.says = append(p.says, fmt.Sprintf("%s: %s, published %s, signs from now on.", k.Algorithm, brief(k.KID), ago(k.PublishedAt, now)))
			if behind := d.snapshot.Behind(k.Revision); len(behind) > 0 {
				p.says = append(p.says, fmt.Sprintf("%s: %s does not publish %s yet; see in its log why, or stop it.", k.Algorithm, serverNames(behind), brief(k.KID)))
			}
		case k.State == keyring.Next:
			p.says = append(p.says, fmt.Sprintf("%s: %s (next) is withdrawn. It has never signed.", k.Algorithm, brief(k.KID)))
		default:
			until := k.TokensUntil(now)
			if until.After(trusted) {
				trusted = until
			}
			p.says = append(p.says, fmt.Sprintf("%s: %s (%s) is out of the JWKS, and its tokens are refused here, within seconds.\n"+
				"They would have lived until %s. Apps with a refresh token get new ones by it; others sign in again.",
				k.Algorithm, brief(k.KID), k.State, d.clock(until)))
		}
	}
	for _, m := range p.plan.Makes {
		p.says = append(p.says, m.Algorithm+": a new key is made, published by every running server, and signs seconds later. No verifier knows it:\n"+
			"those that do not fetch for an unknown kid refuse its tokens until they next fetch, or are restarted.")
	}
	for _, next := range p.shows {
		if lacking := behind(d.verifiers, next, now, d.config.Keys.VerifierWindow); len(lacking) > 0 {
			p.says = append(p.says, fmt.Sprintf("%s has not been fetched by %s: restart them, or they refuse new tokens until they fetch.",
				brief(next.KID), verifierNames(lacking)))
		}
	}
	if !trusted.IsZero() {
		p.says = append(p.says, fmt.Sprintf("Who verifies offline trusts the key until they fetch the JWKS again: caches may keep it for %s, libraries do for 5 to\n"+
			"15 min, and one that never fetches again needs a restart. Until then whoever has the private key can sign for them.",
			span(d.rules.JWKSMaxAge())))
	}
	return p
}
