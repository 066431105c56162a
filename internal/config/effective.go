package config

import (
	"fmt"
	"io"
	"maps"
	"net/netip"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// Effective writes the settings in force to w as YAML, secrets as "********", and behind each that
// is not a default where it came from.
func (c Config) Effective(w io.Writer) error {
	p := printer{origins: c.origins}
	p.section(nil, reflect.ValueOf(c), "")
	return p.flush(w)
}

// printer gathers lines, so that their comments can be aligned.
type printer struct {
	origins origins
	lines   []printedLine
	// byName is set within an entry of a mapping by name: of the sections that exclude one another there,
	// such as a provider's, only those in use are shown.
	byName bool
}

type printedLine struct {
	text   string
	origin Origin
}

// commentColumn keeps one long line from pushing every comment off the screen.
const commentColumn = 64

func (p *printer) flush(w io.Writer) error {
	column := 0
	for _, l := range p.lines {
		if width := utf8.RuneCountInString(l.text); width <= commentColumn {
			column = max(column, width)
		}
	}
	var out strings.Builder
	for _, l := range p.lines {
		if l.origin.IsZero() {
			fmt.Fprintln(&out, l.text)
		} else {
			fmt.Fprintf(&out, "%-*s  # %s\n", column, l.text, l.origin)
		}
	}
	_, err := io.WriteString(w, out.String())
	return err
}

func (p *printer) add(at path, text string) {
	p.lines = append(p.lines, printedLine{text, p.origins[at.String()]})
}

func (p *printer) section(at path, v reflect.Value, indent string) {
	for _, f := range fields(v.Type()) {
		if p.byName && isSection(f.Type) && isEmpty(v.FieldByIndex(f.Index)) {
			continue
		}
		if secret, ok := v.FieldByIndex(f.Index).Interface().(Secret); ok && secret.IsZero() { // "" would not load
			p.add(at.key(keyOf(f)), indent+"#"+keyOf(f)+": not set")
			continue
		}
		p.setting(at.key(keyOf(f)), indent+keyOf(f)+":", v.FieldByIndex(f.Index), indent)
	}
}

// setting prints v behind label: on the same line if it is one value, below it if it is more.
func (p *printer) setting(at path, label string, v reflect.Value, indent string) {
	switch t := v.Type(); {
	case isSection(t):
		p.add(at, label)
		p.section(at, v, indent+"  ")
	case isNamed(t) && v.Len() > 0:
		p.add(at, label)
		outer := p.byName
		p.byName = true
		for _, name := range slices.Sorted(maps.Keys(namesIn(v))) {
			p.setting(at.key(name), indent+"  "+plain(name)+":", v.MapIndex(reflect.ValueOf(name)), indent+"  ")
		}
		p.byName = outer
	case isList(t) && isSection(t.Elem()) && v.Len() > 0:
		p.add(at, label)
		p.sections(at, v, indent)
	default:
		p.add(at, label+" "+inline(v))
	}
}

// sections prints a list of sections. Only the list itself says where it came from: its items
// cannot come from anywhere else.
func (p *printer) sections(at path, v reflect.Value, indent string) {
	for i := range v.Len() {
		quiet := printer{}
		quiet.section(at.index(i), v.Index(i), indent+"    ")
		first := &quiet.lines[0].text
		*first = indent + "  - " + strings.TrimLeft(*first, " ")
		p.lines = append(p.lines, quiet.lines...)
	}
}

// inline renders a value, a list of values, or a mapping to lists on one line.
func inline(v reflect.Value) string {
	switch value := v.Interface().(type) {
	case Secret:
		return strconv.Quote(value.String())
	case time.Duration:
		return shortDuration(value)
	case netip.Prefix:
		return plain(value.String())
	case string:
		return plain(value)
	}
	var parts []string
	switch {
	case isList(v.Type()):
		for i := range v.Len() {
			parts = append(parts, inline(v.Index(i)))
		}
		return "[" + strings.Join(parts, ", ") + "]"
	case v.Kind() == reflect.Map:
		for _, name := range slices.Sorted(maps.Keys(namesIn(v))) {
			parts = append(parts, plain(name)+": "+inline(v.MapIndex(reflect.ValueOf(name))))
		}
		return "{" + strings.Join(parts, ", ") + "}"
	default:
		return fmt.Sprint(v.Interface())
	}
}

// shortDuration writes "15m", not "15m0s".
func shortDuration(d time.Duration) string {
	text := d.String()
	if s, ok := strings.CutSuffix(text, "m0s"); ok {
		text = s + "m"
	}
	if s, ok := strings.CutSuffix(text, "h0m"); ok {
		text = s + "h"
	}
	return text
}

var needsNoQuotes = regexp.MustCompile(`^[A-Za-z0-9/_.~-]([A-Za-z0-9/_.:@+~-]*[A-Za-z0-9/_.@+~-])?$`)

// plain quotes s where YAML would take it for something else than a text.
func plain(s string) string {
	node := yaml.Node{Kind: yaml.ScalarNode, Value: s}
	if needsNoQuotes.MatchString(s) && node.ShortTag() == "!!str" && !strings.HasPrefix(s, "-") {
		return s
	}
	return strconv.Quote(s)
}
