// Package account owns who signs in: the Account, whose subject is the `sub` of every token, the
// Identity that proves it, and the rules by which a verified identity finds its account. Those
// rules keep one person from becoming another when numbers change hands, so they are one pure
// function, Match; stores only carry out what it decides.
package account
