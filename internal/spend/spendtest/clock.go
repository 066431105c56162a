package spendtest

import (
	"sync/atomic"
	"time"
)

// Clock is a time that a test moves. It is safe for concurrent use.
type Clock struct{ at atomic.Int64 }

// NewClock starts at a time, "2026-03-04T23:59:50Z".
func NewClock(at string) *Clock {
	start, err := time.Parse(time.RFC3339, at)
	if err != nil {
		panic(err)
	}
	c := &Clock{}
	c.at.Store(start.UnixMilli())
	return c
}

// Now is the clock's time.
func (c *Clock) Now() time.Time { return time.UnixMilli(c.at.Load()).UTC() }

// Advance moves the clock, back if d is negative.
func (c *Clock) Advance(d time.Duration) { c.at.Add(d.Milliseconds()) }
