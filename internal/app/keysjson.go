package app

import (
	"time"

	"github.com/latchkey-id/latchkey/internal/keyring"
	"github.com/latchkey-id/latchkey/internal/verifier"
)

// keyJSON is a key for scripts. What is not known, or does not apply, is left out.
type keyJSON struct {
	KID            string         `json:"kid"`
	Algorithm      string         `json:"alg"`
	State          keyring.State  `json:"state"`
	Origin         keyring.Origin `json:"origin"`
	WrappedBy      string         `json:"wrapped_by,omitempty"`
	CreatedAt      time.Time      `json:"created_at,omitzero"`
	PublishedAt    time.Time      `json:"published_at,omitzero"`
	ActivatedAt    time.Time      `json:"activated_at,omitzero"`
	StoppedAt      time.Time      `json:"stopped_at,omitzero"`
	EndedAt        time.Time      `json:"ended_at,omitzero"`
	Since          time.Time      `json:"since,omitzero"`
	SignsUntil     time.Time      `json:"signs_until,omitzero"`
	TokensUntil    time.Time      `json:"tokens_until,omitzero"`
	PublishedUntil time.Time      `json:"published_until,omitzero"`
	Next           string         `json:"what_comes_next"`
	Reason         string         `json:"reason,omitempty"`
}

type stepJSON struct {
	Action    keyring.Action `json:"action"`
	Algorithm string         `json:"alg"`
	KID       string         `json:"kid,omitempty"`
	At        time.Time      `json:"at"`
}

type verifierJSON struct {
	Name     string    `json:"name"`
	Source   string    `json:"source"`
	FirstAt  time.Time `json:"first_fetch"`
	LastAt   time.Time `json:"last_fetch"`
	Fetches  int64     `json:"fetches"`
	Interval float64   `json:"interval_seconds,omitempty"`
	// Next is its standing by the kid of each next key.
	Next map[string]verifier.Standing `json:"next_keys"`
}

type serverJSON struct {
	ID       string `json:"id"`
	UpToDate bool   `json:"up_to_date"`
}

type listJSON struct {
	Now       time.Time      `json:"now"`
	Revision  int64          `json:"revision"`
	Keys      []keyJSON      `json:"keys"`
	Schedule  []stepJSON     `json:"schedule"`
	Servers   []serverJSON   `json:"servers"`
	Verifiers []verifierJSON `json:"verifiers"`
}

func (d *keyDesk) listJSON(keys []keyring.Key) listJSON {
	all := listJSON{
		Now: d.snapshot.Now, Revision: d.snapshot.Revision, Keys: make([]keyJSON, len(keys)), Schedule: []stepJSON{},
		Servers: []serverJSON{}, Verifiers: make([]verifierJSON, len(d.verifiers)),
	}
	for i, k := range keys {
		l := d.life(k)
		all.Keys[i] = keyJSON{
			KID: k.KID, Algorithm: k.Algorithm, State: k.State, Origin: k.Origin, WrappedBy: k.WrappedBy,
			CreatedAt: k.CreatedAt, PublishedAt: k.PublishedAt, ActivatedAt: k.ActivatedAt, StoppedAt: k.StoppedAt, EndedAt: k.EndedAt,
			Since: l.since, SignsUntil: l.signsUntil, TokensUntil: l.tokensUntil, PublishedUntil: l.publishedUntil, Next: l.next, Reason: k.Reason,
		}
	}
	for _, step := range d.rules.Outlook(d.snapshot.Published()) {
		all.Schedule = append(all.Schedule, stepJSON(step))
	}
	for _, r := range d.snapshot.Live() {
		all.Servers = append(all.Servers, serverJSON{r.ID, r.Revision >= d.snapshot.Revision})
	}
	next := d.staged(d.snapshot.InUse())
	for i, v := range d.verifiers {
		all.Verifiers[i] = verifierJSON{
			Name: v.Name, Source: v.Source, FirstAt: v.FirstAt, LastAt: v.LastAt, Fetches: v.Fetches,
			Interval: v.Interval().Seconds(), Next: map[string]verifier.Standing{},
		}
		for _, k := range next {
			all.Verifiers[i].Next[k.KID] = d.standing(v, k)
		}
	}
	return all
}

// changeJSON is a change, or what would be one, for scripts.
type changeJSON struct {
	DryRun  bool `json:"dry_run"`
	Changed bool `json:"changed"`
	// Steps are the keys that move, and those that are made, which have no kid yet.
	Steps      []moveJSON   `json:"steps"`
	Says       []string     `json:"says"`
	Objections []string     `json:"objections"`
	Servers    []serverJSON `json:"servers,omitempty"`
}

// newChangeJSON has lists that are empty, and not null, where there is nothing.
func newChangeJSON(dryRun bool, p proposal) changeJSON {
	return changeJSON{DryRun: dryRun, Steps: stepsJSON(p.plan), Says: append([]string{}, p.says...), Objections: append([]string{}, p.objections...)}
}

type moveJSON struct {
	KID       string        `json:"kid,omitempty"`
	Algorithm string        `json:"alg"`
	From      keyring.State `json:"from,omitempty"`
	To        keyring.State `json:"to"`
}

func stepsJSON(p keyring.Plan) []moveJSON {
	steps := []moveJSON{}
	for _, m := range p.Moves {
		steps = append(steps, moveJSON{m.Key.KID, m.Key.Algorithm, m.Key.State, m.To})
	}
	for _, m := range p.Makes {
		steps = append(steps, moveJSON{Algorithm: m.Algorithm, To: m.State})
	}
	return steps
}
