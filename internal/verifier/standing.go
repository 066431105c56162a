package verifier

import "time"

// Verifier is what the record knows of one. The times are by the record's clock.
type Verifier struct {
	Name, Source    string
	FirstAt, LastAt time.Time
	Fetches         int64
	Revision        int64 // of the key set that its last fetch got
}

// Standing says whether a verifier would accept tokens of a key.
type Standing string

const (
	// Has means that its last fetch got a set with the key. The last one counts, even after one
	// that got more: a replica which was behind may have answered it, and it holds what that one gave.
	Has Standing = "has it"
	// Soon means that it lacks the key and fetches so regularly that it will have it: since the
	// key was published, no two of its intervals have passed. Only waiting is needed.
	Soon Standing = "soon"
	// Lacks means that it lacks the key, was active not long ago, and has shown no habit that would
	// fetch it. That is the dangerous one: a service which fetched once, when it started, may run for months
	// on what it got. Somebody has to look after it. Whatever is in doubt is this.
	Lacks Standing = "lacks it"
	// Quiet means that it lacks the key and does not count. Either it was not seen for the whole
	// window; or it has proven a habit and dropped it, as a pod does that a deploy replaced, or a
	// service that nobody calls. Should it come back, its copy will be older than it puts up with, so it
	// fetches anew before it verifies.
	Quiet Standing = "quiet"
)

const (
	// regular is from how many fetches on there is an interval.
	regular = 5
	// longestHabit is the longest interval that is believed. What fetches more rarely is as likely
	// restarted now and then as regular, and nobody waits for it.
	longestHabit = 24 * time.Hour

	// provenFetches and provenSpan are what makes a habit good enough to excuse silence. The mean of
	// so few numbers cannot tell a steady verifier from one that fetches when it starts, and was
	// started a few times: some replicas behind one address, a crash loop, five restarts on one bad
	// day. A rolling deploy is over within the hour; a dozen starts are rare. Many libraries fetch
	// every 5 or 10 minutes, and have proven it after one or two hours.
	provenFetches = 12
	provenSpan    = time.Hour

	// gone is how many intervals without a fetch say that a habit was dropped, and idle how long
	// that takes at least: a few slow or failed fetches must not look like it.
	gone = 5
	idle = time.Hour

	// late is how much later than it happened a fetch may show: it waits in memory for the next
	// flush, and a replica may be a few seconds behind with the key set that it serves. Without it,
	// who fetches every second would lack each key for a moment.
	late = 15 * time.Second
)

// Interval is how often a verifier fetches, in the mean: 0 with fewer than five fetches, or no span between them.
func (v Verifier) Interval() time.Duration {
	if v.Fetches < regular || !v.sound() {
		return 0
	}
	return v.LastAt.Sub(v.FirstAt) / time.Duration(v.Fetches-1)
}

// Standing judges a verifier by its fetches. The key first was in the key set of revision, which is
// unknown if it is not positive, and was published at publishedAt; all times are by the record's
// clock. A verifier that was not seen for longer than window does not count; with no window, each does.
//
// Soon and Quiet ask for different proof, since Soon, wrongly said, only makes somebody wait where
// they should look, and not for longer than two intervals; Quiet, wrongly said, makes good tokens
// fail. For Soon five fetches will do while they go on. So five within two seconds, as of
// a start, pass for a habit of half a second for some seconds, and from then on for none; and who really
// fetches every second, as in a rehearsal, need not do so for an hour to be believed. For
// Quiet a habit must be proven: kept up for an hour and a dozen fetches.
func (v Verifier) Standing(revision int64, publishedAt, now time.Time, window time.Duration) Standing {
	if revision > 0 && v.Revision >= revision {
		return Has
	}
	if !v.sound() || v.LastAt.After(now) { // a clock went wrong, and nothing follows from its times
		return Lacks
	}
	silent := now.Sub(v.LastAt)
	if window > 0 && silent > window {
		return Quiet
	}
	every := v.Interval()
	if every <= 0 || every > longestHabit {
		return Lacks
	}
	proven := v.Fetches >= provenFetches && v.LastAt.Sub(v.FirstAt) >= provenSpan
	if proven && silent > max(idle, gone*every) {
		return Quiet
	}
	patience := 2*every + late
	goesOn := proven || silent <= patience
	if goesOn && !now.Before(publishedAt) && now.Sub(publishedAt) <= patience {
		return Soon
	}
	return Lacks
}

// sound reports whether the times can be those of fetches.
func (v Verifier) sound() bool {
	return !v.FirstAt.IsZero() && !v.FirstAt.After(v.LastAt)
}

// Blocks reports whether a key should not sign yet because of a verifier with this standing.
func (s Standing) Blocks() bool { return s == Soon || s == Lacks }
