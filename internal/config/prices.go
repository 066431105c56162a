package config

// pricesCurrency is that of defaultPrices.
const pricesCurrency = "USD"

// defaultPrices are roughly what providers list for a segment to a mobile phone, in dollars, rounded up. They
// keep the day's budget (M6) honest until somebody enters what their own contract says.
func defaultPrices() map[string]Decimal {
	return map[string]Decimal{
		"AE": 110_000, "AT": 100_000, "AU": 52_000, "BE": 110_000, "BR": 62_000, "CA": 9_000,
		"CH": 76_000, "CN": 65_000, "CZ": 62_000, "DE": 110_000, "DK": 56_000, "ES": 80_000,
		"FI": 85_000, "FR": 80_000, "GB": 53_000, "IE": 88_000, "IN": 84_000, "IT": 93_000,
		"JP": 88_000, "MX": 60_000, "NL": 110_000, "NO": 75_000, "NZ": 110_000, "PL": 47_000,
		"PT": 60_000, "SA": 200_000, "SE": 60_000, "SG": 56_000, "US": 9_000, "ZA": 110_000,
	}
}
