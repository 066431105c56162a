package config

import "time"

// maxPrevious is how many previous keys of an algorithm the JWKS may hold: verifiers fetch all of them.
const maxPrevious = 100

// keys checks the life of signing keys (J6). A verifier may fetch the JWKS as seldom as every 15
// minutes (wire contract 10), and none must meet a token whose key it could not have fetched.
func (v *validator) keys() {
	at := path{"keys"}
	floor := time.Hour
	if v.Keys.Rehearsal {
		floor = time.Second
	}
	const ceiling = 366 * 24 * time.Hour
	if v.Keys.RotateEvery != 0 {
		between(v, at.key("rotate_every"), v.Keys.RotateEvery, floor, ceiling)
		if v.Keys.RotateEvery >= floor && v.Keys.RotateEvery < v.Keys.PublishBefore {
			v.fail(at.key("rotate_every"), "shorter than keys.publish_before: want at least as long, so that each key is published in time, or 0 to rotate by hand")
		}
	}
	between(v, at.key("publish_before"), v.Keys.PublishBefore, floor, 90*24*time.Hour)
	// A replica looks every second whether keys have changed, and signs for half of this time without
	// having heard: with less, one slow look would make it unready.
	between(v, at.key("keep_after"), v.Keys.KeepAfter, max(floor, 5*time.Second), 90*24*time.Hour)
	between(v, at.key("verifier_window"), v.Keys.VerifierWindow, floor, 90*24*time.Hour)
	if every := v.Keys.RotateEvery; every > 0 && v.Keys.KeepAfter/every > maxPrevious {
		v.fail(at.key("keep_after"), "keeps more than %d keys published at a rotation every %s: want less, or to rotate more rarely", maxPrevious, every)
	}
	v.wrapping(at.key("wrapping"), v.Keys.Wrapping)
	v.wrapping(at.key("former_wrapping"), v.Keys.FormerWrapping)
}

func (v *validator) wrapping(at path, w Wrapping) {
	between(v, at.key("timeout"), w.Timeout, 100*time.Millisecond, 4*time.Second) // making a key takes two calls, and a server has 10 s for a change
	if w.Key.IsZero() {
		return
	}
	if w.URL != "" {
		v.fail(at.key("url"), "set beside %s.key: want one of the two", at)
	}
	v.keyMaterial(at.key("key"), w.Key)
}
