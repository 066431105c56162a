package phone

import (
	"slices"
	"sync"

	"github.com/nyaruka/phonenumbers"
)

// world is the library's region of calling codes that no country has, such as those of satellites.
const world = "001"

// Country returns the ISO 3166-1 alpha-2 country of the number, or "" where the numbering plans that
// we know leave it open: such a number is in no list of allowed countries. Countries that share a
// calling code are told apart (+1 416 is Canada's, +1 212 the United States').
func (n Number) Country() string {
	if n.e164 == "" {
		return ""
	}
	if known := countries.of(n.e164); known != "" {
		return known
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
	countries.remember(n.e164, int(parsed.GetCountryCode()), country)
	return country
}

// countries saves asking the library again, which takes some 20 µs, for each number with the same
// beginning.
var countries memory

const (
	// deciding is how long a beginning tells the country, the plus included, where rememberable
	// says that it does.
	deciding = len("+44770090")
	// maxRemembered bounds the memory, which callers choose the numbers of.
	maxRemembered = 20_000
)

// rememberable are the calling codes of several countries that the first eight digits tell apart. Those
// of one country are rememberable too; the rest (+590, +262, +61 …) are asked after each time.
var rememberable = []int{1, 7, 44}

type memory struct {
	mu    sync.RWMutex
	known map[string]string
}

func (m *memory) of(e164 string) string {
	if len(e164) < deciding {
		return ""
	}
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.known[e164[:deciding]]
}

func (m *memory) remember(e164 string, callingCode int, country string) {
	alone := len(phonenumbers.GetRegionCodesForCountryCode(callingCode)) == 1
	if country == "" || len(e164) < deciding || !alone && !slices.Contains(rememberable, callingCode) {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.known == nil {
		m.known = map[string]string{}
	}
	if len(m.known) < maxRemembered {
		m.known[e164[:deciding]] = country
	}
}
