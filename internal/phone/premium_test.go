package phone_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-id/latchkey/internal/phone"
)

// No text ever goes to a range that costs its caller more, or that nobody can read it on (M8).
func TestRangesThatAreNeverTexted(t *testing.T) {
	for name, number := range map[string]string{
		"premium rate, Britain":        "+449098790000",
		"premium rate, United States":  "+19002345678",
		"premium rate, Germany":        "+499001234567",
		"premium rate, international":  "+979123456789",
		"shared cost, Britain":         "+448431234567",
		"shared cost, Germany":         "+491801234567",
		"shared cost, international":   "+80812345678",
		"toll-free, Britain":           "+448001234567",
		"toll-free, United States":     "+18002345678",
		"toll-free, international":     "+80012345678",
		"pager, Britain":               "+447640123456",
		"personal number, Britain":     "+447012345678",
		"voicemail, Germany":           "+49177991234567",
		"company-wide number, Britain": "+445512345678",
		"VoIP, Britain":                "+445612345678",
		"unassigned, Britain":          "+447000000000",
		"unassigned, United States":    "+11112345678",
		"short code":                   "+44999",
	} {
		t.Run(name, func(t *testing.T) {
			_, err := phone.Parser{}.Parse(number)
			require.Error(t, err)
		})
	}
}
