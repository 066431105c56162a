package oauth_test

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// malformed is the code for a request whose form is wrong.
func malformed(path string) string {
	if path == startPath {
		return "bad.request"
	}
	return "invalid_request"
}

// refused checks that body is answered so and has not reached the domain.
func (s *testServer) refused(t *testing.T, path, media, body string, status int) {
	t.Helper()
	s.forget()
	requireError(t, s.post(t, path, media, body), status, malformed(path), "")
	require.Zero(t, s.calls())
}

func TestMediaTypes(t *testing.T) {
	s := serve(t)
	for _, tc := range []struct {
		media  string
		form   bool
		status int
	}{
		{"application/json", false, 200},
		{"application/json;charset=UTF-8", false, 200},
		{"application/json; charset=utf-8", false, 200},
		{"application/json;", false, 200},
		{"Application/JSON", false, 200},
		{"application/x-www-form-urlencoded", true, 200},
		{"application/x-www-form-urlencoded;charset=UTF-8", true, 200},
		{"application/x-www-form-urlencoded; charset=utf-8", true, 200},
		{"APPLICATION/X-WWW-FORM-URLENCODED", true, 200},
		{"application/json", true, 400},
		{"application/x-www-form-urlencoded", false, 400},
		{"text/plain", false, 415},
		{"text/plain;charset=UTF-8", true, 415},
		{"application/xml", false, 415},
		{"application/problem+json", false, 415},
		{"application/jsonp", false, 415},
		{"*/*", false, 415},
		{"json", false, 415},
		{"multipart/form-data; boundary=x", true, 415},
		{"", false, 415},
	} {
		for path, good := range doors {
			t.Run(fmt.Sprintf("%s form=%v%s", tc.media, tc.form, path), func(t *testing.T) {
				body := good.json(t)
				if tc.form {
					body = good.form()
				}
				if tc.status != 200 {
					s.refused(t, path, tc.media, body, tc.status)
					return
				}
				a := s.post(t, path, tc.media, body)
				require.Equal(t, 200, a.status, a.body)
				requireJSON(t, a)
			})
		}
	}
}

// Contract 3 lists "no body" with what is 400 bad.request.
func TestNoBody(t *testing.T) {
	s := serve(t)
	for path := range doors {
		for _, media := range []string{jsonType, formType} {
			t.Run(path+" "+media, func(t *testing.T) { s.refused(t, path, media, "", 400) })
		}
	}
	t.Run("nor a type", func(t *testing.T) { s.refused(t, startPath, "", "", 400) })
}

func TestMalformedBodies(t *testing.T) {
	s := serve(t)
	for path, good := range doors {
		right := good.json(t)
		for name, body := range map[string]string{
			"array":                "[" + right + "]",
			"string":               `"client_id=app"`,
			"number":               "1",
			"null":                 "null",
			"true":                 "true",
			"open":                 strings.TrimSuffix(right, "}"),
			"open string":          `{"client_id":"app`,
			"no value":             `{"client_id"}`,
			"no colon":             `{"client_id" "app"}`,
			"trailing comma":       strings.TrimSuffix(right, "}") + ",}",
			"bare name":            `{client_id:"app"}`,
			"single quotes":        `{'client_id':'app'}`,
			"comment":              "/**/" + right,
			"byte order mark":      "\xef\xbb\xbf" + right,
			"two objects":          right + right,
			"trailing text":        right + " x",
			"trailing brace":       right + "}",
			"trailing comma after": right + ",",
			"wrong closing":        strings.TrimSuffix(right, "}") + "]",
			"invalid UTF-8":        strings.Replace(right, `"client_id":"`, "\"x\":\"\xff\",\"client_id\":\"", 1),
			"UTF-16":               "\xff\xfe{\x00}\x00",
			"NUL":                  "\x00" + right,
			"raw control":          strings.Replace(right, `"client_id":"`, "\"client_id\":\"\x01", 1),
		} {
			t.Run("JSON "+name+path, func(t *testing.T) { s.refused(t, path, jsonType, body, 400) })
		}
		for name, body := range map[string]string{
			"half an escape":              good.form() + "&x=%",
			"no hex":                      good.form() + "&x=%zz",
			"invalid UTF-8":               good.form() + "&x=\xff",
			"escaped invalid UTF-8":       good.form() + "&x=%ff",
			"escaped invalid UTF-8 name":  good.form() + "&%ff=x",
			"escaped surrogate":           good.form() + "&x=%ed%a0%80",
			"overlong slash":              good.form() + "&x=%c0%af",
			"semicolon for an ampersand":  strings.Replace(good.form(), "&", ";", 1),
			"JSON called a form":          right,
			"a form in a form's one name": "client_id%3Dapp",
		} {
			t.Run("form "+name+path, func(t *testing.T) { s.refused(t, path, formType, body, 400) })
		}
	}
}

func TestHarmlessBodies(t *testing.T) {
	s := serve(t)
	for path, good := range doors {
		right := good.json(t)
		for name, body := range map[string]string{
			"space around": " \r\n\t" + right + "\n\n",
			"unknown members": good.with("auth0Client", "x", "realm2", []int{1}, "authParams",
				map[string]any{"scope": "openid", "client_id": "other"}, "redirect_uri", nil, "n", 1.5, "b", true, "", "x").json(t),
			"capitals are other members": good.with("Client_Id", "other", "OTP", 1, "USERNAME", "x").json(t),
			"deep nesting":               strings.TrimSuffix(right, "}") + `,"x":` + strings.Repeat("[", 7500) + strings.Repeat("]", 7500) + "}",
			"escapes":                    strings.Replace(right, `"client_id"`, `"\u0063lient_id"`, 1),
			"lone surrogate":             strings.Replace(right, `{`, `{"x":"\ud800",`, 1),
			"a number too large":         strings.Replace(right, `{`, `{"x":1e999,`, 1),
		} {
			t.Run("JSON "+name+path, func(t *testing.T) {
				a := s.post(t, path, jsonType, body)
				require.Equal(t, 200, a.status, a.body)
			})
		}
		for name, body := range map[string]string{
			"unknown members": good.form() + "&auth0Client=x&authParams%5Bscope%5D=openid&=&x",
			"empty parts":     "&&" + good.form() + "&&",
			"NUL":             good.form() + "&x=%00",
		} {
			t.Run("form "+name+path, func(t *testing.T) {
				a := s.post(t, path, formType, body)
				require.Equal(t, 200, a.status, a.body)
			})
		}
	}
}

func TestMistypedMembers(t *testing.T) {
	s := serve(t)
	values := map[string]any{
		"array": []string{"app"}, "empty array": []string{}, "number": 123456, "zero": 0,
		"object": map[string]any{"$ne": "x"}, "true": true, "false": false,
	}
	for path, good := range doors {
		names := slices.Collect(maps.Keys(good))
		names = append(names, "client_secret")
		switch {
		case good["refresh_token"] != nil:
			names = append(names, "audience")
		case good["username"] != nil:
			names = append(names, "audience", "device")
		}
		for _, name := range names {
			if name == "send" { // nobody reads it
				continue
			}
			for kind, value := range values {
				t.Run(path+" "+name+" "+kind, func(t *testing.T) {
					s.refused(t, path, jsonType, good.with(name, value).json(t), 400)
				})
			}
		}
	}
}

// A member that is null, empty or blank counts as left out (RFC 6749 §3.1).
func TestMissingMembers(t *testing.T) {
	s := serve(t)
	codes := map[string]string{"connection": "bad.connection", "phone_number": "bad.phone_number"}
	optional := map[string]bool{"send": true, "scope": true, "device": true}
	for path, good := range doors {
		for name := range good {
			for how, value := range map[string]any{"left out": left, "null": nil, "empty": "", "blank": " "} {
				t.Run(path+" "+name+" "+how, func(t *testing.T) {
					s.forget()
					a := s.post(t, path, jsonType, good.with(name, value).json(t))
					code := malformed(path)
					if path == startPath && codes[name] != "" {
						code = codes[name]
					}
					switch {
					case optional[name]:
						require.Equal(t, 200, a.status, a.body)
					case name == "client_id" && how == "blank" && path != startPath:
						requireError(t, a, 401, "invalid_client", "")
					default:
						requireError(t, a, 400, code, "")
					}
				})
			}
		}
	}
}

func TestRepeatedParameters(t *testing.T) {
	s := serve(t)
	for path, good := range doors {
		for name, value := range good {
			member := fmt.Sprintf(`%q:%q`, name, value)
			for how, first := range map[string]string{
				"same": member, "other": fmt.Sprintf(`%q:"x"`, name), "null": fmt.Sprintf(`%q:null`, name),
				"array": fmt.Sprintf(`%q:[]`, name), "escaped": fmt.Sprintf(`"\u%04x%s":"x"`, name[0], name[1:]),
			} {
				t.Run("JSON "+path+" "+name+" "+how, func(t *testing.T) {
					right := good.json(t)
					s.refused(t, path, jsonType, "{"+first+","+right[1:], 400)
					s.refused(t, path, jsonType, right[:len(right)-1]+","+first+"}", 400)
				})
			}
			for how, again := range map[string]string{"other": "=x", "empty": "=", "bare": ""} {
				t.Run("form "+path+" "+name+" "+how, func(t *testing.T) {
					s.refused(t, path, formType, good.form()+"&"+name+again, 400)
					s.refused(t, path, formType, name+again+"&"+good.form(), 400)
				})
			}
			t.Run("form "+path+" "+name+" escaped", func(t *testing.T) {
				s.refused(t, path, formType, good.form()+fmt.Sprintf("&%%%02X%s=x", name[0], name[1:]), 400)
			})
		}
	}
}

// What proves somebody is refused in the URL, which proxies log; nothing else there is read (O2).
func TestParametersInTheQuery(t *testing.T) {
	s := serve(t)
	for path, good := range doors {
		for _, name := range []string{"client_id", "client_secret", "phone_number", "username", "otp", "password", "refresh_token", "token"} {
			t.Run(path+" "+name, func(t *testing.T) {
				s.forget()
				for _, query := range []string{name + "=x", name + "=", name, "x=1&" + name + "=x", "%" + fmt.Sprintf("%02x", name[0]) + name[1:] + "=x"} {
					a := s.post(t, path+"?"+query, jsonType, good.json(t))
					requireError(t, a, 400, malformed(path), "")
				}
				require.Zero(t, s.calls())
			})
		}
		for _, query := range []string{"", "x=1", "scope=admin&audience=x&device=x&realm=x&connection=x&grant_type=x&everywhere=true"} {
			t.Run(path+" harmless "+query, func(t *testing.T) {
				s.forget()
				a := s.post(t, path+"?"+query, jsonType, good.json(t))
				require.Equal(t, 200, a.status, a.body)
				for _, r := range s.signIns {
					require.Equal(t, good["scope"], r.Scope.String())
					require.Empty(t, r.Audience)
				}
				for _, r := range s.refreshes {
					require.Equal(t, good["scope"], r.Scope.String())
					require.Empty(t, r.Audience)
				}
				for _, r := range s.revocations {
					require.False(t, r.Everywhere)
				}
			})
		}
	}
	a := s.post(t, tokenPath+"?grant_type="+tokenRequest["grant_type"].(string), jsonType, tokenRequest.with("grant_type", left).json(t))
	requireError(t, a, 400, "invalid_request", "grant_type is missing.")
	requireError(t, s.post(t, tokenPath+"?x=%zz", jsonType, tokenRequest.json(t)), 400, "invalid_request", "")
}

func TestBodySize(t *testing.T) {
	const limit = 16 << 10
	s := serve(t)
	for path, good := range doors {
		bodies := map[string]func(size int) string{
			jsonType: func(size int) string {
				right := good.json(t)
				return right + strings.Repeat(" ", size-len(right))
			},
			formType: func(size int) string {
				right := good.form() + "&pad="
				return right + strings.Repeat("x", size-len(right))
			},
		}
		for media, sized := range bodies {
			for size, status := range map[int]int{limit - 1: 200, limit: 200, limit + 1: 413, 1 << 20: 413} {
				for _, chunked := range []bool{false, true} {
					t.Run(fmt.Sprintf("%s %s %d chunked=%v", path, media, size, chunked), func(t *testing.T) {
						s.forget()
						var body io.Reader = strings.NewReader(sized(size))
						if chunked {
							body = io.MultiReader(body) // hides the length
						}
						a := s.do(t, request{"POST", path, []string{"Content-Type", media}, body})
						if status == 200 {
							require.Equal(t, 200, a.status, a.body)
							return
						}
						requireError(t, a, status, malformed(path), "The request is larger than 16 KiB.")
						require.Zero(t, s.calls())
					})
				}
			}
		}
	}
}

// In a form + is a space: a client that forgets to escape it is told so, and no other number is
// taken instead.
func TestPlusInAForm(t *testing.T) {
	s := serve(t)
	requireError(t, s.post(t, startPath, formType, "client_id=app&connection=sms&phone_number="+alice), 400, "bad.phone_number", "")
	require.Equal(t, " 447700900123", s.starts[0].Phone)
	a := s.post(t, startPath, formType, "client_id=app&connection=sms&phone_number=%2B44+7700+900123")
	require.Equal(t, 200, a.status, a.body)
	require.Equal(t, "+44 7700 900123", s.starts[1].Phone)
	requireError(t, s.post(t, startPath, jsonType, startRequest.with("phone_number", alice+"\x00").json(t)), 400, "bad.phone_number", "")
}
