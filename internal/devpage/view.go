package devpage

import (
	"encoding/json"
	"fmt"
	"strings"
	"unicode"

	"github.com/latchkey-id/latchkey/internal/tier"
)

// startView is what templates/start.html shows.
type startView struct {
	Base, ClientID, Audience string
	// Staff are the active people; Outside are those whom HR does not have, or no more.
	Staff, Outside []personView
	Curl           curlView
}

// personView is one row of the staff list.
type personView struct {
	Person
	Initials string
	// Display is the number as people write it.
	Display string
	// Hue picks one of the avatar's colours.
	Hue int
	// Stranger marks a number that HR does not know.
	Stranger bool
	// Shared marks a number that more than one active person has.
	Shared bool
}

// curlView holds the parts of the two commands, quoted for JSON inside a shell's single quotes.
type curlView struct {
	ClientID, Audience string
	Phone              string
}

// hues is how many avatar colours the style knows.
const hues = 6

func (h *Handler) startView(staff []Person) startView {
	view := startView{
		Base: h.base, ClientID: h.opts.ClientID, Audience: h.opts.Audience,
		Curl: curlView{ClientID: shellJSON(h.opts.ClientID), Audience: shellJSON(h.opts.Audience)},
	}
	holders := map[string]int{}
	for _, p := range staff {
		if p.Active && p.Phone != "" {
			holders[p.Phone]++
		}
	}
	for i, p := range staff {
		row := personView{
			Person: p, Initials: initials(p.Name), Display: display(p.Phone),
			Hue: i % hues, Shared: holders[p.Phone] > 1,
		}
		if p.Active {
			view.Staff = append(view.Staff, row)
		} else {
			view.Outside = append(view.Outside, row)
		}
		if view.Curl.Phone == "" && p.Active {
			view.Curl.Phone = p.Phone
		}
	}
	for _, number := range h.opts.Strangers {
		if holders[number] > 0 {
			continue // HR has come to know it
		}
		view.Outside = append(view.Outside, personView{
			Person:  Person{Name: "Unknown number", Phone: number, Tier: tier.Anonymous, Note: "not in HR", Active: true},
			Display: display(number), Stranger: true,
		})
		if view.Curl.Phone == "" {
			view.Curl.Phone = number
		}
	}
	return view
}

// initials returns the first letters of the first and the last word of a name.
func initials(name string) string {
	words := strings.FieldsFunc(name, func(r rune) bool { return !unicode.IsLetter(r) && r != '\'' && r != '-' })
	if len(words) == 0 {
		return "?"
	}
	letters := firstLetter(words[0])
	if len(words) > 1 {
		letters += firstLetter(words[len(words)-1])
	}
	return letters
}

func firstLetter(word string) string {
	for _, r := range word {
		if unicode.IsLetter(r) {
			return string(unicode.ToUpper(r))
		}
	}
	return ""
}

// display spaces the numbers of the two countries that have numbers for samples; others stay as
// they are.
func display(e164 string) string {
	switch {
	case strings.HasPrefix(e164, "+447") && len(e164) == len("+447700900123"):
		return fmt.Sprintf("%s %s %s", e164[:3], e164[3:7], e164[7:])
	case strings.HasPrefix(e164, "+1") && len(e164) == len("+12025550142"):
		return fmt.Sprintf("%s %s %s %s", e164[:2], e164[2:5], e164[5:8], e164[8:])
	}
	return e164
}

// shellJSON returns s as a JSON string that can stand inside a shell's single quotes.
func shellJSON(s string) string {
	quoted, err := json.Marshal(s)
	if err != nil {
		panic("devpage: a string that is no JSON: " + err.Error()) // json.Marshal takes every string
	}
	return strings.ReplaceAll(string(quoted), "'", `'\''`)
}
