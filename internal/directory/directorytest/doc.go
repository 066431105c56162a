// Package directorytest holds the promise of directory.Store as a test that every store runs, and
// a store in memory that keeps it.
package directorytest
