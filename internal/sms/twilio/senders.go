package twilio

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/latchkey-id/latchkey/internal/phone"
)

// noNames are countries whose networks take no names as senders (twilio/README 7).
var noNames = []string{"US", "CA", "PR"}

// checkSenders returns every mistake in the senders by country.
func (o Options) checkSenders() error {
	var errs []error
	for _, country := range slices.Sorted(maps.Keys(o.Senders)) {
		at, sender := fmt.Sprintf("%s.senders.%s", o.Path, country), o.Senders[country]
		switch {
		case !phone.KnownRegion(country):
			errs = append(errs, fmt.Errorf("%s.senders: %q is no country: want its two capital letters, such as GB", o.Path, country))
		case isNumber(sender):
		case !isName(sender):
			errs = append(errs, fmt.Errorf("%s: %s", at, wantSender))
		case slices.Contains(noNames, country):
			errs = append(errs, fmt.Errorf("%s: networks there take no names: set a registered number or a short code", at))
		}
	}
	return errors.Join(errs...)
}
