// Package limit owns the limits that hang on where a request comes from, whatever number it is about
// (security requirements T3), and on how much all guess together (T4); and the list of who is refused
// just now (T10). It never knows a number, only an opaque tag of it, nor whether an origin is trusted for
// one: package otp does, and is told by Pass what to ask of an origin that is not.
//
//	                 wrong guesses by all in an hour
//	       < max(100, 0.5 %)        ≥               ≥ three times that
//	Calm ──────────────────► Protective ──────────► Closed
//	T3 as it is              untrusted: a third     untrusted: no starts (503), a third of guesses
//
// What is counted is counted before it is known whether it was right to: Start and Guess reserve, in
// one atomic step of the store, and Undo gives back. What is refused was not counted (T7). Times are those
// of the store, which is one for all replicas.
package limit
