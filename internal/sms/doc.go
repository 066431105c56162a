// Package sms gets a text to a phone: the port that providers implement, the classes of failure
// with what is done about each, how many segments a text takes, and the queue that sends off the
// request path. It knows neither who the person is nor how a code is made; what texts say is in
// wording.
//
//	Enqueue ─► queued ─ worker ─► Sender.Send ─► accepted
//	   │                             ├─ definite failure, worth repeating ─► again, bounded
//	   └─ full: ErrQueueFull         ├─ definite failure ─► failed
//	                                 └─ outcome unknown ─► failed, never sent again by us
//
// A message is sent at most once as far as the provider tells: there is no idempotency key for a
// text, so what may have been sent is not repeated (security requirement M9).
package sms
