package twilio_test

import (
	"testing"

	"github.com/latchkey-id/latchkey/internal/sms"
	"github.com/latchkey-id/latchkey/internal/sms/twilio"
)

// table is twilio/README 4.
var table = map[sms.Class][]int{
	sms.NumberPermanent: {21211, 21217, 21614, 21635, 30005, 30006, 30038, 63024, 21214},
	sms.OptedOut:        {21610},
	sms.NumberTemporary: {30003, 30004, 30008, 30017},
	sms.RiskBlocked:     {30450, 60410, 60605},
	sms.OurConfig: {20003, 20404, 20008, 21408, 21608, 21212, 21603, 21606, 21659, 21660, 21701, 21703, 21704,
		21705, 21709, 21711, 21612, 21602, 21617, 90007, 30045, 21609, 30029, 30030, 30002, 30007, 30018, 30024,
		30032, 30033, 30034, 30035},
	sms.Rate:     {20429, 21611, 30001, 30022, 30023, 30027, 63018, 63038, 60728},
	sms.Provider: {30021, 30410},
	sms.Late:     {30036},
}

func TestClassOf(t *testing.T) {
	for class, codes := range table {
		for _, code := range codes {
			if got, known := twilio.ClassOf(code); got != class || !known {
				t.Errorf("ClassOf(%d) = %q, %t; want %s", code, got, known, class)
			}
		}
	}
	if got, known := twilio.ClassOf(12345); got != "" || known {
		t.Errorf("ClassOf of an unknown code = %q, %t", got, known)
	}
}
