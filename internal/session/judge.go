package session

import "time"

// Family is where the refresh tokens of a session stand. One row holds it, so a refresh is one
// UPDATE, and there is no table of tokens.
type Family struct {
	// Generation is that of the newest token handed out; the sign-in's is 0.
	Generation int64
	// RotatedAt is when it was handed out first.
	RotatedAt time.Time
	// LateGeneration is the newest generation that somebody asked for again late, LateStreak how
	// many generations running, up to that one, this was so.
	LateGeneration int64
	LateStreak     int
}

// Rules are the limits of sessions.
type Rules struct {
	// Idle ends a session that was not refreshed for so long, Absolute one whose sign-in is so
	// long ago; zero means no such end.
	Idle     time.Duration
	Absolute time.Duration
	// RepeatWindow is how long after a refresh the same token may come again without being
	// counted: as long as a phone tries before it gives up.
	RepeatWindow time.Duration
	// LateRepeats is how many generations running may not be asked for again later than that.
	LateRepeats int
}

// Presented is one use of a refresh token that we made.
type Presented struct {
	Generation int64
	ClientID   string
	At         time.Time
}

// Verdict is what a use of a refresh token leads to.
type Verdict int

const (
	// Refuse means that the session is over; nothing changes.
	Refuse Verdict = iota
	// Rotate hands out a new generation.
	Rotate
	// Repeat hands out the newest generation once more; nothing changes.
	Repeat
	// RepeatLate is Repeat, and counted.
	RepeatLate
	// End ends the session.
	End
)

// Judgement is a verdict with what it makes of the session.
type Judgement struct {
	Verdict Verdict
	// Family is after Rotate, Repeat and RepeatLate; the answer's token is its Generation.
	Family Family
	// Reason is set for End.
	Reason Reason
}

// Judge decides on one use of a refresh token. It is pure: session and use in, verdict out.
//
// The holder of the newest token goes on. Who comes with the one before it did not get the answer,
// and gets the same one again, as long as nobody has used it (a use would have made theirs two old).
// So there is never more than one live branch. Of two holders of one token, an honest one and a
// thief, one is behind at each step. Two behind ends the session, and so does being late in some
// generations running; what is left to a thief is to come within the window of each of the
// phone's own refreshes (ARCHITECTURE.md, decision 15).
func (r Rules) Judge(s Session, p Presented) Judgement {
	switch {
	case s.Revoked(), r.over(s, p.At):
		return Judgement{Verdict: Refuse}
	case p.ClientID != s.ClientID:
		return Judgement{Verdict: End, Reason: OtherClient}
	case p.Generation >= s.Generation:
		// A token newer than the record is ours all the same: the record has lost its last
		// writes, to a failover or a restored backup. The phone is not to blame, and goes on.
		next := s.Family
		next.Generation, next.RotatedAt = p.Generation+1, p.At
		return Judgement{Verdict: Rotate, Family: next}
	case p.Generation < s.Generation-1:
		return Judgement{Verdict: End, Reason: Replayed}
	}
	return r.judgeRepeat(s.Family, p.At)
}

// judgeRepeat is for the token before the newest.
func (r Rules) judgeRepeat(f Family, at time.Time) Judgement {
	if at.Sub(f.RotatedAt) <= r.RepeatWindow || f.LateGeneration == f.Generation {
		return Judgement{Verdict: Repeat, Family: f}
	}
	if f.LateGeneration != f.Generation-1 {
		f.LateStreak = 0
	}
	f.LateGeneration, f.LateStreak = f.Generation, f.LateStreak+1
	if f.LateStreak >= r.LateRepeats {
		return Judgement{Verdict: End, Reason: RepeatedLate}
	}
	return Judgement{Verdict: RepeatLate, Family: f}
}

// over reports whether the session can no longer be refreshed. What was over stays so when a limit
// is raised afterwards.
func (r Rules) over(s Session, at time.Time) bool {
	return !s.Refreshable() || !at.Before(s.ExpiresAt) ||
		r.Idle > 0 && !at.Before(s.LastUsedAt.Add(r.Idle)) ||
		r.Absolute > 0 && !at.Before(s.AuthTime.Add(r.Absolute))
}

// forever stands for the end of a session that has none.
const forever = 100 * 365 * 24 * time.Hour

// longestAccess is the ceiling of access tokens' lifetimes (J2).
const longestAccess = 24 * time.Hour

// ExpiresAt returns the end of session s, as it stood before, when it is used at now for an access token
// that lives for access: not before the end of any access token that was ever issued in it, or a
// revocation would pass those over. That a limit or a tier's lifetime was lowered since ends nothing
// sooner here; the refresh token ends by the limits as they are.
func (r Rules) ExpiresAt(s Session, now time.Time, access time.Duration) time.Time {
	end := now.Add(access)
	issued := s.LastUsedAt.Add(longestAccess)
	if s.ExpiresAt.Before(issued) {
		issued = s.ExpiresAt
	}
	if issued.After(end) {
		end = issued
	}
	if !s.Refreshable() {
		return end
	}
	refresh := now.Add(forever)
	if r.Idle > 0 {
		refresh = now.Add(r.Idle)
	}
	if absolute := s.AuthTime.Add(r.Absolute); r.Absolute > 0 && absolute.Before(refresh) {
		refresh = absolute
	}
	if refresh.After(end) {
		return refresh
	}
	return end
}
