package limit

import (
	"maps"
	"slices"
	"time"
)

// Level is what the wrong guesses of all together ask for (T4).
type Level int

// The levels, rising.
const (
	Calm Level = iota
	// Protective holds untrusted origins to less.
	Protective
	// Closed refuses starts of untrusted origins.
	Closed
)

func (l Level) String() string { return [...]string{"calm", "protective", "closed"}[l] }

// AllMinutes is for how many whole minutes the count of all remembers a guess, beside the one that it was
// made in: so it is never forgotten before an hour is over.
const AllMinutes = 60

// All is the count of all: the guesses of each minute since 1970, and the store's time in Unix ms.
type All struct {
	Now     int64
	Minutes map[int64]int
}

// Minute is the one in which a time in Unix ms lies.
func Minute(ms int64) int64 { return ms / time.Minute.Milliseconds() }

// Remembered reports whether a guess of minute still counts in the minute of now.
func Remembered(minute, now int64) bool { return minute >= now-AllMinutes && minute <= now+AllMinutes }

// Total is the number of guesses that count.
func (a All) Total() int {
	total := 0
	for minute, n := range a.Minutes {
		if Remembered(minute, Minute(a.Now)) {
			total += n
		}
	}
	return total
}

// Until returns how long until fewer than limit count, if no more come; 0 if it is so now.
func (a All) Until(limit int) time.Duration {
	left := a.Total()
	for _, minute := range slices.Sorted(maps.Keys(a.Minutes)) {
		if left < limit {
			break
		}
		if Remembered(minute, Minute(a.Now)) {
			left -= a.Minutes[minute]
			if left < limit {
				forgotten := (minute + AllMinutes + 1) * time.Minute.Milliseconds()
				return time.Duration(forgotten-a.Now) * time.Millisecond
			}
		}
	}
	return 0
}

// thresholds returns how many wrong guesses in an hour begin Protective and Closed; 0 is never.
func (r Rules) thresholds(people int) (protective, closed int) {
	if r.AllPerHour <= 0 {
		return 0, 0
	}
	protective = max(r.AllPerHour, int(r.AllPercent/100*float64(people)))
	return protective, protective * r.ClosedFactor
}

// level is that of total wrong guesses among so many people.
func (r Rules) level(total, people int) Level {
	protective, closed := r.thresholds(people)
	switch {
	case closed > 0 && total >= closed:
		return Closed
	case protective > 0 && total >= protective:
		return Protective
	}
	return Calm
}
