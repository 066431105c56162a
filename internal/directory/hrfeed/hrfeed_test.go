package hrfeed_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"golang.org/x/text/encoding/unicode"

	"github.com/latchkey-id/latchkey/internal/directory"
	"github.com/latchkey-id/latchkey/internal/directory/hrfeed"
	"github.com/latchkey-id/latchkey/internal/phone"
)

var gb = phone.Parser{Region: "GB", AllowFictional: true}

func read(t *testing.T, text string) directory.Feed {
	t.Helper()
	feed, err := hrfeed.Read(strings.NewReader(text), hrfeed.Options{Source: "hr", Mode: directory.Full, Phone: gb})
	if err != nil {
		t.Fatalf("Read: %v", err)
	}
	return feed
}

// people renders a feed's people as "id name number", for tables.
func people(feed directory.Feed) []string {
	out := []string{}
	for _, p := range feed.People {
		out = append(out, strings.TrimSpace(p.ExternalID+" "+p.Name+" "+p.Phone.E164()))
	}
	return out
}

// problems renders a feed's problems as "line/column/id" with an "!" if the line is rejected.
func problems(feed directory.Feed) []string {
	out := []string{}
	for _, p := range feed.Problems {
		mark := ""
		if p.Rejected {
			mark = "!"
		}
		out = append(out, fmt.Sprintf("%d/%s/%s%s", p.Line, p.Column, p.ExternalID, mark))
	}
	return out
}

const (
	amara = "E1 Amara +447700900001"
	bo    = "E2 Bo +447700900002"
	cy    = "E3 Cy +447700900003"
)

func TestReadWholePerson(t *testing.T) {
	feed := read(t, "Employee Number,First-Name,LAST_NAME,Mobile Phone,Work Email,Job Title,Dept,Groups,Worker Type,Employment Status,Country\r\n"+
		"'0042,  Ama\u0301ra\u200b , 't  Hooft,(415) 555-2671,a@example.com,\"Head,\nof things\",\u202aSales\u202c,b | a|b;c,employee,On-Leave,us\r\n")
	number, err := phone.Stored("+14155552671")
	if err != nil {
		t.Fatal(err)
	}
	want := []directory.Person{{
		ExternalID: "0042", Name: "Amára 't Hooft", Phone: number, Email: "a@example.com", Department: "Sales",
		Title: "Head, of things", EmploymentType: "employee", Groups: []string{"a", "b", "c"}, Active: true,
	}}
	if !reflect.DeepEqual(feed.People, want) || len(feed.Problems) > 0 {
		t.Errorf("people = %+v\nproblems = %v", feed.People, feed.Problems)
	}
}

// TestRead is the corpus of what HR delivers: who comes out, and which lines are at fault.
func TestRead(t *testing.T) {
	const header = "id,name,phone\n"
	for _, tc := range []struct {
		name, in string
		people   []string
		problems []string
	}{
		{"plain", header + "E1,Amara,+447700900001\nE2,Bo,07700 900002\n", []string{amara, bo}, nil},
		{"no line break at the end", header + "E1,Amara,+447700900001", []string{amara}, nil},
		{"CR LF, empty and cleared lines", "\r\nid,name,phone\r\n\r\n,,\r\nE1,Amara,+447700900001\r\n,,,,\r\n\r\n", []string{amara}, nil},
		{"byte order mark", "\ufeff" + header + "E1,Amara,+447700900001\n", []string{amara}, nil},
		{"semicolons", "id;name;phone;groups\nE1;Amara;+447700900001;a|b\n", []string{amara}, nil},
		{"tabs, with an empty cell", "id\tname\temail\tphone\nE1\tAmara\t\t+447700900001\n", []string{amara}, nil},
		{"delimiter of the header, not of the cells", "id;name;phone\nE1;\"Amara\";+447700900001\n", []string{amara}, nil},
		{"blanks before quotation marks", header + "E1, \"Amara\", \"+447700900001\"\n", []string{amara}, nil},
		{"quoted line break counts", header + "E1,\"Ama\nra\",+447700900001\nE2,Bo,1\n", []string{"E1 Ama ra +447700900001", "E2 Bo"}, []string{"4/phone/E2"}},
		{"apostrophes of a spreadsheet", header + "'E1,'Amara,'+447700900001\n", []string{amara}, nil},
		{"marks from a web page", header + "E1\u200b,\u2067Amara\u2069,\u202a+44\u00a07700\u00a0900001\u202c\n", []string{amara}, nil},

		{"empty number is no problem", header + "E1,Amara,\n", []string{"E1 Amara"}, nil},
		{"bad number alone keeps the person", header + "E1,Amara,12\nE2,Bo,+447700900002\n", []string{"E1 Amara", bo}, []string{"2/phone/E1"}},
		{"spreadsheet damage", header + "E1,Amara,4.1556E+09\nE2,Bo,4155552671.0\nE3,Cy,\"4,4741E+11\"\nE4,Di,#N/A\n",
			[]string{"E1 Amara", "E2 Bo", "E3 Cy", "E4 Di"}, []string{"2/phone/E1", "3/phone/E2", "4/phone/E3", "5/phone/E4"}},
		{"spreadsheet damage of an id", header + "1.0E+05,Amara,+447700900001\n42.0,Bo,+447700900002\n20E15,Cy,\n", []string{"20E15 Cy"}, []string{"2/id/!", "3/id/!"}},
		{"landline", header + "E1,Amara,+442071838750\n", []string{"E1 Amara"}, []string{"2/phone/E1"}},
		{"two numbers in a cell", header + "E1,Amara,\"+447700900001\n+447700900002\"\n", []string{"E1 Amara"}, []string{"2/phone/E1"}},

		{"no id", header + ",Amara,+447700900001\nE2,Bo,+447700900002\n", []string{bo}, []string{"2/id/!"}},
		{"no name", header + "E1,,+447700900001\n", nil, []string{"2/name/E1!"}},
		{"control characters", header + "E1,Am\x00ara,+447700900001\nE2\x1b,Bo,+447700900002\nE3,Cy,+44\x07\n", nil, []string{"2/name/E1!", "3/id/!", "4/phone/E3!"}},
		{"stray byte", header + "E1,Amara,+447700900001\nE2,B\xf8,+447700900002\n", []string{amara}, []string{"3/name/E2!"}},
		{"stray byte in a column that is not used", "id,name,phone,note\nE2,Bo,+447700900002,\xf8\n", nil, []string{"2/note/E2!"}},
		{"replacement character", header + "E1,Am\ufffdra,+447700900001\n", nil, []string{"2/name/E1!"}},
		{"long cell", header + "E1," + strings.Repeat("x", 257) + ",\nE2," + strings.Repeat("ö", 256) + ",\n", []string{"E2 " + strings.Repeat("ö", 256)}, []string{"2/name/E1!"}},
		{"long cell in a column that is not used", "id,name,phone,note\nE1,Amara,+447700900001," + strings.Repeat("x", 9000) + "\n", []string{amara}, nil},
		{"line break in an id", header + "\"E1\nE2\",Amara,+447700900001\n", nil, []string{"2/id/!"}},

		{"too few cells", header + "E1,Amara\nE2,Bo,+447700900002\n", []string{bo}, []string{"2//E1!"}},
		{"too many cells", header + "E1,Smith, Amara,+447700900001\nE2,Bo,+447700900002\n", []string{bo}, []string{"2//E1!"}},
		{"too many cells, id not first", "name,id,phone\nSmith, Amara,E1,+447700900001\n", nil, []string{"2//!"}},
		{"two records on a line", header + "E1,Amara,+447700900001E2,Bo,+447700900002\n", nil, []string{"2//!"}},
		{"one cell", header + "Total 25\n", nil, []string{"2//!"}},
		{"cut off", header + "E1,Amara,+447700900001\nE2,B", []string{amara}, []string{"3//!"}},

		{"stray quotation mark", header + "E1,Ama\"ra,+447700900001\nE2,Bo,+447700900002\n", []string{bo}, []string{"2//E1!"}},
		{"text after a quoted cell", header + "E1,\"Amara\" O,+447700900001\nE2,Bo,+447700900002\n", []string{bo}, []string{"2//E1!"}},
		{"open quotation mark up to the next", header + "E1,\"Amara,+447700900001\nE2,Bo,+447700900002\nE4,\"Di\",\nE3,Cy,+447700900003\n", []string{cy}, []string{"2//!"}},
		{"open quotation mark up to the end", header + "E3,Cy,+447700900003\nE1,\"Amara,+447700900001\nE2,Bo,+447700900002\n", []string{cy}, []string{"3//!"}},
		{"open quotation mark after a quoted line break", header + "E3,\"C\ny\",\"+44\nE2,Bo,+447700900002\n", nil, []string{"3//!"}},
		{"open quotation mark on the last line", header + "E1,\"Amara", nil, []string{"2//!"}},
		{"pairing quotation marks hide a line", header + "E1,\"Amara,+447700900001\nE2,Bo\",+447700900002,x\n", nil, []string{"2//!"}},

		{"status", "id,name,phone,active\nE1,A,,\nE2,B,,YES\nE3,C,,terminated\nE4,D,,perhaps\n", []string{"E1 A", "E2 B", "E3 C"}, []string{"5/active/E4!"}},
		{"e-mail", "id,name,phone,e-mail\nE1,Amara,+447700900001,amara at example\nE2,Bo,+447700900002,Bo <bo@example.com>\n", []string{amara, bo}, []string{"2/e-mail/E1", "3/e-mail/E2"}},
		{"country", "id,name,phone,country\nE1,Amara,07700900001,uk\nE2,Bo,07700900002,Narnia\nE3,Cy,+447700900003,ZZ\n",
			[]string{amara, "E2 Bo", cy}, []string{"3/country/E2", "3/phone/E2", "4/country/E3"}},
		{"twice in the file", header + "E1,Amara,+447700900001\nE2,Bo,+447700900002\nE1,Amara,+447700900003\n", []string{bo}, []string{"2/id/E1!", "4/id/E1!"}},
		{"twice, one of them bad", header + "E1,Amara,+447700900001\nE1,,+447700900003\n", nil, []string{"2/id/E1!", "3/name/E1!", "3/id/E1!"}},
		{"ids differ in case", header + "E1,Amara,+447700900001\ne1,Bo,\n", []string{amara, "e1 Bo"}, nil},
		{"name and phone swapped", header + "E1,+447700900001,Amara\n", nil, []string{"2/name/E1!", "2/phone/E1!"}},
		{"id and phone swapped", header + "+447700900001,Amara,E1\n", nil, []string{"2/id/!", "2/phone/!"}},
		{"name without letters", header + "E1,07700900001,\n", nil, []string{"2/name/E1!"}},
		{"several faults of a line", "id,name,phone,status\nE1,#REF!,12,perhaps\n", nil, []string{"2/name/E1!", "2/phone/E1!", "2/status/E1!"}},

		{"empty", "", nil, nil},
		{"only a byte order mark", "\ufeff", nil, nil},
		{"only a header", header, nil, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			feed := read(t, tc.in)
			if got := people(feed); !slices.Equal(got, tc.people) {
				t.Errorf("people   = %q\nwant       %q", got, tc.people)
			}
			if got := problems(feed); !slices.Equal(got, tc.problems) {
				t.Errorf("problems = %q\nwant       %q\n%+v", got, tc.problems, feed.Problems)
			}
			if whole := regexp.MustCompile(`\d{7}`); whole.MatchString(fmt.Sprint(feed.Problems)) {
				t.Errorf("a reason holds a number: %v", feed.Problems)
			}
		})
	}
}

func TestReasonsSayWhatToDo(t *testing.T) {
	for _, tc := range []struct{ name, in, want string }{
		{"spreadsheet", "id,name,phone\nE1,A,4.1556E+09\n", "damaged by a spreadsheet"},
		{"open quotation mark", "id,name,phone\nE1,\"A,1\nE2,B,\n", "never closed"},
		{"count", "id,name,phone\nE1,A,1,2\n", "4 cells where the header has 3"},
		{"other lines", "id,name,phone\nE1,A,\nE2,B,\nE1,C,\nE1,D,\n", "lines 4, 5: leave one"},
		{"number in a status", "id,name,phone,status\nE1,A,,+447700900001\n", "columns swapped"},
		{"digits in a status", "id,name,phone,status\nE1,A,,07700900001\n", `"********001" says neither`},
		{"control character", "id,name,phone\nE1,A\x00,\n", "U+0000"},
		{"no region", "id,name,phone,country\nE1,A,07700900001,XX\n", `"XX" is no two-letter country code`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if feed := read(t, tc.in); !strings.Contains(feed.Problems[0].Reason, tc.want) {
				t.Errorf("reason = %q, want %q in it", feed.Problems[0].Reason, tc.want)
			}
		})
	}
}

func TestReadUTF16(t *testing.T) {
	const text = "id,name,phone\r\nE1,Zofia Wiśniewska 🦊,+447700900001\r\n"
	for _, order := range []unicode.Endianness{unicode.LittleEndian, unicode.BigEndian} {
		encoded, err := unicode.UTF16(order, unicode.UseBOM).NewEncoder().String(text)
		if err != nil {
			t.Fatal(err)
		}
		feed := read(t, encoded)
		if got := people(feed); !slices.Equal(got, []string{"E1 Zofia Wiśniewska 🦊 +447700900001"}) {
			t.Errorf("%v: people = %q, %v", order, got, feed.Problems)
		}
		// Half a character at the end is damage, never a question mark.
		feed = read(t, encoded[:len(encoded)-5])
		if got := problems(feed); len(feed.People) != 0 || !slices.Equal(got, []string{"2/phone/E1!"}) {
			t.Errorf("%v, cut: people = %q, problems = %q", order, people(feed), got)
		}
	}
}

func TestReadRefusesTheFile(t *testing.T) {
	for _, tc := range []struct {
		name, in string
		want     error
		says     string
	}{
		{"no phone", "id,name\nE1,Amara\n", hrfeed.ErrHeader, `no column for phone. Found: "id", "name". Expected: external_id`},
		{"no name", "id,phone,first name\n", hrfeed.ErrHeader, "no column for name"},
		{"nothing that it needs", "email\n", hrfeed.ErrHeader, "external_id, nor for phone, nor for name"},
		{"twice", "id,name,phone,Employee ID\n", hrfeed.ErrHeader, "columns 1 (id) and 4 (Employee ID) both mean external_id"},
		{"no header", "E1,Amara,+447700900001\n", hrfeed.ErrHeader, `Found: "E1", "Amara", "+*********001"`},
		{"old Macintosh", "id,name,phone\rE1,Amara,+447700900001\r", hrfeed.ErrHeader, "carriage return"},
		{"workbook", "PK\x03\x04\x14\x00", hrfeed.ErrHeader, "workbook"},
		{"UTF-16 without mark", "i\x00d\x00", hrfeed.ErrHeader, "byte order mark"},
		{"stray byte in the header", "id,name,phone,caf\xe9\n", hrfeed.ErrHeader, "column 4 holds bytes that are not text"},
		{"open quotation mark in the header", "id,\"name,phone\nE1", hrfeed.ErrHeader, "line 1"},
		{"too many rows", "id,name,phone\n1,A,\n2,B,\n3,C,\n4,D,\n", hrfeed.ErrTooLarge, "more than 3 rows"},
		{"too many bytes", "id,name,phone\n" + strings.Repeat("x", 2000), hrfeed.ErrTooLarge, "bytes"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := hrfeed.Read(strings.NewReader(tc.in), hrfeed.Options{Phone: gb, MaxBytes: 1000, MaxRows: 3})
			if !errors.Is(err, tc.want) || !strings.Contains(err.Error(), tc.says) {
				t.Errorf("Read = %v, want %v with %q", err, tc.want, tc.says)
			}
		})
	}
}

func TestReadLimitsAreExact(t *testing.T) {
	const text = "id,name,phone\n1,A,\n2,B,\n3,C,\n"
	feed, err := hrfeed.Read(strings.NewReader(text), hrfeed.Options{MaxBytes: int64(len(text)), MaxRows: 3, MaxLineBytes: len("id,name,phone\n")})
	if err != nil || len(feed.People) != 3 {
		t.Errorf("Read = %d people, %v", len(feed.People), err)
	}
}

func TestReadReturnsTheReadersError(t *testing.T) {
	broken := errors.New("broken")
	text := "id,name,phone\nE1,A,\nE2,B"
	_, err := hrfeed.Read(io.MultiReader(strings.NewReader(text), iotest.ErrReader(broken)), hrfeed.Options{})
	if !errors.Is(err, broken) {
		t.Errorf("Read = %v, want %v", err, broken)
	}
}

func TestReadBoundsALine(t *testing.T) {
	for _, tc := range []struct{ name, tail string }{
		{"one long line", "E2," + strings.Repeat("x", 1<<20) + ",\nE3,C,\n"},
		{"a quotation mark never closed", "E2,\"B,\n" + strings.Repeat("E3,C,\n", 1<<17)},
	} {
		t.Run(tc.name, func(t *testing.T) {
			feed, err := hrfeed.Read(strings.NewReader("id,name,phone\n\nE1,A,\n\n"+tc.tail), hrfeed.Options{MaxLineBytes: 1000})
			if err != nil || !slices.Equal(people(feed), []string{"E1 A"}) || !slices.Equal(problems(feed), []string{"5//!"}) {
				t.Errorf("Read = %q, %q, %v", people(feed), problems(feed), err)
			}
		})
	}
}

func TestReadListsColumnsThatItIgnores(t *testing.T) {
	feed := read(t, "id,name,First Name,phone,Cost Centre,,\nE1,Amara,A,,7,,\n")
	if want := []string{"Cost Centre", "First Name"}; !slices.Equal(feed.Ignored, want) || len(feed.People) != 1 {
		t.Errorf("ignored = %q, want %q", feed.Ignored, want)
	}
}

func TestReadSaysWhatTheFileDoesNotTell(t *testing.T) {
	feed := read(t, "id,name,phone,dept,e-mail\nE1,Amara,,,\n")
	if want := []directory.Field{directory.FieldTitle, directory.FieldEmploymentType, directory.FieldGroups}; !slices.Equal(feed.Silent, want) {
		t.Errorf("silent = %q, want %q", feed.Silent, want)
	}
}

// TestReadByteByByte holds that nothing depends on how the bytes arrive.
func TestReadByteByByte(t *testing.T) {
	const text = "\ufeffid;name;phone\r\n\r\nE1;\"A\r\nB\";+447700900001\r\nE2;\"C\r\nE3;\"D\r\nE4;E;x\r\n"
	whole := read(t, text)
	split, err := hrfeed.Read(iotest.OneByteReader(strings.NewReader(text)), hrfeed.Options{Source: "hr", Mode: directory.Full, Phone: gb})
	if err != nil || !reflect.DeepEqual(whole, split) {
		t.Errorf("Read = %+v, %v; want %+v", split, err, whole)
	}
}

// FuzzRead holds for any bytes: no panic, people are fit for Diff, a rejected person is not among
// them, and who is protected by name stands in the file.
func FuzzRead(f *testing.F) {
	for _, seed := range []string{
		"id,name,phone\nE1,Amara,+447700900001\n",
		"\ufeffid;name;phone;active\r\nE1;\"A\nB\";07700900001;no\r\n",
		"\xff\xfei\x00d\x00,\x00", "id,name,phone\nE1,\"A,\nE2,B,\nE3,\"C\"x,\nE1,A,", "id\tname\tphone\n'1\t't\t1.0\n",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		feed, err := hrfeed.Read(bytes.NewReader(in), hrfeed.Options{Source: "hr", Mode: directory.Full, Phone: gb, MaxLineBytes: 4096})
		if err != nil {
			return
		}
		if _, err := directory.Diff(func(func(directory.User, error) bool) {}, feed); err != nil {
			t.Errorf("Diff: %v", err)
		}
		rejected := map[string]bool{}
		lines := bytes.Count(in, []byte("\n")) + 1
		for _, p := range feed.Problems {
			if p.Line < 2 || p.Line > lines || p.Reason == "" {
				t.Errorf("problem = %+v of %d lines", p, lines)
			}
			rejected[p.ExternalID] = rejected[p.ExternalID] || p.Rejected
		}
		for _, p := range feed.People {
			if rejected[p.ExternalID] || p.Name == "" || !slices.IsSorted(p.Groups) {
				t.Errorf("person = %+v, rejected: %v", p, rejected[p.ExternalID])
			}
		}
	})
}
