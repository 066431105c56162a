package config

import (
	"maps"
	"reflect"
	"slices"
	"strings"
)

// fileSuffix behind a secret's key names a file that holds the secret.
const fileSuffix = "_file"

var secretType = reflect.TypeFor[Secret]()

// isSection reports whether t is a mapping of known keys; Secret and netip.Prefix have none.
func isSection(t reflect.Type) bool { return t.Kind() == reflect.Struct && len(fields(t)) > 0 }

// isNamed reports whether t is a mapping of sections, or of single values, by a name that the operator chooses.
func isNamed(t reflect.Type) bool { return t.Kind() == reflect.Map && !isList(t.Elem()) }

// fields are the settings of a section, in order.
func fields(t reflect.Type) []reflect.StructField {
	return slices.DeleteFunc(reflect.VisibleFields(t), func(f reflect.StructField) bool { return keyOf(f) == "" })
}

func keyOf(f reflect.StructField) string { return f.Tag.Get("yaml") }

func fieldNamed(t reflect.Type, key string) (reflect.StructField, bool) {
	all := fields(t)
	if i := slices.IndexFunc(all, func(f reflect.StructField) bool { return keyOf(f) == key }); i >= 0 {
		return all[i], true
	}
	return reflect.StructField{}, false
}

// secretFileField is the secret whose file key names, as in "secret_key_file".
func secretFileField(t reflect.Type, key string) (reflect.StructField, bool) {
	name, ok := strings.CutSuffix(key, fileSuffix)
	if !ok {
		return reflect.StructField{}, false
	}
	f, ok := fieldNamed(t, name)
	return f, ok && f.Type == secretType
}

// keys are the names that a section of type t accepts.
func keys(t reflect.Type) []string {
	var names []string
	for _, f := range fields(t) {
		names = append(names, keyOf(f))
		if f.Type == secretType {
			names = append(names, keyOf(f)+fileSuffix)
		}
	}
	return names
}

// position is where key stands in a section; a secret's file stands with the secret.
func position(t reflect.Type, key string) int {
	all := fields(t)
	i := slices.IndexFunc(all, func(f reflect.StructField) bool {
		return keyOf(f) == key || f.Type == secretType && keyOf(f)+fileSuffix == key
	})
	if i < 0 {
		return len(all)
	}
	return i
}

// each calls visit for every setting in v, in order, sections aside: values, lists, and mappings
// by name, these before what they hold. visit may set them; v must be settable.
func each(at path, v reflect.Value, visit func(at path, v reflect.Value)) {
	if isSection(v.Type()) {
		for _, f := range fields(v.Type()) {
			each(at.key(keyOf(f)), v.FieldByIndex(f.Index), visit)
		}
		return
	}
	visit(at, v)
	if !isNamed(v.Type()) || v.Len() == 0 {
		return
	}
	visited := reflect.MakeMap(v.Type()) // v may be the defaults' own
	for _, name := range slices.Sorted(maps.Keys(namesIn(v))) {
		key := reflect.ValueOf(name)
		entry := reflect.New(v.Type().Elem()).Elem() // what a map holds cannot be set in place
		entry.Set(v.MapIndex(key))
		each(at.key(name), entry, visit)
		visited.SetMapIndex(key, entry)
	}
	v.Set(visited)
}

// isEmpty reports whether nothing in v is set: an empty list or mapping sets nothing.
func isEmpty(v reflect.Value) bool {
	switch t := v.Type(); {
	case isSection(t):
		return !slices.ContainsFunc(fields(t), func(f reflect.StructField) bool { return !isEmpty(v.FieldByIndex(f.Index)) })
	case isList(t) || t.Kind() == reflect.Map:
		return v.Len() == 0
	default:
		return v.IsZero()
	}
}

func namesIn(named reflect.Value) map[string]bool {
	names := map[string]bool{}
	for _, key := range named.MapKeys() {
		names[key.String()] = true
	}
	return names
}
