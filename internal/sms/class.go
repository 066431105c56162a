package sms

// Class groups failures by what is done about them.
type Class string

const (
	NumberPermanent Class = "number_permanent" // this number cannot get texts
	NumberTemporary Class = "number_temporary" // handset off or network busy
	OptedOut        Class = "opted_out"        // the person replied STOP
	RiskBlocked     Class = "risk_blocked"     // the provider suspects fraud
	OurConfig       Class = "our_config"       // credentials, sender or account: an operator must act
	Rate            Class = "rate"             // too many at once; not processed
	Provider        Class = "provider"         // the provider failed, and surely did not send
	UnknownOutcome  Class = "unknown_outcome"  // it may have been sent
	Late            Class = "late"             // the code's time was over before it could be sent
	Withheld        Class = "withheld"         // kept back by a rule of ours; no provider was asked
)

// Definite reports whether a message that failed so was surely not sent. Only then may the person
// ask for another at once.
func (c Class) Definite() bool { return c != UnknownOutcome }
