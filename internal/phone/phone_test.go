package phone_test

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/latchkey-id/latchkey/internal/phone"
)

func TestParse(t *testing.T) {
	for _, tc := range []struct {
		name, region, raw string
		want              string
		err               error
	}{
		{"E.164", "", "+447400123456", "+447400123456", nil},
		{"spaces and brackets", "", "+44 (0)7400 123-456", "+447400123456", nil},
		{"00 prefix", "GB", "00447400123456", "+447400123456", nil},
		{"00 prefix without region", "", "0049 1512 3456789", "+4915123456789", nil},
		{"00 prefix in a region that dials 011", "US", "00447400123456", "+447400123456", nil},
		{"national with leading zero", "GB", "07400 123456", "+447400123456", nil},
		{"US is fixed or mobile", "US", "(415) 555-2671", "+14155552671", nil},
		{"outer space", "GB", "\t 07400123456 \n", "+447400123456", nil},
		{"Arabic-Indic digits", "", "+٤٤٧٤٠٠١٢٣٤٥٦", "+447400123456", nil},
		{"full-width plus", "", "＋447400123456", "+447400123456", nil},
		{"UK drama number", "", "+447700900123", "+447700900123", nil},
		{"US film number", "", "+1 202 555 0142", "+12025550142", nil},

		{"empty", "GB", "", "", phone.ErrNotANumber},
		{"words", "GB", "my phone", "", phone.ErrNotANumber},
		{"vanity", "US", "1-800-FLOWERS", "", phone.ErrNotANumber},
		{"spreadsheet", "GB", "4.4740E+11", "", phone.ErrNotANumber},
		{"huge", "GB", strings.Repeat("1", 1<<20), "", phone.ErrNotANumber},
		{"invalid UTF-8", "GB", "+4474001234\xff6", "", phone.ErrNotANumber},
		{"NUL", "GB", "\x00", "", phone.ErrNotANumber},
		{"no region", "", "07400123456", "", phone.ErrNoRegion},
		{"unassigned country", "", "+999123456789", "", phone.ErrNotANumber},
		{"too short", "", "+4474001", "", phone.ErrImpossible},
		{"landline", "", "+442071838750", "", phone.ErrNotMobile},
		{"premium rate", "", "+449098790000", "", phone.ErrNotMobile},
		{"toll-free", "", "+448081570000", "", phone.ErrNotMobile},
		{"extension", "", "+447400123456;ext=3", "", phone.ErrNotANumber},
		{"extension by sign", "", "+447400123456#3", "", phone.ErrNotMobile},
		{"old Mexican mobile prefix", "", "+5215512345678", "", phone.ErrImpossible},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := phone.Parser{Region: tc.region, AllowFictional: true}.Parse(tc.raw)
			if !errors.Is(err, tc.err) || got.E164() != tc.want {
				t.Errorf("Parse = %s, %v; want %s, %v", got.E164(), err, tc.want, tc.err)
			}
		})
	}
}

func TestFictionalNumbersNeedTheSetting(t *testing.T) {
	if got, err := (phone.Parser{}).Parse("+447700900123"); !errors.Is(err, phone.ErrImpossible) {
		t.Errorf("Parse = %s, %v; want %v", got.E164(), err, phone.ErrImpossible)
	}
}

func TestNumberMasksItself(t *testing.T) {
	n, err := phone.Parser{AllowFictional: true}.Parse("+447700900123")
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	slog.New(slog.NewJSONHandler(&out, nil)).Info("sent", "to", n, "in", struct{ N phone.Number }{n})
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		_, _ = fmt.Fprintf(&out, verb+verb, n, &n)
		_, _ = fmt.Fprintf(&out, verb, []phone.Number{n})
	}
	_, _ = fmt.Fprintln(&out, fmt.Errorf("send to %v", n))
	if strings.Contains(out.String(), "900123") || !strings.Contains(out.String(), "***123") {
		t.Errorf("number not masked: %s", out.String())
	}
}

func TestStored(t *testing.T) {
	for _, bad := range []string{"", "447700900123", "+", "+44 7700", "+4477009001234567", "+44x700900123"} {
		if _, err := phone.Stored(bad); err == nil {
			t.Errorf("Stored(%q) gave no error", bad)
		}
	}
	if n, err := phone.Stored("+447700900123"); err != nil || n.E164() != "+447700900123" {
		t.Errorf("Stored = %v, %v", n.E164(), err)
	}
}

// FuzzParse holds that whatever parses is canonical: parsing the result again changes nothing.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{"+447700900123", "0044 7400 123456", "(415) 555-2671", "٠٧٤٠٠", "+", "00", "+1;ext=2"} {
		f.Add(seed, "GB")
		f.Add(seed, "")
	}
	f.Fuzz(func(t *testing.T, raw, region string) {
		p := phone.Parser{Region: region, AllowFictional: true}
		n, err := p.Parse(raw)
		if err != nil {
			return
		}
		again, err := p.Parse(n.E164())
		if err != nil || again != n {
			t.Errorf("Parse(%q) = %s, which parses as %s, %v", raw, n.E164(), again.E164(), err)
		}
		if _, err := phone.Stored(n.E164()); err != nil {
			t.Errorf("Parse(%q) = %s, which cannot be stored", raw, n.E164())
		}
	})
}
