// Package keyring owns the keys that sign tokens: making them, keeping them encrypted, signing,
// verifying our own signatures, publishing the public halves as a JWKS (RFC 7517), and the schedule by
// which one key follows another.
//
//	next ─────────► current ─────► previous ─────────► retired
//	published,      signing        published until     gone
//	not signing                    its tokens ended
//	    └───────────────┴── revoked: withdrawn at once
//
// What is due is a pure function of the keys, the settings and the record's clock (Rules.Outlook). A
// change is planned on one revision of the key set and made only if the record is still at it, so
// that of any number of replicas and commands with the same idea one has it (Store.ChangeKeys). Each
// replica tells the record which revision it serves, and by the schedule a key signs only when all have it.
//
// The package is the only one that knows the JOSE library; what leaves it is bytes. It never decides
// what a token says.
package keyring
