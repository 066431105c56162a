// Package devpage is what `latchkey dev` shows to a person: the start page, on which one signs in
// as the sample staff and sees the tokens that come of it, and the inbox that stands in for their
// phones.
//
//	GET /                the staff, an app's sign-in form, a phone with its texts
//	GET /dev/inbox       every text, for a person; /dev/inbox.json the same for a script
//	GET /dev/assets/…    style, scripts and drawings, under the hash of what they hold
//
// The app on the page is a client like any other: its script calls POST /passwordless/start, POST
// /oauth/token and POST /oauth/revoke over the wire and shows each as it was sent and answered. The
// package has no way into the server behind them.
//
// Nothing here belongs in production: the inbox hands codes to whoever asks. It is mounted by
// dev only. The pages load nothing from elsewhere, run under a content security policy without
// inline script or style, and put what HR or the API says into the document as text alone.
package devpage
