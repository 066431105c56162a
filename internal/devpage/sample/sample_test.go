package sample_test

import (
	"bytes"
	"os"
	"slices"
	"testing"

	"github.com/latchkey-id/latchkey/internal/devpage/sample"
	"github.com/latchkey-id/latchkey/internal/directory"
	"github.com/latchkey-id/latchkey/internal/directory/hrfeed"
	"github.com/latchkey-id/latchkey/internal/phone"
)

func read(t *testing.T, csv []byte) map[string]directory.Person {
	t.Helper()
	feed, err := hrfeed.Read(bytes.NewReader(csv), hrfeed.Options{Source: "sample", Mode: directory.Full, Phone: phone.Parser{AllowFictional: true}})
	if err != nil || len(feed.Problems) > 0 || len(feed.Ignored) > 0 {
		t.Fatalf("Read = %v, problems %v, ignored %v", err, feed.Problems, feed.Ignored)
	}
	people := map[string]directory.Person{}
	for _, p := range feed.People {
		people[p.Name] = p
	}
	return people
}

// TestStaff holds what the package comment promises to developers.
func TestStaff(t *testing.T) {
	people := read(t, sample.Staff())
	for _, tc := range []struct {
		name, number, group string
		active              bool
	}{
		{"Amara Okafor", "+447700900001", "", true},
		{"Mei-Ling Chen", "+447700900003", "on-call", true},
		{"Priya Raman", "+447700900005", "managers", true},
		{"Ingrid Solberg", "+447700900010", "it-admins", true},
		{"Gareth Bowen", "+447700900020", "", true},
		{"Marged Bowen", "+447700900020", "", true},
		{"Beatriz Almeida", "", "", true},
		{"Owen Blackwood", "+447700900024", "", false},
	} {
		p := people[tc.name]
		if p.Phone.E164() != tc.number || p.Active != tc.active || tc.group != "" && !slices.Contains(p.Groups, tc.group) {
			t.Errorf("%s = %+v (%s)", tc.name, p, p.Phone.E164())
		}
	}
	if people["Sanjay Patel"].EmploymentType != "contractor" {
		t.Errorf("Sanjay Patel = %+v", people["Sanjay Patel"])
	}
	for name, p := range people {
		if p.Phone.E164() >= "+447700900100" {
			t.Errorf("%s has a stranger's number", name)
		}
	}
}

func TestExampleForHR(t *testing.T) {
	example, err := os.ReadFile("../../../configs/staff.example.csv")
	if err != nil {
		t.Fatal(err)
	}
	if people := read(t, example); len(people) != 4 || people["Bola Example"].Phone.E164() != "+447700900102" {
		t.Errorf("example = %+v", people)
	}
}
