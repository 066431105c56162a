// Package config reads the settings and checks them. Only internal/app imports it; everyone else
// is handed values.
//
//	defaults ─► file(s) ─► LATCHKEY_… ─► secrets' files ─► complete ─► validate ─► Config
//	                                                                         └────► *Invalid
//
// A later layer wins: mappings merge key by key, lists replace. Every mistake is reported at once,
// each with its path, what was expected and where it stands. A message repeats names (keys, client
// ids, tiers) but never a value, for the value may be a secret in the wrong place.
//
// The package never reads the process's environment, and reads files only by the function that it
// is given.
package config
