package ops

import (
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/latchkey-id/latchkey/internal/keyring"
)

// Metrics are what the parts count. Labels are of few values: routes, statuses, classes of error.
type Metrics struct {
	Registry *prometheus.Registry
	requests *prometheus.HistogramVec
	texts    *prometheus.CounterVec
	limitMetrics
}

// Watched are what metrics ask when they are read.
type Watched struct {
	// Queued is the length of the queue of texts, ListAge how long ago the status lists were last
	// brought up to date.
	Queued  func() int
	ListAge func() time.Duration
	// Keys are the signing keys by algorithm, KeyFailures how often a change of them was due and
	// failed, VerifiersBehind how many verifiers lack the next key of an algorithm.
	Keys            func() []keyring.Standing
	KeyFailures     func() int64
	VerifiersBehind func() map[string]int
	// Spending is what texts cost today, Breakers are those that are open.
	Spending func() Spending
	Breakers func() []Breaker
}

// NewMetrics returns metrics in a registry of their own.
func NewMetrics(watched Watched) *Metrics {
	m := &Metrics{
		Registry:     prometheus.NewRegistry(),
		limitMetrics: newLimitMetrics(),
		requests: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "latchkey_http_request_duration_seconds", Help: "Requests by listener, route and status.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 10},
		}, []string{"listener", "route", "method", "status"}),
		texts: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "latchkey_sms_total", Help: "Texts by country and by what became of them: accepted by a provider, or the class of failure.",
		}, []string{"country", "result"}),
	}
	m.register(m.Registry)
	m.Registry.MustRegister(m.requests, m.texts, collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "latchkey_sms_queue_length", Help: "Texts that wait to be handed to the provider.",
		}, func() float64 { return float64(watched.Queued()) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "latchkey_status_list_age_seconds", Help: "How long ago revocations were last read into the status lists.",
		}, func() float64 { return watched.ListAge().Seconds() }),
		newKeyCollector(watched), smsCollector{watched})
	return m
}

// Observe returns what httpserver calls for each request of a listener.
func (m *Metrics) Observe(listener string) func(route, method string, status int, took time.Duration) {
	return func(route, method string, status int, took time.Duration) {
		m.requests.WithLabelValues(listener, route, knownMethod(method), strconv.Itoa(status)).Observe(took.Seconds())
	}
}

// Text counts a text by country (ISO 3166) and result.
func (m *Metrics) Text(country, result string) { m.texts.WithLabelValues(country, result).Inc() }

// knownMethod keeps a caller from making labels of its own.
func knownMethod(method string) string {
	switch method {
	case "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS":
		return method
	}
	return "other"
}
