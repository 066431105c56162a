package spend

import "time"

// Window is a span over which is counted. All of a kind are aligned to UTC and numbered from 1970.
type Window int

// The windows. Blocks is an hour too, apart from Hour as it may hold thousands of counters.
const (
	Minute Window = iota
	Hour
	Blocks
	Day
	// Windows is how many there are.
	Windows = 4
)

// Length is how long the window lasts.
func (w Window) Length() time.Duration {
	switch w {
	case Minute:
		return time.Minute
	case Day:
		return 24 * time.Hour
	}
	return time.Hour
}

// At returns the number of the window that is counted in at now, if the store last counted in kept. A
// clock that steps back into the window before stays in kept: else both would begin with empty counters, and
// a day's money could be spent again. A clock that steps back further was wrong before, and its
// window is left: else a day could last for weeks.
func (w Window) At(now time.Time, kept int64) int64 {
	this := now.UnixMilli() / w.Length().Milliseconds()
	if kept == this+1 {
		return kept
	}
	return this
}

// End returns when the window of that number is over.
func (w Window) End(number int64) time.Time {
	return time.UnixMilli((number + 1) * w.Length().Milliseconds()).UTC()
}

// Counter is one number that is kept while its window lasts; 0 at its beginning.
type Counter struct {
	Window Window
	Name   string
}

// Count is what is added to a counter.
type Count struct {
	Counter
	Add int64
}
