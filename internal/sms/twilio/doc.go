// Package twilio sends texts through Twilio's Messages API and says, in the classes of package sms,
// what a refusal means. One Send is one HTTP request: it never repeats one, follows no redirect,
// takes no proxy, region or edge from the environment, and puts neither a number, a body nor a
// credential into an error.
//
// The question that every failure must answer is whether the text may have gone out, for Twilio has
// no idempotency key:
//
//	no answer, request not yet written          provider (surely not sent)
//	no answer, request written at least partly  unknown_outcome
//	2xx with a message sid                      accepted
//	2xx otherwise                               unknown_outcome
//	3xx                                         our_config (the address is not the API's)
//	4xx, 5xx with a code that codes.go knows    its class
//	4xx, 5xx otherwise                          by status
//
// Credentials that are refused, a suspended account and an address that is not the API's are failures of the
// account as a whole; any other our_config is taken to be about the destination's country.
//
// A Webhook reads what Twilio tells later of a text. twilio-go builds the request and reads the answer; what it lacks (a context, another address,
// headers of an error, closed bodies) is done by a transport made for each call.
package twilio
