package spend

import (
	"fmt"
	"strings"
)

// Micros is an amount of money in millionths of the price list's currency.
type Micros int64

// String is the amount in whole units of the currency, "0.0079" or "20.00".
func (m Micros) String() string {
	sign := ""
	if m < 0 {
		sign, m = "-", -m
	}
	fraction := fmt.Sprintf("%06d", m%1e6)
	return fmt.Sprintf("%s%d.%s%s", sign, m/1e6, fraction[:2], strings.TrimRight(fraction[2:], "0"))
}

// Prices is what one segment of a text costs, by ISO 3166-1 alpha-2 country.
type Prices struct {
	// Currency is an ISO 4217 code; it is only shown.
	Currency string
	// Default is for countries that are not listed. Too high is safer than too low.
	Default   Micros
	ByCountry map[string]Micros
}

// Of returns the price of a text to country; one of less than a segment costs a whole one.
func (p Prices) Of(country string, segments int) Micros {
	price, listed := p.ByCountry[country]
	if !listed {
		price = p.Default
	}
	return price * Micros(max(1, segments))
}
