package ops

import (
	"github.com/prometheus/client_golang/prometheus"
)

// Spending is what texts cost today, as last read.
type Spending struct {
	// Spent and Budget are in whole units of the price list's currency.
	Spent, Budget float64
}

// Breaker is one way to send texts that is switched off because it failed.
type Breaker struct {
	// Country is empty for the whole provider.
	Provider, Country string
}

// limitMetrics count what limits decide and what becomes of texts.
type limitMetrics struct {
	decisions  *prometheus.CounterVec
	alarms     *prometheus.CounterVec
	deliveries *prometheus.CounterVec
}

func newLimitMetrics() limitMetrics {
	return limitMetrics{
		decisions: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "latchkey_limit_decisions_total",
			Help: "Requests and texts that reached a rule, by what it did: refused, withheld, or recorded only.",
		}, []string{"rule", "door", "outcome"}),
		alarms: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "latchkey_alarms_total", Help: "What an operator should look at, by kind.",
		}, []string{"alarm"}),
		deliveries: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "latchkey_sms_deliveries_total", Help: "News of texts from their providers, by country and status.",
		}, []string{"country", "status"}),
	}
}

func (m limitMetrics) register(r *prometheus.Registry) {
	r.MustRegister(m.decisions, m.alarms, m.deliveries)
}

// Limited counts a decision of a rule.
func (m limitMetrics) Limited(rule, door, outcome string) {
	m.decisions.WithLabelValues(rule, door, outcome).Inc()
}

// Alarm counts an alarm.
func (m limitMetrics) Alarm(kind string) { m.alarms.WithLabelValues(kind).Inc() }

// Delivery counts a piece of news of a text.
func (m limitMetrics) Delivery(country, status string) {
	m.deliveries.WithLabelValues(country, status).Inc()
}

var (
	spentDesc = prometheus.NewDesc("latchkey_sms_spent",
		"What today's texts (UTC) cost by the price list, in its currency.", nil, nil)
	budgetDesc = prometheus.NewDesc("latchkey_sms_budget",
		"What a day's texts may cost before some are withheld, in the currency of the price list.", nil, nil)
	breakerDesc = prometheus.NewDesc("latchkey_sms_breaker_open",
		"1 for each provider, or provider and country, to which this replica hands no texts for a while.",
		[]string{"provider", "country"}, nil)
)

// smsCollector asks when metrics are read.
type smsCollector struct{ watched Watched }

func (c smsCollector) Describe(to chan<- *prometheus.Desc) {
	to <- spentDesc
	to <- budgetDesc
	to <- breakerDesc
}

func (c smsCollector) Collect(to chan<- prometheus.Metric) {
	spending := c.watched.Spending()
	to <- prometheus.MustNewConstMetric(spentDesc, prometheus.GaugeValue, spending.Spent)
	to <- prometheus.MustNewConstMetric(budgetDesc, prometheus.GaugeValue, spending.Budget)
	for _, each := range c.watched.Breakers() {
		to <- prometheus.MustNewConstMetric(breakerDesc, prometheus.GaugeValue, 1, each.Provider, each.Country)
	}
}
