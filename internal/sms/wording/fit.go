package wording

import (
	"fmt"
	"time"

	"github.com/latchkey-id/latchkey/internal/sms"
)

// The longest that templates are measured with: eight digits leave room to lengthen codes, and no code
// lives longer than ten minutes (security requirement C2). Times are all of one length.
const (
	longestCode = "00000000"
	longestLife = 10 * time.Minute
)

var anyTime = time.Unix(0, 0)

// maxRetriever is the longest text that Android's SMS Retriever reads, in bytes. Its documentation does
// not tell the encoding, so ours is counted in UTF-8. Of UCS-2 the segment alone keeps within it, as
// hash, code and host are ASCII.
const maxRetriever = 140

// fitsCode reports a template for codes that would not be one segment, or with an app's hash not be
// read by Android. hash is empty for a text without.
func (c *Catalog) fitsCode(template, hash string) error {
	body := c.codeText(template, hash, longestCode, longestLife)
	added := len(c.codeText("", hash, longestCode, longestLife))
	if err := oneSegment(body, added); err != nil {
		return err
	}
	if hash != "" && len(body) > maxRetriever {
		return fmt.Errorf("has up to %d bytes with an app's hash, %d of them in the lines that are added, and Android reads %d: shorten it",
			len(body), added, maxRetriever)
	}
	return nil
}

// fitsNotice reports a template for notices that would not be one segment.
func (c *Catalog) fitsNotice(template string) error {
	return oneSegment(c.noticeText(template, anyTime), 0)
}

// oneSegment says why body is more than one. added is how many units of it are in lines of ours.
func oneSegment(body string, added int) error {
	n, gsm7 := sms.Segments(body)
	if n <= 1 {
		return nil
	}
	why := ""
	if !gsm7 {
		r, _ := sms.OutsideGSM7(body)
		why = fmt.Sprintf(", because %q is not in the GSM-7 alphabet, which would hold 160", r)
	}
	fixed := ""
	if added > 0 {
		fixed = fmt.Sprintf(" (%d in the lines that are added)", added)
	}
	units, holds := sms.Units(body)
	return fmt.Errorf("needs %d texts: it has up to %d units%s and one text holds %d%s: shorten it", n, units, fixed, holds, why)
}
