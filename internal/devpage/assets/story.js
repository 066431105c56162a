// Why somebody got the tier that they got, in a few words.

// story explains a tier to whoever tries the product. about is what HR has on the number.
export function story(tier, about) {
  const { display, names, left, shared } = about;
  if (tier !== "anonymous") {
    return `HR has ${display} as the mobile of ${names[0] ?? "one person"}, and “${tier}” is the first rule that fits. ` +
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
    "waiting screen; once HR adds the number, the same account is theirs.";
}
