package keyring

import (
	"context"
	"slices"
	"time"
)

// Witness remembers, elsewhere than in the record, which keys matter. A record that was restored from a
// backup knows nothing of what has happened since: it lacks keys whose tokens are out, and publishes
// keys that were revoked. It may forget; then nobody says so.
type Witness interface {
	// Remember keeps marks until their time.
	Remember(ctx context.Context, marks []Mark) error
	// Recall returns those that are kept.
	Recall(ctx context.Context) ([]Mark, error)
}

// Mark is a key that tokens are out of, or one that was revoked, and until when that matters.
type Mark struct {
	KID     string
	Revoked bool
	Until   time.Time
}

const (
	// witnessEvery is how often marks are brought up to date, witnessWait how long that may take.
	witnessEvery = 15 * time.Second
	witnessWait  = time.Second
	// revokedMark is for how long it is known that a key was revoked: backups are older than tokens.
	revokedMark = 90 * 24 * time.Hour
)

func marks(s Snapshot) []Mark {
	var all []Mark
	for _, k := range s.Keys {
		switch until := k.TokensUntil(s.Now); {
		case k.State == Revoked:
			all = append(all, Mark{k.KID, true, k.EndedAt.Add(revokedMark)})
		case until.After(s.Now):
			all = append(all, Mark{k.KID, false, until})
		}
	}
	return all
}

// testify has the witness remember what we know.
func (r *Ring) testify(ctx context.Context) {
	if r.options.Witness == nil || r.options.Now().Sub(r.testified) < witnessEvery {
		return
	}
	r.testified = r.options.Now()
	ctx, cancel := context.WithTimeout(ctx, witnessWait)
	defer cancel()
	if err := r.options.Witness.Remember(ctx, marks(r.set.Load().snapshot)); err != nil {
		r.options.Log.DebugContext(ctx, "signing keys not remembered outside the database", "error", err)
	}
}

// recall asks the witness at a start, and compares.
func (r *Ring) recall(ctx context.Context) {
	if r.options.Witness == nil {
		return
	}
	asking, cancel := context.WithTimeout(ctx, witnessWait)
	defer cancel()
	known, err := r.options.Witness.Recall(asking)
	if err != nil {
		r.options.Log.DebugContext(ctx, "whether the database has all signing keys cannot be told", "error", err)
		return
	}
	r.compare(ctx, known, r.set.Load().snapshot)
}

// compare says which keys the record has lost, and which it has back although they were revoked:
// nobody else would say why tokens are refused, or that a thief's are good again.
func (r *Ring) compare(ctx context.Context, known []Mark, s Snapshot) {
	var lost, revived []string
	for _, m := range known {
		i := slices.IndexFunc(s.Keys, func(k Key) bool { return k.KID == m.KID })
		switch {
		case m.Revoked && i >= 0 && s.Keys[i].State.Published():
			revived = append(revived, m.KID)
		case !m.Revoked && i < 0 && m.Until.After(s.Now):
			lost = append(lost, m.KID)
		}
	}
	if len(lost) > 0 {
		r.options.Log.ErrorContext(ctx, "the database has lost signing keys, as one restored from a backup has: tokens that they signed are refused from now on, "+
			"and apps get new ones by refreshing or signing in", "keys", lost)
	}
	if len(revived) > 0 {
		r.options.Log.ErrorContext(ctx, "the database publishes signing keys that were revoked, as one restored from a backup does: "+
			"revoke them again with latchkey keys revoke", "keys", revived)
	}
}
