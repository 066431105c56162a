package gateway

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// The examples of RFC 6901 §5, as far as they lead to a text, number or boolean.
func TestPointer(t *testing.T) {
	t.Parallel()
	document := []byte(`{"foo":["bar","baz"],"":0,"a/b":1,"c%d":2,"e^f":3,"g|h":4,"i\\j":5,"k\"l":6," ":7,"m~n":8,"yes":true,"null":null}`)
	for pointer, want := range map[string]string{
		"/foo/0": "bar", "/foo/1": "baz", "/": "0", "/a~1b": "1", "/c%d": "2", "/e^f": "3", "/g|h": "4", `/i\j`: "5",
		`/k"l`: "6", "/ ": "7", "/m~0n": "8", "/yes": "true",
	} {
		got, ok := at(document, pointer)
		require.True(t, ok, pointer)
		require.Equal(t, want, got, pointer)
	}
	for _, pointer := range []string{"/foo", "/foo/2", "/foo/-1", "/foo/x", "/foo/0/0", "/null", "/null/x", "/nothing", ""} {
		_, ok := at(document, pointer)
		require.False(t, ok, pointer)
	}
}
