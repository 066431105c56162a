// Package browsertest opens pages in a real Chromium for tests: a browser of its own per test,
// with an empty profile, that talks to nobody but the server under test.
//
// A page that throws, or that its own content security policy stops, fails the test: both are
// defects that a person would meet as a dead button.
package browsertest
