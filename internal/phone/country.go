package phone

import "github.com/nyaruka/phonenumbers"

// world is the library's region of calling codes that no country has, such as those of satellites.
const world = "001"

// Country returns the ISO 3166-1 alpha-2 country of the number, or "" where the numbering plans that
// we know leave it open: such a number is in no list of allowed countries. Countries that share a
// calling code are told apart (+1 416 is Canada's, +1 212 the United States'). It takes some 20 µs.
func (n Number) Country() string {
	if n.e164 == "" {
		return ""
	}
	parsed, err := phonenumbers.Parse(n.e164, "")
	if err != nil {
		return ""
	}
	country := phonenumbers.GetRegionCodeForNumber(parsed)
	if country == "" && fictional(n.e164) {
		// Set aside by the regulator of the calling code's main country.
		country = phonenumbers.GetRegionCodeForCountryCode(int(parsed.GetCountryCode()))
	}
	if country == world {
		return ""
	}
	return country
}
