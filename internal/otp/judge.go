package otp

import (
	"time"

	"github.com/latchkey-id/latchkey/internal/origin"
	"github.com/latchkey-id/latchkey/internal/rule"
)

// The rules of a number, as pure functions: whatever a store keeps, and whatever language it counts
// in, answers as these do (otptest holds it).

// Tally is a challenge as one source sees it.
type Tally struct {
	// Living says that there is a code, unused. End is its end, or that of the guesses at none.
	Living bool
	End    time.Time
	// Guesses are the wrong ones at the code, Own those of the source.
	Guesses, Own int
}

// StartVerdict is what a start that is not refused does.
type StartVerdict struct {
	// Send says that a text goes out; without, the living code's text is on its way already.
	Send bool
	// Instead says that the text takes the place of the source's last one, which was not sent: it is not
	// counted again, and the gap does not begin anew.
	Instead bool
	// Renew says that a new code takes the place of the one before.
	Renew bool
	// Trusted says that the number was signed in with from there.
	Trusted bool
	Noted   []rule.Name
}

// JudgeStart says what a start from there does; the errors are those of Store.Open. n has nothing to
// Forget. Where several rules refuse, the one that does so longest is named, so that its
// end is when the same start can succeed.
func (l Limits) JudgeStart(n Number, c Tally, from origin.Origin, guard Guard, now time.Time) (StartVerdict, error) {
	known := l.Knows(n, from, now)
	trusted := known || from.Listed
	if guard.refuses(known, from.Listed) {
		return StartVerdict{}, ErrUntrusted
	}
	left := c.End.Sub(now)
	living := c.Living && left > 0 && c.Guesses < l.Guesses
	strict := guard.Strict && !trusted
	usable := living && l.spent(c, strict) == ""
	again := usable && left >= l.RenewBelow
	resend, renew := l.gaps(n, from.Source, now)

	judged := judgement{recordOnly: l.RecordOnly}
	l.judgeNumber(&judged, n, from, trusted, now)
	verdict := StartVerdict{Trusted: known}
	if usable && renew > 0 && !l.RecordOnly[rule.ResendGap] {
		// A source's start in its own gap is answered alike, whatever became of the text (U1). One that
		// was not sent goes out now.
		verdict.Send = resend == 0 && again
		verdict.Instead = verdict.Send
	} else {
		verdict.Send, verdict.Renew = true, !again
		if living && !usable && left >= l.RenewBelow {
			judged.refuse(l.spent(c, strict), left-l.RenewBelow+time.Millisecond)
		}
		if verdict.Renew {
			judged.refuse(rule.ResendGap, renew)
		} else {
			judged.refuse(rule.ResendGap, resend) // only where it is recorded
		}
		l.judgeText(&judged, n, from, now)
	}
	verdict.Noted = judged.noted
	if judged.worst != "" {
		return verdict, &ThrottledError{Rule: judged.worst, RetryAfter: judged.wait}
	}
	return verdict, nil
}

// refuses reports whether the guard keeps out who comes from a place that is or is not known for the
// number, and is or is not listed.
func (g Guard) refuses(known, listed bool) bool {
	return g.TrustedOnly && !known && !listed || g.KnownOnly && !known
}

// JudgeGuess says whether a guess from there is compared; the errors are those of Store.Redeem but for
// ErrInvalidCode. n has nothing to Forget.
func (l Limits) JudgeGuess(n Number, c Tally, from origin.Origin, guard Guard, now time.Time) ([]rule.Name, error) {
	known := l.Knows(n, from, now)
	trusted := known || from.Listed
	if guard.refuses(known, from.Listed) {
		return nil, ErrUntrusted
	}
	if c.End.After(now) && l.spent(c, guard.Strict && !trusted) != "" {
		return nil, ErrTooManyGuesses
	}
	judged := judgement{recordOnly: l.RecordOnly}
	l.judgeNumber(&judged, n, from, trusted, now)
	if judged.worst != "" {
		return judged.noted, &BlockedError{Rule: judged.worst, RetryAfter: judged.wait}
	}
	return judged.noted, nil
}

// spent names the rule of C4 that leaves no guess at the code, if one does. No strictness makes
// it milder.
func (l Limits) spent(c Tally, strict bool) rule.Name {
	own, all := l.GuessesPerSource, l.Guesses
	if strict {
		own, all = min(own, l.StrictGuessesPerSource), min(all, l.StrictGuesses)
	}
	switch {
	case c.Own >= own:
		return rule.CodeGuessesSource
	case c.Guesses >= all:
		return rule.CodeGuesses
	}
	return ""
}

// judgeNumber asks the rules about guesses at a number (T1, T2).
func (l Limits) judgeNumber(j *judgement, n Number, from origin.Origin, trusted bool, now time.Time) {
	var all, own []time.Time
	for _, g := range n.Wrong {
		all = append(all, g.At)
		if g.Source == from.Source {
			own = append(own, g.At)
		}
	}
	j.refuse(rule.NumberGuessesSource, wait(own, l.NumberGuessesFor(from.Listed), day, now))
	if trusted {
		return
	}
	j.refuse(rule.NumberGuesses, wait(all, l.NumberGuesses, day, now))
	if l.InARow > 0 && n.InARow >= l.InARow {
		j.refuse(rule.NumberInARow, n.LastWrong.Add(l.RowKept()).Sub(now))
	}
}

// NumberGuessesFor is NumberGuessesPerSource. An address of a listed network is many people's, and none of
// them may shut the others out: there it is as many as all together have (T5).
func (l Limits) NumberGuessesFor(listed bool) int {
	if listed && l.NumberGuessesPerSource > 0 {
		if l.NumberGuesses == 0 {
			return 0
		}
		return max(l.NumberGuessesPerSource, l.NumberGuesses)
	}
	return l.NumberGuessesPerSource
}

// judgeText asks the rules about texts to a number (M3, T5).
func (l Limits) judgeText(j *judgement, n Number, from origin.Origin, now time.Time) {
	var all, own []time.Time
	for _, t := range n.Texts {
		all = append(all, t.At)
		if t.Source == from.Source {
			own = append(own, t.At)
		}
	}
	known := !from.Listed && l.Knows(n, from, now) // the office is the colleague's as well
	j.refuse(rule.NumberTextsSourceHour, wait(own, l.TextsPerSourceHour, hour, now))
	j.refuse(rule.NumberTextsSourceDay, wait(own, l.TextsPerSourceDay, day, now))
	if !known && !from.Listed { // two addresses could use it up (T5)
		j.refuse(rule.NumberTextsHour, wait(all, l.TextsPerHour, hour, now))
	}
	j.refuse(rule.NumberTextsDay, wait(all, l.TextsPerDayFor(known, from.Listed), day, now))
}

// TextsPerDayFor is TextsPerDay where the number was signed in with from. Listed networks leave one of
// those, known or not: whoever sits in one may be the colleague who wants to lock the person out. All
// others leave TextsKept (T5). One is always left to them: else nobody would ever sign in for a first time.
func (l Limits) TextsPerDayFor(known, listed bool) int {
	kept := l.TextsKept
	switch {
	case l.TextsPerDay == 0 || known:
		return l.TextsPerDay
	case listed:
		kept = min(kept, 1)
	}
	return max(1, l.TextsPerDay-kept)
}

// State says what n is like for an origin of which nothing is known. n has nothing to Forget.
func (l Limits) State(n Number, now time.Time) State {
	state := State{
		Guesses: len(n.Wrong), InARow: n.InARow, Texts: len(n.Texts),
		Blocked: map[rule.Name]time.Duration{}, Trusted: map[origin.Network]time.Duration{},
	}
	judged := judgement{recordOnly: l.RecordOnly, refused: func(name rule.Name, wait time.Duration) { state.Blocked[name] = wait }}
	l.judgeNumber(&judged, n, origin.Origin{}, false, now)
	l.judgeText(&judged, n, origin.Origin{}, now)
	for _, s := range n.SignIns {
		state.Trusted[s.Network] = s.At.Add(l.TrustFor).Sub(now)
	}
	return state
}

// judgement gathers what rules say of one request.
type judgement struct {
	recordOnly rule.RecordOnly
	// worst is the rule that refuses longest, for wait.
	worst rule.Name
	wait  time.Duration
	noted []rule.Name
	// refused, if set, hears of each rule that refuses.
	refused func(rule.Name, time.Duration)
}

// refuse takes note that the rule refuses for wait; it does not if wait is 0.
func (j *judgement) refuse(name rule.Name, wait time.Duration) {
	switch {
	case wait <= 0:
	case j.recordOnly[name] && name != rule.CodeGuesses && name != rule.CodeGuessesSource:
		j.noted = append(j.noted, name)
	default:
		if j.refused != nil {
			j.refused(name, wait)
		}
		if wait > j.wait {
			j.worst, j.wait = name, wait
		}
	}
}

// wait returns how long it takes until fewer than limit of events, the oldest first, are in the
// window; 0 if that is so now, or there is no limit.
func wait(events []time.Time, limit int, window time.Duration, now time.Time) time.Duration {
	if limit <= 0 {
		return 0
	}
	recent := without(events, func(at time.Time) bool { return now.Sub(at) >= window })
	over := len(recent) - limit
	if over < 0 {
		return 0
	}
	return recent[over].Add(window).Sub(now)
}
