// Package wording owns what texts say: in which language, by which template, and that each is one
// segment which phones can read (security requirement M11). It sends nothing and knows nobody.
//
//	123456 ist Ihr Code für Latchkey. Er gilt 5 Min. Geben Sie ihn nicht weiter.    a template
//	                                                                                empty
//	FA+9qCX9VSu                            the app's hash, for Android's SMS Retriever
//	@id.example.com #123456                WICG "Origin-bound one-time codes", for WebOTP and iOS
//
// Templates hold only the first line, and only what the operator and we wrote: nothing that a caller
// supplied stands in a text but the code. The rest is added here, so that no template can break it.
// The hash stands before the last line, where both readers find theirs.
//
// New measures every template with the longest code and life that there can be. Of our own it takes
// the longest that fits with the brand and the host; an operator's own fits or is a mistake.
package wording
