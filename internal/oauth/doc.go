// Package oauth is the public wire: the endpoints that clients call (RFC 6749, OpenID Connect
// Core, and the passwordless extensions of the system that Latchkey replaces), the reading of their
// requests and the one place where errors of the domain become errors of the protocol.
//
// No rule about people, codes or tokens lives here. Each handler parses, makes one call to a
// domain package, and renders.
package oauth
