package hrfeed

import "strings"

// statuses are the words for being on the staff. Somebody on leave still is; somebody suspended
// must not sign in, and is the same user when they come back.
var statuses = func() map[string]bool {
	words := map[string]bool{}
	for _, word := range strings.Split("active,true,t,yes,y,1,current,employed,enabled,hired,on leave,leave,leave of absence,"+
		"paid leave,unpaid leave,sick leave,parental leave,maternity leave,paternity leave,probation,on probation,notice period", ",") {
		words[word] = true
	}
	for _, word := range strings.Split("inactive,not active,false,f,no,n,0,terminated,left,leaver,former,departed,resigned,dismissed,"+
		"retired,deceased,disabled,deactivated,ended,suspended", ",") {
		words[word] = false
	}
	return words
}()

// activeStatus reads a status cell. Empty is active: a column that HR fills only for leavers is usual.
func activeStatus(text string) (active, known bool) {
	if text == "" {
		return true, true
	}
	active, known = statuses[strings.Join(strings.FieldsFunc(strings.ToLower(text), func(r rune) bool {
		return r == ' ' || r == '_' || r == '-'
	}), " ")]
	return active, known
}
