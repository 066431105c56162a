package app

import (
	"context"
	"crypto/rsa"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/latchkey-id/latchkey/internal/keyring"
)

type keysStage struct {
	algorithmFlag
	deciding
}

// Run publishes next keys.
func (cmd keysStage) Run(ctx context.Context, env Env) error {
	if cmd.Force && len(cmd.Algorithm) == 0 {
		return usageError{errors.New("--force replaces a next key: say which with --algorithm")}
	}
	return cmd.withKeys(ctx, env, func(d *keyDesk) error {
		algorithms, err := cmd.chosen(d.snapshot)
		if err != nil {
			return err
		}
		var wanted []string
		for _, algorithm := range algorithms {
			next, staged := d.snapshot.Find(algorithm, keyring.Next)
			if staged && len(cmd.Algorithm) == 0 {
				fmt.Fprintf(env.Stderr, "%s has its next key already: %s, published %s.\n", algorithm, brief(next.KID), ago(next.PublishedAt, d.snapshot.Now))
				continue
			}
			wanted = append(wanted, algorithm)
		}
		if len(wanted) == 0 {
			if cmd.json() {
				return writeJSON(env.Stdout, newChangeJSON(cmd.DryRun, proposal{}))
			}
			return nil
		}
		who := keyring.Who{Actor: operator(), Cause: "operator"}
		return cmd.carryOut(ctx, env, d, who, func() (proposal, error) {
			p := proposal{plan: keyring.Plan{Snapshot: d.snapshot}, asks: "Publish?"}
			for _, algorithm := range wanted {
				one := keyring.PlanStage(d.snapshot, algorithm)
				p.plan.Moves, p.plan.Makes = append(p.plan.Moves, one.Moves...), append(p.plan.Makes, one.Makes...)
				d.saysStaged(&p, algorithm, "A new key is made")
			}
			return p, nil
		}, applyAs(who))
	})
}

// saysStaged says what it means that a next key comes, and what becomes of one that is there.
func (d *keyDesk) saysStaged(p *proposal, algorithm, comes string) {
	now := d.snapshot.Now
	next := keyring.Key{Algorithm: algorithm, State: keyring.Next, PublishedAt: now}
	follows := "It signs when a server first needs it."
	if current, signs := d.snapshot.Find(algorithm, keyring.Current); signs {
		follows = fmt.Sprintf("It may sign from %s, and does when you rotate.", d.when(d.rules.MaySignAt(next)))
		if at := d.rules.RotatesAt(current, &next); !at.IsZero() {
			follows = fmt.Sprintf("It signs from %s, or once you rotate, from %s on.", d.when(at), d.clock(d.rules.MaySignAt(next)))
		}
	}
	p.says = append(p.says, fmt.Sprintf("%s: %s and published now, so that verifiers get to know it before it signs.\n%s", algorithm, comes, follows))
	if staged, ok := d.snapshot.Find(algorithm, keyring.Next); ok {
		p.says = append(p.says, fmt.Sprintf("%s: %s, which was to sign next, is withdrawn. It has never signed.", algorithm, brief(staged.KID)))
		p.objections = append(p.objections, fmt.Sprintf("%s has its next key already: %s, published %s. Verifiers would have to fetch again.",
			algorithm, brief(staged.KID), ago(staged.PublishedAt, now)))
	}
}

type keysImport struct {
	File string `arg:"" help:"The private key: PEM (PKCS #8, PKCS #1, SEC 1) or a JWK; - reads standard input."`
	deciding
}

// maxKeyFile bounds what is read of a file that should hold one key.
const maxKeyFile = 1 << 20

// Run takes a key that was made elsewhere as the next one.
func (cmd keysImport) Run(ctx context.Context, env Env) error {
	if cmd.File == "-" && !cmd.Yes && !cmd.DryRun {
		return usageError{errors.New("with the key on standard input nobody can be asked: add --yes or --dry-run")}
	}
	text, err := cmd.read(env)
	if err != nil {
		return err
	}
	return cmd.withKeys(ctx, env, func(d *keyDesk) error {
		private, algorithm, err := keyring.ParsePrivate(text, d.snapshot.Now)
		if err != nil {
			return fmt.Errorf("%s: %w", cmd.File, err)
		}
		kid, err := keyring.Thumbprint(private)
		if err != nil {
			return err
		}
		known, err := d.store.KeyHistory(ctx)
		if err != nil {
			return err
		}
		for _, k := range known {
			if k.KID == kid {
				return fmt.Errorf("%s: the record knows this key: %s, %s, %s since %s. A key has one life; make another",
					cmd.File, brief(kid), k.Algorithm, k.State, d.clock(d.life(k).since))
			}
		}
		who := keyring.Who{Actor: operator(), Cause: "operator"}
		return cmd.carryOut(ctx, env, d, who, func() (proposal, error) {
			p := proposal{plan: keyring.PlanImport(d.snapshot, algorithm, private), asks: "Import?"}
			d.saysStaged(&p, algorithm, fmt.Sprintf("The key %s is imported", brief(kid)))
			if key, ok := private.(*rsa.PrivateKey); ok && key.N.BitLen() > 2048 {
				p.says = append(p.says, fmt.Sprintf("With %d bits each signature costs several times what it does with 2048; that is usually enough.", key.N.BitLen()))
			}
			p.says = append(p.says, fmt.Sprintf("%s should exist nowhere else from then on: whoever has it can sign as Latchkey.", name(cmd.File)))
			return p, nil
		}, applyAs(who))
	})
}

func name(file string) string {
	if file == "-" {
		return "What you piped in"
	}
	return file
}

func (cmd keysImport) read(env Env) ([]byte, error) {
	from := env.Stdin
	if cmd.File != "-" {
		file, err := os.Open(cmd.File)
		if err != nil {
			return nil, err
		}
		defer func() { _ = file.Close() }()
		from = file
	}
	return io.ReadAll(io.LimitReader(from, maxKeyFile))
}

type keysRewrap struct{ deciding }

// Run encrypts every published key anew.
func (cmd keysRewrap) Run(ctx context.Context, env Env) error {
	return cmd.withKeys(ctx, env, func(d *keyDesk) error {
		office, closeAll, err := d.office(ctx)
		if err != nil {
			return err
		}
		defer closeAll()
		to := office.Wrappers.Primary.Name()
		foreign := office.Foreign(d.snapshot)
		if len(foreign) == 0 {
			fmt.Fprintf(env.Stderr, "Every private key is encrypted by %s already.\n", to)
			if cmd.json() {
				return writeJSON(env.Stdout, newChangeJSON(cmd.DryRun, proposal{}))
			}
			return nil
		}
		who := keyring.Who{Actor: operator(), Cause: "operator"}
		return cmd.carryOut(ctx, env, d, who, func() (proposal, error) {
			p := proposal{plan: keyring.Plan{Snapshot: d.snapshot}, asks: "Encrypt them anew?"}
			for _, k := range foreign {
				from := k.WrappedBy
				if from == "" {
					from = "an earlier version"
				}
				p.says = append(p.says, fmt.Sprintf("%s %s (%s), encrypted by %s, is encrypted by %s.", k.Algorithm, brief(k.KID), k.State, from, to))
			}
			p.says = append(p.says, "Running servers go on with the keys that they have in memory. Servers that start from then on need the settings of this command,\n"+
				"so give them to every server first. Keys are verified to be readable before anything is stored.")
			return p, nil
		}, func(ctx context.Context, office *keyring.Office, p proposal) (int64, error) {
			_, err := office.Rewrap(ctx, p.plan.Snapshot, who)
			return p.plan.Snapshot.Revision + 1, err
		})
	})
}
