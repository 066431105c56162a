// What the API's errors mean to the person with the phone. A developer finds the error itself in
// the log of requests.

// describe returns the words for a refused call.
export function describe(answer) {
  const error = answer.json?.error ?? "";
  const description = answer.json?.error_description ?? "";
  switch (true) {
    case answer.status === 0:
      return "Latchkey does not answer. Is latchkey dev still running?";
    case answer.status === 429 && answer.path === "/passwordless/start":
      return "A code was asked for too often. Wait a little, then ask again.";
    case answer.status === 429:
      return "Too many tries. Wait a little, then try again.";
    case error === "bad.phone_number":
      return "That is not a mobile number. Write it with + and the country code, such as +44 7700 900123.";
    case error === "invalid_grant" && description.includes("maximum number"):
      return "Too many wrong tries: this code is dead. Send a new one.";
    case error === "invalid_grant" && description.includes("doesn't exist"):
      return "You are no longer on the staff list, so you were signed out. If that is wrong, ask HR.";
    case error === "invalid_grant" && answer.request.grant_type === "refresh_token":
      return "Your session has ended. Sign in again with a new code.";
    case error === "invalid_grant":
      return "That code is wrong or no longer valid. Look at the newest text, or send it again.";
    case error === "access_denied":
      return "This number may not sign in to this app.";
    case error === "sms_provider_error":
      return "The text could not be sent. Try again in a minute.";
    case answer.status === 503:
      return "Latchkey cannot do that right now. Try again in a moment.";
    case answer.status >= 500:
      return `Something went wrong inside Latchkey (${answer.status}). Its log says what.`;
    case description !== "":
      return `Refused: ${description}`;
    default:
      return `Latchkey answered in a way that this page cannot read (${answer.status}).`;
  }
}

// endsSession tells a refusal for good from trouble that passes. After the latter the same refresh
// token still works.
export const endsSession = (answer) => ["invalid_grant", "access_denied"].includes(answer.json?.error);

// refreshed says what a refresh has changed for the person.
export function refreshed(before, after, time) {
  switch (true) {
    case before.known !== after.known:
      return after.known ? "HR has your number now, and no new code was needed." : "HR does not have your number any more.";
    case !after.known:
      return `Not yet. Last checked at ${time}.`;
    case before.tier !== after.tier:
      return `Your access has changed: ${before.tier} became ${after.tier}.`;
    default:
      return `New tokens at ${time}.`;
  }
}
