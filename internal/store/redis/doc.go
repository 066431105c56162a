// Package redis keeps what expires by itself, challenges and their counts, remembers beside the record
// which signing keys matter, and passes on wakes between replicas. It works on a single Redis 7, on Sentinel, on Cluster and on the in-process engine of dev alike: each script's keys
// share a hash tag, so they lie in one slot.
//
// Losing all of it costs people a new text and never an account. A Redis that cannot be reached is
// an outage.Error: nothing here ever answers "allowed" for want of an answer.
package redis
