package config

import (
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// decoder lays YAML nodes of one origin over settings. Unlike the library's own decoding it goes
// on after a mistake, and never quotes a value.
type decoder struct {
	*loader
	// origin is where the nodes are from; each node adds its line, if it is a file.
	origin Origin
}

func (d *decoder) originOf(node *yaml.Node) Origin {
	o := d.origin
	if o.File != "" {
		o.Line = node.Line
	}
	return o
}

func (d *decoder) fail(at path, node *yaml.Node, format string, args ...any) {
	d.report.add(at, d.originOf(node), fmt.Sprintf(format, args...))
}

// value lays node over into. A key without a value changes nothing.
func (d *decoder) value(at path, node *yaml.Node, into reflect.Value) {
	t := into.Type()
	switch {
	case node.Kind == yaml.AliasNode:
		d.fail(at, node, "aliases (*name) are not supported: write the value out")
	case into.Type() == reflect.TypeFor[Secret]() && strings.TrimSpace(node.Value) == "" && node.Kind == yaml.ScalarNode:
		// A template whose variable was not set must not make a confidential client public.
		d.fail(at, node, "is empty: give the secret, or remove the key")
	case isNull(node):
	case isSection(t) && node.Kind == yaml.MappingNode:
		d.section(at, node, into)
	case t.Kind() == reflect.Map && node.Kind == yaml.MappingNode:
		d.named(at, node, into)
	case isList(t) && node.Kind == yaml.SequenceNode:
		d.list(at, node, into)
	case len(at) == 0:
		d.report.broken(at, d.originOf(node), "want keys such as \"issuer: https://login.example.com/\"")
	case isSection(t) || t.Kind() == reflect.Map || isList(t) || !isPlain(node, t):
		d.fail(at, node, "%s", want(t))
	default:
		if err := setText(into, node.Value); err != nil {
			d.fail(at, node, "%s", err)
			return
		}
		d.origins.set(at, d.originOf(node))
	}
}

// section lays the keys of node over the fields of into.
func (d *decoder) section(at path, node *yaml.Node, into reflect.Value) {
	secrets := map[string]bool{} // by key: given, directly or as a file
	for key, value := range d.pairs(at, node) {
		f, ok := fieldNamed(into.Type(), key)
		s, isFile := secretFileField(into.Type(), key)
		switch {
		case isFile:
			f = s
		case !ok:
			d.fail(at.key(key), value, "unknown key%s", suggest(key, keys(into.Type())))
			continue
		}
		if f.Type == secretType && !isNull(value) {
			if secrets[keyOf(f)] {
				d.fail(at.key(keyOf(f)), value, "want either %s or %s%s, not both", keyOf(f), keyOf(f), fileSuffix)
				continue
			}
			secrets[keyOf(f)] = true
		}
		if isFile {
			d.secretFile(at.key(keyOf(f)), value, into.FieldByIndex(f.Index))
			continue
		}
		d.value(at.key(key), value, into.FieldByIndex(f.Index))
	}
}

// secretFile notes the file that node names as the source of a secret.
func (d *decoder) secretFile(at path, node *yaml.Node, into reflect.Value) {
	switch {
	case isNull(node) || node.Kind != yaml.ScalarNode || node.Value == "" || !isPlain(node, reflect.TypeFor[string]()):
		d.fail(at, node, "want the path of a file that holds the secret")
	default:
		d.setSecretFile(at, d.originOf(node), node.Value, into)
	}
}

func (l *loader) setSecretFile(at path, o Origin, file string, into reflect.Value) {
	into.Set(reflect.ValueOf(Secret{file: file}))
	o.SecretFile = file
	l.origins.set(at, o)
}

// named lays the entries of node over those of the map into, name by name.
func (d *decoder) named(at path, node *yaml.Node, into reflect.Value) {
	merged := reflect.MakeMap(into.Type())
	for _, key := range into.MapKeys() {
		merged.SetMapIndex(key, into.MapIndex(key))
	}
	given := map[string]bool{}
	for key, value := range d.pairs(at, node) {
		name, isFile := entryName(into.Type().Elem(), key)
		if given[name] {
			d.fail(at.key(name), value, "want either %s or %s%s, not both", name, name, fileSuffix)
			continue
		}
		given[name] = true
		entry := reflect.New(into.Type().Elem()).Elem()
		old := merged.MapIndex(reflect.ValueOf(name))
		if old.IsValid() {
			entry.Set(old)
		}
		if _, known := d.origins[at.key(name).String()]; !known {
			d.origins.set(at.key(name), d.originOf(value))
		}
		switch {
		case isFile:
			d.secretFile(at.key(name), value, entry)
		case isNull(value) && !old.IsValid() && !isSection(entry.Type()) && entry.Kind() != reflect.Slice:
			d.fail(at.key(name), value, "is empty: give the value, or remove the key")
		default:
			d.value(at.key(name), value, entry)
		}
		merged.SetMapIndex(reflect.ValueOf(name), entry)
	}
	into.Set(merged)
}

// entryName is the name that key gives an entry of type t, and whether its value is the secret's file.
func entryName(t reflect.Type, key string) (name string, isFile bool) {
	if t != secretType {
		return key, false
	}
	return strings.CutSuffix(key, fileSuffix)
}

// list replaces the list into by the items of node.
func (d *decoder) list(at path, node *yaml.Node, into reflect.Value) {
	d.origins.replace(at, d.originOf(node))
	items := reflect.MakeSlice(into.Type(), len(node.Content), len(node.Content))
	for i, item := range node.Content {
		if isNull(item) {
			d.fail(at.index(i), item, "an empty item: fill it in or take it out")
			continue
		}
		d.value(at.index(i), item, items.Index(i))
	}
	into.Set(items)
}

func isList(t reflect.Type) bool { return t.Kind() == reflect.Slice }

// isPlain reports whether node is a scalar whose text can be read as a t. Text may look like a
// number (a phone number does), but true and false are taken for a slip, and tags are refused.
func isPlain(node *yaml.Node, t reflect.Type) bool {
	if node.Kind != yaml.ScalarNode {
		return false
	}
	tag := node.ShortTag()
	if t.Kind() == reflect.String && tag == "!!bool" {
		return false
	}
	return slices.Contains([]string{"!!str", "!!int", "!!float", "!!bool", "!!timestamp"}, tag)
}

// want says what a setting of type t looks like.
func want(t reflect.Type) string {
	switch {
	case t == reflect.TypeFor[time.Duration]():
		return "want a duration such as 15m"
	case t == reflect.TypeFor[netip.Prefix]():
		return "want an address or a network such as 10.0.0.0/8"
	case t == reflect.TypeFor[[]netip.Prefix]():
		return "want a list of networks such as [10.0.0.0/8]"
	case isSection(t):
		return "want keys under it: " + strings.Join(keys(t), ", ")
	case isNamed(t) && isSection(t.Elem()):
		return "want entries under it, each by its name, with keys such as " + keys(t.Elem())[0]
	case isNamed(t):
		return "want entries under it, each a name and a value"
	case t.Kind() == reflect.Map:
		return "want names under it, each with a list such as [sales, support]"
	case isList(t) && isSection(t.Elem()):
		return "want a list, each item with keys such as " + keys(t.Elem())[0]
	case t == reflect.TypeFor[[]int]():
		return "want a list such as [200, 202]"
	case isList(t):
		return "want a list such as [first, second]"
	case t == reflect.TypeFor[Decimal]():
		return "want a number such as 12 or 0.05, with six decimals at most"
	case t.Kind() == reflect.Bool:
		return "want true or false"
	case t.Kind() == reflect.Int:
		return "want a whole number"
	default:
		return "want a text; true, false and texts with special characters need quotes"
	}
}
