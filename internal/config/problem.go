package config

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// maxProblems is more than anybody reads at once. Without a limit a file of another kind, or one
// made for it, would be reported a million times.
const maxProblems = 200

// Invalid is the error of settings with mistakes: all of them, in the order of the settings.
type Invalid struct {
	Problems []Problem
	// More counts the mistakes beyond the first 200.
	More int
}

// Error prints one mistake per line.
func (e *Invalid) Error() string {
	var lines []string
	for _, p := range e.Problems {
		lines = append(lines, p.String())
	}
	if e.More > 0 {
		lines = append(lines, fmt.Sprintf("… and %d more", e.More))
	}
	return strings.Join(lines, "\n")
}

// Problem is one mistake. No field repeats a setting's value.
type Problem struct {
	// Path of the setting, such as "clients.web.origins[0]". Where the mistake is not in a
	// setting it is the file, with the line if known, or the environment variable.
	Path string
	// Origin is where the setting was given; zero if it was not.
	Origin  Origin
	Message string

	at path
}

func (p Problem) String() string {
	if p.Origin.IsZero() || p.Path == p.Origin.String() {
		return p.Path + ": " + p.Message
	}
	return fmt.Sprintf("%s: %s (%s)", p.Path, p.Message, p.Origin)
}

// Origin is where a setting came from: a line of a file, or an environment variable; the zero
// Origin is the default.
type Origin struct {
	File string
	Line int
	Var  string
	// SecretFile is the file that the setting was read from, by its …_file.
	SecretFile string
}

// IsZero reports whether the setting is a default.
func (o Origin) IsZero() bool { return o == Origin{} }

// String renders o as "latchkey.yaml:12", "LATCHKEY_ISSUER" or "default".
func (o Origin) String() string {
	where := "default"
	switch {
	case o.Var != "":
		where = o.Var
	case o.Line > 0:
		where = fmt.Sprintf("%s:%d", o.File, o.Line)
	case o.File != "":
		where = o.File
	}
	if o.SecretFile != "" {
		return where + " = " + o.SecretFile
	}
	return where
}

// origins tells by path where each setting came from.
type origins map[string]Origin

func (os origins) set(at path, o Origin) { os[at.String()] = o }

// replace is set for a list, whose former items are gone.
func (os origins) replace(at path, o Origin) {
	name := at.String()
	if _, ok := os[name]; ok {
		maps.DeleteFunc(os, func(known string, _ Origin) bool { return strings.HasPrefix(known, name+"[") })
	}
	os[name] = o
}

// of returns where the setting at came from, or the nearest one around it.
func (os origins) of(at path) Origin {
	for n := len(at); n > 0; n-- {
		if o, ok := os[at[:n].String()]; ok {
			return o
		}
	}
	return Origin{}
}

// report collects mistakes.
type report struct {
	problems []Problem
	more     int // mistakes beyond maxProblems
	// unread is set when a file could not be used, so that what is missing means nothing.
	unread bool
}

func (r *report) add(at path, o Origin, message string) {
	if len(r.problems) >= maxProblems {
		r.more++
		return
	}
	r.problems = append(r.problems, Problem{Path: at.String(), Origin: o, Message: message, at: at})
}

// broken reports a text that could not be used at all: a whole file where at is empty.
func (r *report) broken(at path, o Origin, message string) {
	if len(at) > 0 {
		r.add(at, o, message)
		return
	}
	r.unread = true
	r.problems = append(r.problems, Problem{Path: o.String(), Origin: o, Message: message})
}

// related reports whether a mistake was already found at, around or within the setting.
func (r *report) related(at path) bool {
	return slices.ContainsFunc(r.problems, func(p Problem) bool { return len(p.at) > 0 && p.at.related(at) })
}

// err is nil or an *Invalid.
func (r *report) err() error {
	if len(r.problems) == 0 {
		return nil
	}
	sorted := slices.Clone(r.problems)
	slices.SortStableFunc(sorted, func(p, q Problem) int {
		return order(reflect.TypeFor[Config](), p.at, q.at)
	})
	return &Invalid{Problems: sorted, More: r.more}
}
