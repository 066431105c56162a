package config

import (
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"
)

const variablePrefix = "LATCHKEY_"

// ConfigVariable names the settings file in the environment. The command line reads it, not Load.
const ConfigVariable = "LATCHKEY_CONFIG"

// environment lays the LATCHKEY_ variables of environ over c. An empty one is not set.
func (l *loader) environment(c *Config, environ []string) {
	e := variables{loader: l, given: map[string]string{}, owner: map[string]path{}}
	for _, entry := range environ {
		name, value, _ := strings.Cut(entry, "=")
		if !strings.HasPrefix(name, variablePrefix) {
			continue
		}
		delete(e.given, name)
		if value != "" {
			e.given[name] = value
		}
	}
	each(nil, reflect.ValueOf(c).Elem(), e.apply)
	e.reportUnknown()
}

// variables lays environment variables over settings.
type variables struct {
	*loader
	given map[string]string
	owner map[string]path // by variable: the setting
	named []path          // mappings by name
}

// apply sets v, the setting at, from its variables.
func (e *variables) apply(at path, v reflect.Value) {
	name := at.variable()
	if other, taken := e.owner[name]; taken {
		e.collision(at, other)
		return
	}
	e.owner[name] = at
	if isNamed(v.Type()) {
		e.named = append(e.named, at)
	}
	text, given := e.given[name]
	if v.Type() == secretType {
		e.owner[name+"_FILE"] = at
		if file, ok := e.given[name+"_FILE"]; ok {
			if given {
				e.report.add(at, Origin{Var: name}, fmt.Sprintf("want either %s or %s_FILE, not both", name, name))
				return
			}
			e.setSecretFile(at, Origin{Var: name + "_FILE"}, file, v)
			return
		}
	}
	if given {
		e.set(at, Origin{Var: name}, text, v)
	}
}

// collision reports once that the clients "my-app" and "my.app", or two headers, share their variables.
func (e *variables) collision(at, other path) {
	n := 0
	for n < min(len(at), len(other))-1 && at[n] == other[n] {
		n++
	}
	message := "its environment variable, %s, is also that of %s: rename one"
	if len(at) > n+1 {
		message = "its environment variables, %s_…, are also those of %s: rename one"
	}
	if at = at[:n+1]; !e.report.related(at) {
		e.report.add(at, e.origins.of(at), fmt.Sprintf(message, at.variable(), other[:n+1]))
	}
}

// set lays text over v: as YAML where v holds sections or text begins like a list in YAML, else
// as the value itself, or as several with commas between them.
func (e *variables) set(at path, o Origin, text string, v reflect.Value) {
	t := v.Type()
	if t.Kind() == reflect.Map || isList(t) && (isSection(t.Elem()) || strings.HasPrefix(strings.TrimSpace(text), "[")) {
		d := decoder{loader: e.loader, origin: o}
		if node, ok := d.parse(at, []byte(text)); ok {
			d.value(at, node, v)
		}
		return
	}
	if isList(t) {
		e.setList(at, o, strings.Split(text, ","), v)
		return
	}
	if err := setText(v, text); err != nil {
		e.report.add(at, o, err.Error())
		return
	}
	e.origins.set(at, o)
}

func (e *variables) setList(at path, o Origin, texts []string, v reflect.Value) {
	items := reflect.MakeSlice(v.Type(), len(texts), len(texts))
	for i, text := range texts {
		if err := setText(items.Index(i), strings.TrimSpace(text)); err != nil {
			e.report.add(at.index(i), o, err.Error())
		}
	}
	v.Set(items)
	e.origins.replace(at, o)
}

func (e *variables) reportUnknown() {
	for name, value := range e.given {
		if _, known := e.owner[name]; known || foreign(name, value) {
			continue
		}
		var candidates []string
		for known := range e.owner {
			candidates = append(candidates, known)
		}
		slices.Sort(candidates)
		message := "unknown environment variable" + suggest(name, candidates)
		if at := e.namedAround(name); at != nil {
			message += fmt.Sprintf("; what it belongs to must be in a file or in %s before a variable can set part of it", at.variable())
		}
		e.report.add(path{name}, Origin{}, message)
	}
}

// namedAround is the innermost mapping by name whose entries' variables begin like name; nil if there is none.
func (e *variables) namedAround(name string) path {
	var found path
	for _, at := range e.named {
		if strings.HasPrefix(name, at.variable()+"_") && len(at) > len(found) {
			found = at
		}
	}
	return found
}

var (
	serviceVariable = regexp.MustCompile(`^LATCHKEY_([A-Z0-9_]+_)?(SERVICE_HOST|SERVICE_PORT(_[A-Z0-9_]+)?|PORT_[0-9]+_(TCP|UDP|SCTP)(_PROTO|_PORT|_ADDR)?)$`)
	serviceAddress  = regexp.MustCompile(`^(tcp|udp|sctp)://`)
)

// foreign reports whether a variable with our prefix is not a setting: those of tests, and those
// that Kubernetes puts into every pod beside a Service called latchkey or latchkey-something
// (LATCHKEY_PORT=tcp://10.0.0.1:8080).
func foreign(name, value string) bool {
	switch {
	case name == ConfigVariable, strings.HasPrefix(name, "LATCHKEY_TEST_"), serviceVariable.MatchString(name):
		return true
	default:
		return strings.HasSuffix(name, "_PORT") && serviceAddress.MatchString(value)
	}
}
