package ops

import "github.com/prometheus/client_golang/prometheus"

// keyCollector tells of signing keys what it hears when it is asked: labels come and go with algorithms.
type keyCollector struct {
	watched                        Watched
	age, rotation, behind, failure *prometheus.Desc
}

func newKeyCollector(watched Watched) *keyCollector {
	algorithm := []string{"algorithm"}
	return &keyCollector{
		watched: watched,
		age: prometheus.NewDesc("latchkey_signing_key_age_seconds",
			"For how long the current key has signed.", algorithm, nil),
		rotation: prometheus.NewDesc("latchkey_signing_key_rotation_seconds",
			"In how long the next key takes over; negative if that is overdue, absent if it is done by hand.", algorithm, nil),
		behind: prometheus.NewDesc("latchkey_verifiers_behind",
			"Verifiers seen not long ago that have not fetched the next key.", algorithm, nil),
		failure: prometheus.NewDesc("latchkey_key_rotation_failures_total",
			"How often this replica could not do what was due with a signing key.", nil, nil),
	}
}

// Describe implements prometheus.Collector.
func (c *keyCollector) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{c.age, c.rotation, c.behind, c.failure} {
		out <- d
	}
}

// Collect implements prometheus.Collector.
func (c *keyCollector) Collect(out chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, value float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, labels...)
	}
	for _, k := range c.watched.Keys() {
		gauge(c.age, k.Age.Seconds(), k.Algorithm)
		if !k.Never {
			gauge(c.rotation, k.Rotates.Seconds(), k.Algorithm)
		}
	}
	for algorithm, n := range c.watched.VerifiersBehind() {
		gauge(c.behind, float64(n), algorithm)
	}
	out <- prometheus.MustNewConstMetric(c.failure, prometheus.CounterValue, float64(c.watched.KeyFailures()))
}
