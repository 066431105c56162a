// Package twiliotest is a stand-in for the part of Twilio that Latchkey uses: the Messages API's create and
// list, the status callbacks that follow, and the geo permissions of the accounts API. It checks requests
// for messages, and its own answers, against Twilio's published description of the API (testdata, with its
// licence), and adds what the description leaves out. It can be told to fail in each way that the real one
// does. It never sends anything, and only tests and measurements import it, so that the OpenAPI library
// stays out of the binary.
package twiliotest
