// Command bench measures Latchkey on a real PostgreSQL and Redis: make bench.
//
// It measures the program as it ships, `latchkey serve` in a process of its own, and by turns with
// it a bare handler (package bare) that does only the unavoidable work. The load and the stand-in for
// Twilio run in the bench itself, so that the CPU time of a measured process is its own work alone:
//
//	bench ─ load ──────► latchkey serve ──► PostgreSQL, a database each
//	  ▲                  bare handler   ──► Redis, a key prefix each
//	  └─ Twilio stand-in ◄──┘
//
// There are six parts; -only=signin,refresh takes some of them:
//
//	signin      whole sign-ins: POST /passwordless/start, the code out of the text, POST /oauth/token,
//	            by one of 2,000 people who have all signed in before; memory, JWKS and start-up as well
//	starts      codes asked for, each with its text, by turns with all limits on, from an office and without
//	            limits; then 5,000 people of one office, 83 a second, who wait for nobody
//	refresh     refreshes, each with the token that the one before has brought
//	introspect  introspections of live access tokens by a service; Latchkey alone
//	lists       a status list of 1,000,000 live sessions, filled in by SQL, on two replicas:
//
//	            POST /oauth/revoke ──► replica A ──► PostgreSQL ◄── latchkey sessions revoke
//	            GET /status-lists/… ─► replica A, replica B ──┘  (until the bit is set on both)
//	signatures  access tokens, from the claims to the compact JWS, and by turns the standard library's
//	            signature alone; on one core of this process, without servers
//
// What comes out is a table with the aim beside each figure. A missed aim is a figure like any other:
// only an answer that is wrong, or none, makes bench fail.
//
// CPU times come from /proc, so it needs Linux. All traffic stays on 127.0.0.1. Unless
// LATCHKEY_TEST_POSTGRES names another, PostgreSQL is that of the tests, which does not wait for a disk.
package main
