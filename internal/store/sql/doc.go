// Package sql is the record: users, accounts, identities, sessions, status lists, signing keys, who fetches
// them, texts and what became of them, and the audit log, on PostgreSQL and on SQLite, through gorm. Each exported method that writes is one transaction; rows
// stay in here. It decides nothing: what to write comes from the domain packages.
//
// Two sign-ins, or a sign-in and a change by HR, meet in the database. On PostgreSQL a sign-in
// holds a share lock on the User behind the number, so HR's change of that User waits for it and
// then ends its session too; two sign-ins that would make the same account collide on a unique
// index, and the loser starts again. On SQLite every transaction takes the one write lock first.
//
// A refresh takes no lock: its one UPDATE names what it expects to find. Sessions are revoked in
// ending.go and nowhere else, in an order that status lists can be built from.
//
// A database that cannot be reached, or cannot write, is an outage.Error.
package sql
