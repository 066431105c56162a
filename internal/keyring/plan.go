package keyring

import (
	"bytes"
	"cmp"
	"context"
	"crypto"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/latchkey-id/latchkey/internal/audit"
)

// Plan is a change that has not been made: what becomes of the keys that there are, and which are
// to be made. It holds good for the revision of its Snapshot.
type Plan struct {
	Snapshot Snapshot
	Moves    []Move
	Makes    []Make
}

// Move takes a key to another state, or in the same one lets it sign for tokens that live longer.
type Move struct {
	Key Key
	To  State
}

// Make is a key that is to be added.
type Make struct {
	Algorithm string
	State     State
	// Private is the key if it was made elsewhere; nil makes one.
	Private crypto.Signer
}

// PlanStage plans a next key; where there is one already, it makes room.
func PlanStage(s Snapshot, algorithm string) Plan {
	return stage(s, Make{Algorithm: algorithm, State: Next})
}

// PlanImport plans to take a key that was made elsewhere as the next one.
func PlanImport(s Snapshot, algorithm string, private crypto.Signer) Plan {
	return stage(s, Make{Algorithm: algorithm, State: Next, Private: private})
}

func stage(s Snapshot, m Make) Plan {
	p := Plan{Snapshot: s, Makes: []Make{m}}
	if staged, ok := s.Find(m.Algorithm, Next); ok { // it has never signed
		p.Moves = append(p.Moves, Move{staged, Retired})
	}
	return p
}

// PlanRotate plans that the next keys of algorithms sign from now on; where there is none, a new one.
func PlanRotate(s Snapshot, algorithms ...string) Plan {
	p := Plan{Snapshot: s}
	for _, algorithm := range algorithms {
		p.rotate(algorithm)
	}
	return p
}

func (p *Plan) rotate(algorithm string) {
	if current, ok := p.Snapshot.Find(algorithm, Current); ok {
		p.Moves = append(p.Moves, Move{current, Previous})
	}
	p.succeed(algorithm)
}

// PlanRevoke plans to withdraw keys at once. Where a current one is among them, the next one signs
// from now on, unless it is withdrawn too; then a new one does.
func PlanRevoke(s Snapshot, kids []string) Plan {
	p := Plan{Snapshot: s}
	var bereft []string
	for _, k := range s.Keys {
		if !slices.Contains(kids, k.KID) || k.State == Revoked {
			continue
		}
		p.Moves = append(p.Moves, Move{k, Revoked})
		if k.State == Current {
			bereft = append(bereft, k.Algorithm)
		}
	}
	for _, algorithm := range bereft {
		p.succeed(algorithm)
	}
	return p
}

// succeed lets the next key of an algorithm sign, or a new one.
func (p *Plan) succeed(algorithm string) {
	next, ok := p.Snapshot.Find(algorithm, Next)
	if ok && !slices.ContainsFunc(p.Moves, func(m Move) bool { return m.Key.KID == next.KID && m.To == Revoked }) {
		p.Moves = append(p.Moves, Move{next, Current})
		return
	}
	p.Makes = append(p.Makes, Make{Algorithm: algorithm, State: Current})
}

// Unannounced returns the algorithms for which p would let a key sign that nobody has seen yet.
func (p Plan) Unannounced() []string {
	var algorithms []string
	for _, m := range p.Makes {
		if m.State == Current {
			algorithms = append(algorithms, m.Algorithm)
		}
	}
	return algorithms
}

// Empty reports whether there is nothing to do.
func (p Plan) Empty() bool { return len(p.Moves) == 0 && len(p.Makes) == 0 }

// log says what was done.
func (p Plan) log(ctx context.Context, log *slog.Logger) {
	for _, m := range p.Moves {
		if m.To != m.Key.State {
			log.InfoContext(ctx, "signing key changed", "kid", m.Key.KID, "algorithm", m.Key.Algorithm, "from", string(m.Key.State), "to", string(m.To))
		}
	}
	for _, m := range p.Makes {
		log.InfoContext(ctx, "signing key made", "algorithm", m.Algorithm, "state", string(m.State))
	}
}

// Who says on whose account a change is made, for the audit.
type Who struct {
	Actor string
	// Cause is in words of ours: "due", "operator".
	Cause string
	// Reason is in the operator's words.
	Reason string
}

// Office makes changes. It is safe for concurrent use.
type Office struct {
	Store    Store
	Wrappers Wrappers
	// Longest is how long a token may live at most by our settings.
	Longest time.Duration
}

// Apply makes the change that was planned, and returns the keys that it added. However long ago it was
// planned, it bears the time at which it is made. The errors are those of Store.ChangeKeys and of the
// Wrapper; after any of them nothing was changed.
func (o *Office) Apply(ctx context.Context, p Plan, who Who) ([]Key, error) {
	c := Change{From: p.Snapshot.Revision}
	for _, m := range p.Makes { // first, for it takes time
		k, err := o.made(ctx, m)
		if err != nil {
			return nil, err
		}
		c.Added = append(c.Added, k)
	}
	fresh, err := o.Store.KeySet(ctx)
	if err != nil {
		return nil, err
	}
	now := fresh.Now
	// Who goes makes room for who comes.
	moves := slices.Clone(p.Moves)
	slices.SortStableFunc(moves, func(a, b Move) int { return cmp.Compare(rank(a.To), rank(b.To)) })
	for _, m := range moves {
		c.Changed = append(c.Changed, o.moved(m, who, now))
		if m.To != m.Key.State {
			c.Events = append(c.Events, event(moved[m.To], m.Key, who, now))
		}
	}
	for i := range c.Added {
		k := &c.Added[i]
		k.CreatedAt, k.PublishedAt, k.Revision = now, now, c.From+1
		if k.State == Current {
			k.ActivatedAt = now
		}
		c.Events = append(c.Events, event(added(*k), *k, who, now))
	}
	return c.Added, o.Store.ChangeKeys(ctx, c)
}

// added is the event of a key that is new.
func added(k Key) audit.Kind {
	switch {
	case k.State == Current:
		return audit.KeyCreated
	case k.Origin == Imported:
		return audit.KeyImported
	}
	return audit.KeyStaged
}

func rank(to State) int {
	if to == Current {
		return 1
	}
	return 0
}

// moved are the events of moves.
var moved = map[State]audit.Kind{
	Current: audit.KeyActivated, Previous: audit.KeyReplaced, Retired: audit.KeyRetired, Revoked: audit.KeyRevoked,
}

func (o *Office) moved(m Move, who Who, now time.Time) Key {
	k := m.Key
	if m.To == Current || m.To == Next {
		k.Longest = max(k.Longest, o.Longest)
	}
	if m.To == k.State {
		return k
	}
	if k.State == Current {
		k.StoppedAt = now
	}
	switch k.State = m.To; m.To {
	case Current:
		k.ActivatedAt = now
	case Retired, Revoked:
		k.EndedAt, k.Sealed = now, nil
		if m.To == Revoked {
			k.Reason = who.Reason
		}
	}
	return k
}

// made returns a key with no times yet.
func (o *Office) made(ctx context.Context, m Make) (Key, error) {
	private, origin := m.Private, Imported
	if private == nil {
		var err error
		if private, err = generate(m.Algorithm); err != nil {
			return Key{}, fmt.Errorf("make %s key: %w", m.Algorithm, err)
		}
		origin = Generated
	}
	if kid, err := Thumbprint(private); err != nil {
		return Key{}, err
	} else if origin == Generated && strings.HasPrefix(kid, "-") { // command lines would take it for a flag
		return o.made(ctx, m)
	}
	k, err := seal(ctx, o.Wrappers.Primary, m.Algorithm, private)
	if err != nil {
		return Key{}, err
	}
	k.State, k.Origin, k.Longest = m.State, origin, o.Longest
	return k, nil
}

func event(kind audit.Kind, k Key, who Who, now time.Time) audit.Event {
	detail := map[string]any{"kid": k.KID, "algorithm": k.Algorithm}
	if who.Reason != "" {
		detail["reason"] = who.Reason
	}
	return audit.Event{At: now, Kind: kind, Actor: who.Actor, Reason: who.Cause, Detail: detail}
}

// Rewrap seals every published key by the primary wrapper, in one change, and returns those that another
// one had sealed. Servers go on with the keys that they have in memory.
func (o *Office) Rewrap(ctx context.Context, s Snapshot, who Who) ([]Key, error) {
	c := Change{From: s.Revision}
	primary := o.Wrappers.Primary
	for _, k := range o.Foreign(s) {
		plain, err := o.Wrappers.unwrap(ctx, k)
		if err != nil {
			return nil, &UnreadableError{KIDs: []string{k.KID}, Cause: err}
		}
		was := k.WrappedBy
		k.WrappedBy = primary.Name()
		if k.Sealed, err = primary.Wrap(ctx, plain, k.label()); err != nil {
			return nil, fmt.Errorf("encrypt %s: %w", k.KID, err)
		}
		again, err := o.Wrappers.unwrap(ctx, k) // before the only readable copy is gone
		if err == nil && !bytes.Equal(again, plain) {
			err = errors.New("it is not what was encrypted")
		}
		if err != nil {
			return nil, fmt.Errorf("read %s back from %s: %w", k.KID, primary.Name(), err)
		}
		e := event(audit.KeyRewrapped, k, who, s.Now)
		e.Detail["from"], e.Detail["to"] = was, k.WrappedBy
		c.Changed, c.Events = append(c.Changed, k), append(c.Events, e)
	}
	if len(c.Changed) == 0 {
		return nil, nil
	}
	return c.Changed, o.Store.ChangeKeys(ctx, c)
}

// Readable returns an *UnreadableError if published keys cannot be decrypted.
func (o *Office) Readable(ctx context.Context, s Snapshot) error {
	var unreadable UnreadableError
	for _, k := range s.Published() {
		if _, err := o.Wrappers.open(ctx, k); err != nil {
			unreadable.KIDs, unreadable.Cause = append(unreadable.KIDs, k.KID), err
		}
	}
	if len(unreadable.KIDs) > 0 {
		return &unreadable
	}
	return nil
}

// Foreign returns the published keys that another wrapper than the primary has sealed.
func (o *Office) Foreign(s Snapshot) []Key {
	return slices.DeleteFunc(s.Published(), func(k Key) bool { return k.WrappedBy == o.Wrappers.Primary.Name() })
}
