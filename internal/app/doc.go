// Package app is the program: its commands, and the wiring that turns settings into a running
// server and takes it down again without losing a request or a text. It decides nothing that a
// domain package could decide.
//
//	Run ─ parse ─► command ─► settings ─► stores ─► keys ─► domain ─► listeners ─► wait ─► drain
package app
