package devpage

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/latchkey-id/latchkey/internal/phone"
)

// textJSON is one text in /dev/inbox.json. Scripts and tests read it: its names are fixed.
type textJSON struct {
	To     string    `json:"to"`
	Body   string    `json:"body"`
	Code   string    `json:"code"`
	SentAt time.Time `json:"sent_at"`
}

// errorJSON is the shape of every error of the public listener (wire contract §1).
type errorJSON struct {
	Error       string `json:"error"`
	Description string `json:"error_description"`
}

// inboxJSON serves GET /dev/inbox.json?to=E164: the texts, newest first, and [] if there is none.
func (h *Handler) inboxJSON(c echo.Context) error {
	to, err := h.recipient(c)
	if err != nil {
		return c.JSON(http.StatusBadRequest, errorJSON{"invalid_request", badRecipient})
	}
	list := []textJSON{}
	for _, text := range h.texts(to) {
		list = append(list, textJSON{text.To.E164(), text.Body, text.Code, text.SentAt})
	}
	return c.JSON(http.StatusOK, list)
}

const badRecipient = "to is not a mobile number: write it as + and digits, for example +447700900123"

// recipient reads the query's to. Without one it returns the zero Number, which is everybody.
func (h *Handler) recipient(c echo.Context) (phone.Number, error) {
	raw := c.QueryParam("to")
	if rest, ok := strings.CutPrefix(raw, " "); ok {
		raw = "+" + rest // a "+" that was not escaped in the query arrives as a space
	}
	if strings.TrimSpace(raw) == "" {
		return phone.Number{}, nil
	}
	return h.opts.Phone.Parse(raw)
}

// texts returns the texts to a number, newest first.
func (h *Handler) texts(to phone.Number) []Text {
	texts := slices.Clone(h.opts.Inbox.Texts(to))
	slices.SortStableFunc(texts, func(a, b Text) int { return b.SentAt.Compare(a.SentAt) })
	return texts
}

// inboxView is what templates/inbox.html shows.
type inboxView struct {
	// To is whose texts are shown, in E.164; empty is everybody's.
	To string
	// Phones are the people to choose from.
	Phones []phoneView
	Texts  []textView
	// Bad is set when the number asked for is none.
	Bad string
}

type phoneView struct{ Number, Display, Owner string }

type textView struct {
	Display, Owner, Body, Code string
	// SentAt is for a machine, Clock for a reader without JavaScript.
	SentAt, Clock string
}

// inboxPage serves GET /dev/inbox?to=E164 to a person.
func (h *Handler) inboxPage(c echo.Context) error {
	staff, err := h.opts.Staff(c.Request().Context())
	if err != nil {
		return fmt.Errorf("list the sample staff: %w", err)
	}
	view := inboxView{Phones: h.phones(staff)}
	to, err := h.recipient(c)
	if err != nil {
		view.Bad = badRecipient
		return render(c, http.StatusBadRequest, "inbox.html", view)
	}
	view.To = to.E164()
	owners := map[string]string{}
	for _, p := range view.Phones {
		owners[p.Number] = p.Owner
	}
	for _, text := range h.texts(to) {
		view.Texts = append(view.Texts, textView{
			Display: display(text.To.E164()), Owner: owners[text.To.E164()],
			Body: text.Body, Code: text.Code,
			SentAt: text.SentAt.Format(time.RFC3339Nano), Clock: text.SentAt.Format("15:04:05"),
		})
	}
	return render(c, http.StatusOK, "inbox.html", view)
}

// phones lists every number once, with all who hold it.
func (h *Handler) phones(staff []Person) []phoneView {
	var list []phoneView
	at := map[string]int{}
	add := func(number, owner string) {
		if i, ok := at[number]; ok {
			list[i].Owner += " and " + owner
			return
		}
		at[number] = len(list)
		list = append(list, phoneView{number, display(number), owner})
	}
	for _, p := range staff {
		if p.Phone != "" {
			add(p.Phone, p.Name)
		}
	}
	for _, number := range h.opts.Strangers {
		if _, known := at[number]; known {
			continue
		}
		add(number, "Unknown number")
	}
	return list
}
