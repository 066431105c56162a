// Command with runs a command next to one PostgreSQL and one Redis, and stops them when it ends:
//
//	go run ./internal/testservers/with -- go test ./...
//
// Every test process of that command uses these two servers and need not start its own. Signals go
// on to the command, and its exit code is with's own.
package main
