// What the tokens mean, in a few words.

// story explains a tier to whoever tries the product. about is what the staff list had on the number
// when the page was loaded, which HR may have changed since.
export function story({ tier, name }, about) {
  const { display, names, left, shared } = about;
  if (tier !== "anonymous") {
    return `HR has ${display} as the mobile of ${name || "one person"}, and “${tier}” is the first rule that fits. ` +
      "Your services read tier and permissions from the access token, offline.";
  }
  if (shared) {
    return `${names.join(" and ")} have the same number in HR. Latchkey does not guess who is calling: ` +
      "the number matches nobody until HR corrects it, and signs in as anonymous.";
  }
  if (left) {
    return `HR says that ${names[0]} has left. The code still proves the number, but nothing of what ` +
      "they could do before: they are anonymous, as anybody else with a phone.";
  }
  return `The code proves that somebody holds ${display}, but HR has nobody with that number. The app shows its ` +
    "waiting screen; once HR adds it (latchkey hr import), “Check again” is enough: the same account is theirs.";
}

// revocation explains an access token's status claim, or is "" for a token without one.
export function revocation({ status }) {
  const entry = status?.status_list;
  if (!entry) return "";
  return `“status” is for services: bit ${entry.idx} of the list at “uri” turns to 1 when this session ends. ` +
    "They fetch the list every few seconds and refuse the token then, without asking about each person.";
}
