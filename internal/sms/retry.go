package sms

import "time"

const (
	// A provider that says "too many" without saying for how long is asked again after 0.5 to
	// 4 s, spread so that texts refused together do not come back together.
	shortestWait, longestWait = 500 * time.Millisecond, 4 * time.Second
	// Below 120 s a new start makes a new code (security requirement C6): a text that came
	// this late would race the one with the new code.
	worthRetrying = 120 * time.Second
	// A provider that will be away for longer is not waited for: the person asks again by then,
	// and would get two texts.
	longestOutage = 10 * time.Second
	// HTTP 429: refused before it was processed, so always safe to repeat.
	tooManyRequests = 429
)

// nextTry decides about a message whose tries-th try failed with e while its code has left to
// live: whether to try again, and after how long. spread, from 0 to 1, picks the wait where the
// provider named none. What may have been sent is never tried again (security requirement M9).
func nextTry(e *Error, tries int, left time.Duration, spread float64) (wait time.Duration, again bool) {
	var most int
	switch {
	case e.Final: // the other provider was the second try
		return 0, false
	case e.Class == Rate && e.Status == tooManyRequests:
		most = 3
	case e.Class == Provider && e.RetryAfter <= longestOutage:
		most = 2
	default: // other Rate classes are queues and daily limits that outlast a code
		return 0, false
	}
	wait = e.RetryAfter
	if wait <= 0 {
		wait = shortestWait + time.Duration(spread*float64(longestWait-shortestWait))
	}
	if tries >= most || left-wait <= worthRetrying {
		return 0, false
	}
	return wait, true
}
