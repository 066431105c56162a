// Package keyring owns the keys that sign tokens: making them, keeping them encrypted, signing,
// verifying our own signatures, and publishing the public halves as a JWKS (RFC 7517).
//
//	next ─────────► current ─────► previous ─────────► retired
//	published,      signing        published until     gone
//	not signing                    its tokens ended
//	    └───────────────┴── revoked: withdrawn at once
//
// There is one current key per algorithm; the store's unique index holds that for any number of
// replicas. The package is the only one that knows the JOSE library; what leaves it is bytes. It
// never decides what a token says.
package keyring
