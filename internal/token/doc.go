// Package token owns what tokens say: the claims of access and ID tokens for one sign-in, and the
// check of our own access tokens when they come back to us. Signing itself is the keyring's.
//
// The two kinds differ in typ and aud, so that neither passes for the other (RFC 8725 §3.11). No
// claim is present without a value.
package token
