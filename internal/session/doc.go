// Package session owns the Session: one sign-in of an account on one client and device, named by
// the sid of its tokens, and the rules by which its refresh tokens follow one another.
//
//	 sign-in        refresh        refresh
//	    │  token 0 ───────► token 1 ───────► token 2 …       live
//	    │      └── again: token 1 once more, while 1 is unused
//	    ▼
//	ended: revoked with a Reason, or over by its idle or absolute end. Never reopened.
//
// Refresh tokens are not kept anywhere: each is derived from the session, its generation and a
// key of the server (RefreshTokens). Judge is the whole state machine, and pure. The package
// knows no store, and never decides who a person is or what a token says.
//
// It follows RFC 6749 §6 and RFC 9700 §4.14.
package session
