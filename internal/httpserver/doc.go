// Package httpserver owns what every listener has in common: request ids, one log line a request,
// panics turned into a bare 500, limits of time and size, where a request comes from, and a start
// and stop that lose nothing. It knows no route and no error's shape: those are the edges'.
package httpserver
