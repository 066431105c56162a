// Package sample holds the invented staff that `latchkey dev` starts with. Their numbers are
// Ofcom's for drama, +44 7700 900000 to 900099, and ring nobody; 900100 and above stay strangers
// to HR. Every situation that a developer has to handle is somebody here:
//
//	900001  Amara Okafor      an employee
//	900005  Priya Raman       a manager (group managers)
//	900010  Ingrid Solberg    an administrator (group it-admins)
//	900020  the Bowens        two people with one number: it signs in neither
//	900022  Sanjay Patel      a contractor
//	   —    Beatriz Almeida   an employee without a mobile number
//	900024  Owen Blackwood    a leaver
//	900123  nobody            a number that HR does not know
package sample

import (
	_ "embed" // for staff.csv
	"slices"
)

//go:embed staff.csv
var staff []byte

// Staff returns the sample staff list, a CSV as directory/hrfeed reads it with
// phone.Parser.AllowFictional set. The caller may change the slice.
func Staff() []byte { return slices.Clone(staff) }
