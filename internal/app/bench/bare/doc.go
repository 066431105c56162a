// Package bare is the yardstick of the bench: a handler that does only the work no sign-in and no
// refresh can do without, on the libraries that Latchkey must use and nothing above them.
//
//	start: read JSON ─► one Redis script ─► answer;  one Twilio call behind it
//	token: read JSON ─► one Redis script ─► one transaction (one SELECT, two INSERTs) ─► two signatures ─► answer
//	       with a refresh token: read JSON ─► one SELECT, one UPDATE ─► two signatures ─► answer
//
// Scripts, rows, claims and answers have the size and shape of Latchkey's, on its schema. What is
// missing is what Latchkey is measured for: reading numbers, clients, tiers, rules of matching,
// limits, logs, metrics, errors. It believes everybody: it is for the bench alone.
package bare
