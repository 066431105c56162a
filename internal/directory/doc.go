// Package directory owns the people as HR knows them: what a User is, how a feed is compared with
// what is stored, and the change set that comes of it. Nothing else writes a User.
//
//	feed ─ Reconcile ─► ChangeSet{Enter, Change, Leave} ─ guard ─► applied whole, or not at all
//
//	absent ─ enter ─► active ─ change ─► active ─ leave ─► inactive ─ change (re-hire) ─► active
//	   └──── enter, listed by HR as inactive ───────────────►┘
//
// A user is joined on (source, external id), never on a phone, a name or an e-mail address. The
// phone number is the credential, so whatever takes a number or a person away also ends the
// sessions that hung on it; the store does both in one transaction.
//
// The package never reads files (that is directory/hrfeed) and never decides who may sign in
// (that is login and account).
package directory
