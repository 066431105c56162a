package keyring

import (
	"slices"
	"time"
)

const (
	// jwksMaxAge is how long caches may hold the JWKS (J5).
	jwksMaxAge = 5 * time.Minute
	// settle is how long a key signs before the one after it is made: the replicas have had time to
	// show the one, and whoever fetches from then on has weeks to get to know the other.
	settle = time.Hour
	// maxLease is for how long a replica signs without hearing from the record.
	maxLease = 30 * time.Minute
	minLease = 5 * pollEvery
)

// Rules are the settings of a key's life.
type Rules struct {
	// RotateEvery is how long a key signs before the next one takes over; 0 means until somebody says so.
	RotateEvery time.Duration
	// PublishBefore is how long a key is published before it signs, so that every verifier has fetched it.
	PublishBefore time.Duration
	// KeepAfter is how long a key stays published after the last token that it signed has expired.
	KeepAfter time.Duration
}

// Action is something that happens to a key by the schedule.
type Action string

const (
	// Stage makes a next key.
	Stage Action = "stage"
	// Rotate lets the next key sign, and the current one stop.
	Rotate Action = "rotate"
	// Retire withdraws a previous key.
	Retire Action = "retire"
)

// Step is what the schedule has in store for an algorithm, and when it is due. KID is the next key
// to Rotate to, or the previous key to Retire.
type Step struct {
	Action    Action
	Algorithm string
	KID       string
	At        time.Time
}

// Outlook returns what happens next to keys, the soonest first. It is a function of its arguments
// alone: wherever it is computed, and whenever, the answer is the same.
func (r Rules) Outlook(keys []Key) []Step {
	var steps []Step
	for _, k := range keys {
		switch k.State {
		case Previous:
			steps = append(steps, Step{Retire, k.Algorithm, k.KID, r.RetiresAt(k)})
		case Current:
			next, staged := find(keys, k.Algorithm, Next)
			if !staged {
				steps = append(steps, Step{Stage, k.Algorithm, "", r.stagesAt(k)})
			} else if at := r.RotatesAt(k, &next); !at.IsZero() {
				steps = append(steps, Step{Rotate, k.Algorithm, next.KID, at})
			}
		}
	}
	slices.SortStableFunc(steps, func(a, b Step) int { return a.At.Compare(b.At) })
	return steps
}

// Due returns the steps whose time has come.
func (r Rules) Due(keys []Key, now time.Time) []Step {
	return slices.DeleteFunc(r.Outlook(keys), func(s Step) bool { return s.At.After(now) })
}

// stagesAt is when the key after current is made: soon, so that it has been published for weeks
// when it signs, and is there already if current has to be revoked.
func (r Rules) stagesAt(current Key) time.Time {
	wait := settle
	if r.RotateEvery > 0 {
		wait = min(wait, max(0, r.RotateEvery-r.PublishBefore))
	}
	return current.ActivatedAt.Add(wait)
}

// RotatesAt is when current stops signing by itself: when it has signed for long enough and next, which
// may be nil if it is still to be made, has been published for long enough. It is zero for never.
func (r Rules) RotatesAt(current Key, next *Key) time.Time {
	if r.RotateEvery == 0 {
		return time.Time{}
	}
	published := r.stagesAt(current)
	if next != nil {
		published = next.PublishedAt
	}
	return latest(current.ActivatedAt.Add(r.RotateEvery), published.Add(r.PublishBefore))
}

// MaySignAt is from when on every verifier has had time to fetch next.
func (r Rules) MaySignAt(next Key) time.Time { return next.PublishedAt.Add(r.PublishBefore) }

// RetiresAt is when previous leaves the JWKS.
func (r Rules) RetiresAt(previous Key) time.Time {
	return previous.TokensUntil(previous.StoppedAt).Add(r.KeepAfter)
}

// JWKSMaxAge is how long caches may hold the JWKS: short against the time for which a key is
// published before it signs.
func (r Rules) JWKSMaxAge() time.Duration {
	return max(time.Second, min(jwksMaxAge, r.PublishBefore/12).Truncate(time.Second))
}

// lease is for how long a replica may sign without hearing from the record: what it signs meanwhile,
// by a key that has been replaced, must expire while that key is still published.
// In a rehearsal half of KeepAfter would be less than it takes to hear of anything.
func (r Rules) lease() time.Duration { return max(minLease, min(maxLease, r.KeepAfter/2)) }

func latest(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}

// find returns the key of an algorithm in a state that only one key of it can be in.
func find(keys []Key, algorithm string, state State) (Key, bool) {
	i := slices.IndexFunc(keys, func(k Key) bool { return k.Algorithm == algorithm && k.State == state })
	if i < 0 {
		return Key{}, false
	}
	return keys[i], true
}
