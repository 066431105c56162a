package config

import (
	"errors"
	"math/big"
	"reflect"
	"regexp"
	"strings"
)

// Decimal is a number of up to six decimals, kept exactly, in millionths: money, or a percentage.
type Decimal int64

const millionths = 1_000_000

var decimalShape = regexp.MustCompile(`^[0-9]{1,9}(\.[0-9]{1,6})?$`)

// parseDecimal reads a number such as 0.0463.
func parseDecimal(text string) (Decimal, error) {
	if !decimalShape.MatchString(text) { // before big.Rat sees it: 1e999999999 takes long
		return 0, errors.New(want(reflect.TypeFor[Decimal]()))
	}
	exact, _ := new(big.Rat).SetString(text)
	exact.Mul(exact, big.NewRat(millionths, 1))
	return Decimal(exact.Num().Int64()), nil
}

// String is the shortest decimal notation.
func (d Decimal) String() string {
	text := big.NewRat(int64(d), millionths).FloatString(6)
	return strings.TrimSuffix(strings.TrimRight(text, "0"), ".")
}

// MarshalText writes d as String does.
func (d Decimal) MarshalText() ([]byte, error) { return []byte(d.String()), nil }
