package sms

// judge says what the outcome of a text tells about the provider's account and about its way to the
// number's country (twilio/README 4: at once for the account where credentials are refused or it is
// suspended, per country for the rest of OurConfig,
// once a second number has met it). e is nil for a text that was accepted.
func judge(e *Error) (account, country verdict) {
	if e == nil {
		return works, works
	}
	switch e.Class {
	case OurConfig:
		if e.Account {
			return broken, silent
		}
		return works, broken
	case Provider, UnknownOutcome:
		return fails, silent
	case NumberPermanent, NumberTemporary, OptedOut, RiskBlocked:
		// It answered about the number, so it works; whether it would have sent there is open.
		return works, silent
	case Rate, Late, Withheld:
		return silent, silent
	default:
		return silent, silent
	}
}

// curable reports whether another provider may send what failed with e: it surely did not go out, and
// the number was not the reason. What a provider holds to be fraud is not walked around.
func curable(e *Error) bool {
	return e.Class == OurConfig || e.Class == Provider || e.Class == Rate
}
