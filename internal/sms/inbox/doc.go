// Package inbox is the SMS provider of development: it shows texts instead of sending them. It owns
// the newest texts, in memory, and never sends or writes anything. It holds codes in the clear, so it
// must not exist in a running service (security requirement C10).
package inbox
