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
// A sign-in is whole: POST /passwordless/start, the code out of the text, POST /oauth/token, by one
// of 2,000 people who have all signed in before. What comes out is a table with the aim beside each
// figure. A missed aim is a figure like any other: only a sign-in that fails makes bench fail.
//
// CPU times come from /proc, so it needs Linux. All traffic stays on 127.0.0.1.
package main
