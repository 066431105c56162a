// Package login is the use case that the product exists for:
//
//	Start:   number ─► challenge ─► answer;  the text goes out behind it
//	SignIn:  code redeemed ─► who is behind the number ─► tier ─► session ─► tokens
//	Refresh: refresh token ─► the session and who is behind it now ─► tier ─► tokens
//	Revoke:  any token of a session ─► the session ends, or all of the person's
//	Introspect, UserInfo: access token ─► is the session live, and who is it
//
// It is the only domain package that knows its siblings. Who is behind a code is decided when it
// is redeemed, not when it was sent. The order of a sign-in is the point: what can refuse a
// request without the code comes before the code is used up, the account, the session and the
// audit entries are one transaction, and signatures are made after it. A refresh is a look and one
// conditional write, and starts again if somebody was quicker.
package login
