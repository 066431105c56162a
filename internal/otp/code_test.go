package otp_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-id/latchkey/internal/otp"
)

func TestParseCode(t *testing.T) {
	for name, tc := range map[string]struct {
		typed string
		want  otp.Code // empty for ErrMalformedCode
	}{
		"six digits":                        {"123456", "123456"},
		"leading zeros":                     {"000007", "000007"},
		"spaces around":                     {"  123456\t\r\n", "123456"},
		"a no-break space around":           {"\u00a0123456\u3000", "123456"},
		"five digits":                       {"12345", ""},
		"seven digits":                      {"1234567", ""},
		"empty":                             {"", ""},
		"only spaces":                       {"      ", ""},
		"a space inside":                    {"123 456", ""},
		"six characters, one space":         {"12 456", ""},
		"a dash inside":                     {"123-456", ""},
		"NUL behind":                        {"123456\x00", ""},
		"NUL inside":                        {"12345\x00", ""},
		"Arabic digits":                     {"١٢٣٤٥٦", ""},
		"three Arabic digits are six bytes": {"١٢٣", ""},
		"full-width digits":                 {"１２３４５６", ""},
		"two full-width digits":             {"１２", ""},
		"a sign":                            {"+12345", ""},
		"minus":                             {"-12345", ""},
		"a letter":                          {"12345a", ""},
		"hexadecimal":                       {"0x1234", ""},
		"exponent":                          {"1e1000", ""},
		"underscore":                        {"12_456", ""},
		"a zero-width space around":         {"\u200b123456", ""},
		"not UTF-8":                         {"12345\xff", ""},
		"huge":                              {strings.Repeat("1", 1<<20), ""},
	} {
		t.Run(name, func(t *testing.T) {
			code, err := otp.ParseCode(tc.typed)
			require.Equal(t, string(tc.want), string(code))
			if tc.want == "" {
				require.ErrorIs(t, err, otp.ErrMalformedCode)
				require.NotContains(t, err.Error(), "123", "an error repeats no code")
				return
			}
			require.NoError(t, err)
		})
	}
}

func FuzzParseCode(f *testing.F) {
	for _, seed := range []string{"123456", " 000000 ", "12345", "١٢٣٤٥٦", "123456\x00"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, typed string) {
		code, err := otp.ParseCode(typed)
		if err != nil {
			require.Empty(t, string(code))
			return
		}
		require.Regexp(t, `\A[0-9]{6}\z`, string(code))
		require.Equal(t, strings.TrimSpace(typed), string(code))
	})
}

func TestACodeHidesFromFmt(t *testing.T) {
	const code otp.Code = "918273"
	pointer := new(otp.Code)
	*pointer = code
	values := map[string]any{
		"itself": code, "slice": []otp.Code{code}, "map": map[string]otp.Code{"a": code},
		"map key": map[otp.Code]int{code: 1}, "struct": otp.Started{ID: "id", Code: code},
		"pointer to struct": &otp.Started{Code: code}, "array": [1]otp.Code{code}, "any": []any{code},
	}
	for name, value := range values {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%8s", "%-20.3v", "% x"} {
			hides(t, name+" "+verb, fmt.Sprintf(verb, value))
		}
		hides(t, name, fmt.Sprint(value))
		hides(t, name, fmt.Sprintln(value))
	}
	hides(t, "error", fmt.Errorf("redeem %v: %w", code, otp.ErrInvalidCode).Error())
	hides(t, "dereferenced", fmt.Sprint(*pointer))
}

// hides looks for the code 918273, as digits and in hexadecimal.
func hides(t *testing.T, name, printed string) {
	t.Helper()
	for _, form := range []string{"918273", "393138323733", "39 31 38"} {
		require.NotContains(t, printed, form, name)
	}
}

func TestACodeHidesFromLogs(t *testing.T) {
	const code otp.Code = "918273"
	for name, handler := range map[string]func(*bytes.Buffer) slog.Handler{
		"text": func(b *bytes.Buffer) slog.Handler { return slog.NewTextHandler(b, nil) },
		"json": func(b *bytes.Buffer) slog.Handler { return slog.NewJSONHandler(b, nil) },
	} {
		t.Run(name, func(t *testing.T) {
			var written bytes.Buffer
			log := slog.New(handler(&written))
			log.Info("itself", "code", code)
			log.Info("any", slog.Any("code", code))
			log.Info("in a group", slog.Group("sign-in", "code", code))
			log.With("code", code).WithGroup("g").Info("with", "code", code)
			require.Equal(t, 4, strings.Count(written.String(), "\n"))
			require.GreaterOrEqual(t, strings.Count(written.String(), "******"), 5)
			hides(t, name, written.String())
		})
	}
}

func TestACodeHidesFromJSON(t *testing.T) {
	started := otp.Started{ID: "id", Code: "918273"}
	var b bytes.Buffer
	slog.New(slog.NewJSONHandler(&b, nil)).Info("started", "challenge", started)
	hides(t, "slog", b.String())
	text, err := json.Marshal(started)
	require.NoError(t, err)
	hides(t, "json", string(text))
}
