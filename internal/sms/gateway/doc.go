// Package gateway sends texts through any provider with an HTTP API, as settings describe it: what to
// send, and how to read the answer. One Send is one HTTP request on a connection of its own: it never
// repeats one, follows no redirect, takes no proxy from the environment, and puts neither a number, a
// body nor a credential into an error.
//
// Values stand in the URL's query, in headers and in the body as {to} (+447700900123), {to_digits}, {body},
// {from}, {ref} (our name for the text) and {valid_seconds}. Each is escaped for where it stands. {body}
// stands in no URL or header, which servers log.
//
// Whether the text may have gone out decides what follows (security requirement M9):
//
//	no answer, request not yet written          provider (surely not sent)
//	no answer, request written at least partly  unknown_outcome
//	the failure's condition holds               provider
//	a success status and, if set, its condition accepted
//	2xx otherwise, or an answer that breaks off unknown_outcome
//	3xx, 401, 403                               our_config, of the account
//	408                                         unknown_outcome
//	429                                         rate
//	4xx otherwise                               our_config
//	5xx                                         unknown_outcome
//
// The conditions are fields of a JSON answer and their values; the failure's counts whatever the status is.
// A 5xx without it is taken for unknown, because a gateway that fails after it has handed a text on answers
// so; the next provider then takes over when the breaker opens, after five texts. Where the gateway says in
// its answer that it did not send, let that be the failure's condition: the next provider is asked at once.
package gateway
