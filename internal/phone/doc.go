// Package phone owns the one form that a telephone number has inside Latchkey: E.164.
//
// A Number cannot be built without a Parser, so every counter, look-up and text works on the
// canonical form and a second spelling never gets a second budget (security requirement P1). A
// Number hides all but its last three digits from every log, error and fmt verb; the digits leave
// it only through E164.
//
// The package never looks anything up over the network and knows nothing of who owns a number.
package phone
