// Package outbound makes the one HTTP request that hands a text to a provider, and can tell afterwards
// whether it may have gone out: the question that every failure must answer, for a repeated request is
// a second text (security requirement M9). It takes no proxy from the environment, and its words for
// what went wrong hold no address, number or credential.
package outbound
