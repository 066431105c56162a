package config

import (
	"bytes"
	"errors"
	"io"
	"iter"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// parse reads data, the text of the setting at, as at most one YAML document. It reports what is
// wrong, and returns false if there is nothing to decode.
func (d *decoder) parse(at path, data []byte) (*yaml.Node, bool) {
	if len(data) > maxFileSize {
		d.report.broken(at, d.origin, "larger than 1 MiB: this is not a settings file")
		return nil, false
	}
	stream := yaml.NewDecoder(bytes.NewReader(data))
	var document, second yaml.Node
	switch err := stream.Decode(&document); {
	case errors.Is(err, io.EOF):
		return nil, false
	case err != nil:
		d.syntaxError(at, err)
		return nil, false
	}
	switch err := stream.Decode(&second); {
	case err == nil:
		d.report.broken(at, d.originOf(&second), "a second document begins here: want one, without a line ---")
		return nil, false
	case !errors.Is(err, io.EOF):
		d.syntaxError(at, err)
		return nil, false
	}
	return document.Content[0], true
}

var syntaxMessage = regexp.MustCompile("^yaml: (?:line ([0-9]+): )?([^`]*)$")

// syntaxError reports err of the YAML parser. Two of its messages quote the file, where a secret
// that begins with * looks like an alias: these are put in our words.
func (d *decoder) syntaxError(at path, err error) {
	message := "is not valid YAML: look for wrong indentation, or a text that needs quotes"
	origin := d.origin
	if m := syntaxMessage.FindStringSubmatch(err.Error()); m != nil {
		origin.Line, _ = strconv.Atoi(m[1])
		if strings.HasPrefix(m[2], "unknown anchor") {
			message = `a text that begins with * needs quotes; aliases (*name) are not supported`
		} else {
			// The parser knows at times only where the section begins.
			message = "is not valid YAML, here or below: " + m[2]
		}
	}
	d.report.broken(at, origin, message)
}

// pairs yields the keys of a mapping with their values, and reports a key given twice.
func (d *decoder) pairs(at path, mapping *yaml.Node) iter.Seq2[string, *yaml.Node] {
	return func(yield func(string, *yaml.Node) bool) {
		seen := map[string]bool{}
		for i := 0; i+1 < len(mapping.Content); i += 2 {
			key, value := mapping.Content[i], mapping.Content[i+1]
			switch {
			case key.Kind != yaml.ScalarNode:
				d.fail(at.key(""), key, "want a plain name before the colon")
			case seen[key.Value]:
				d.fail(at.key(key.Value), key, "given twice: keep one")
			default:
				seen[key.Value] = true
				value.Line = key.Line // where an operator looks for the setting
				if !yield(key.Value, value) {
					return
				}
			}
		}
	}
}

func isNull(node *yaml.Node) bool { return node.Kind == yaml.ScalarNode && node.ShortTag() == "!!null" }
