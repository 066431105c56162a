package session

// Reason says why a session was revoked, as it rests in the store and in the audit.
type Reason string

const (
	// UserLeft ends all sessions of a person whom HR deactivated.
	UserLeft Reason = "user_left"
	// NumberMoved ends the sessions that a number proved which is somebody else's now, or nobody's.
	NumberMoved Reason = "number_moved"
	// ProofTooOld ends a waiting person's session once HR knows the number, if the number was
	// proven too long ago to tell that they still hold it: a new sign-in raises their tier.
	ProofTooOld Reason = "proof_too_old"
	// Replayed ends a session of which a refresh token was used that is two generations old, or more.
	Replayed Reason = "refresh_replayed"
	// RepeatedLate ends a session whose refresh token was used a second time, late, in too many
	// generations running.
	RepeatedLate Reason = "refresh_repeated_late"
	// OtherClient ends a session whose refresh token another client used.
	OtherClient Reason = "refresh_other_client"
	// SignedOut is the person's own wish, on this device.
	SignedOut Reason = "signed_out"
	// SignedOutEverywhere is the person's own wish, for all their devices.
	SignedOutEverywhere Reason = "signed_out_everywhere"
	// TooMany ends the oldest session of a person who has more than the limit.
	TooMany Reason = "too_many_sessions"
	// ReviewerOver ends an app-store reviewer's session whose time is over, or whose number is a person's now.
	ReviewerOver Reason = "reviewer_over"
	// Operator is an operator's doing; the audit has their words.
	Operator Reason = "operator"
)
