// Package testservers gives tests a real PostgreSQL and a real Redis. It is imported by tests and
// by its own command, with, and by nothing that ships.
//
//	Postgres(t), Redis(t)            one server for the whole test process, or for the whole run of
//	                                 internal/testservers/with; each test brings its own database
//	                                 or key prefix
//	StartPostgres(t), StartRedis(t)  a server of the test's own, to take down and bring back
//	StartRedisCluster(t)             three masters
//
// The shared servers are, in this order, those that LATCHKEY_TEST_POSTGRES and LATCHKEY_TEST_REDIS
// point at, or those whose programs are on the machine. With neither the test fails and says what
// to install: a missing server is never a reason to skip. Only -short skips.
//
// Nothing outlives the test process. A Go test process has no hook for its end, and none at all
// when it is killed, so every server has a folder with a keeper: a shell that waits for its standard
// input to close, which the kernel does however the process ends. It then stops the server and
// removes the folder. No goroutine is left running either, so leak checkers stay quiet.
//
// The package needs a Unix system.
package testservers
