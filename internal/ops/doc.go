// Package ops is the listener for machines that run Latchkey: whether the process lives, whether
// it can serve, and its metrics. It holds nothing of people: no number, no name, in any label.
package ops
