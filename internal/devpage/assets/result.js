// What the app got: the person, the refresh token, and both others taken apart.
import { chips, el, showTier, slot } from "./dom.js";
import { showJson } from "./json.js";
import { decode } from "./jwt.js";
import { spell } from "./time.js";
import { revocation, story } from "./story.js";

export class Result {
  constructor(root) {
    this.root = root;
    this.tokens = {};
    setInterval(() => this.#age(), 1000);
  }

  // show fills the panel from an answer of the token endpoint and what HR has on the number.
  show(answer, about, person) {
    this.tokens = { access: answer.access_token, id: answer.id_token, refresh: answer.refresh_token };
    const { tier, permissions } = person;
    slot(this.root, "name").textContent = person.name || "No match in HR";
    slot(this.root, "number").textContent = about.display;
    const avatar = slot(this.root, "initials");
    avatar.textContent = person.initials;
    avatar.dataset.hue = person.hue;
    showTier(slot(this.root, "tier"), tier);
    slot(this.root, "story").textContent = story(person, about);
    chips(slot(this.root, "permissions"), permissions, "None in this tier");
    chips(slot(this.root, "scope"), (answer.scope ?? "").split(" ").filter(Boolean), "None granted");
    slot(this.root, "bearer").textContent = `${answer.access_token.slice(0, 22)}…`;
    this.#refreshToken();
    this.#token("access", ["tier", "permissions"]);
    this.#token("id", ["name"]);
    this.root.hidden = false;
    this.#age();
  }

  hide() {
    this.root.hidden = true;
    this.tokens = {};
  }

  // raw returns a token as it came, "access", "id" or "refresh".
  raw(kind) {
    return this.tokens[kind] ?? "";
  }

  // Its end is shown too: the beginning is the same through a whole session.
  #refreshToken() {
    const raw = this.raw("refresh");
    const place = slot(this.root, "refresh");
    place.closest(".command").hidden = !raw;
    place.textContent = `${raw.slice(0, 12)}…${raw.slice(-12)}`;
  }

  #token(kind, marked) {
    const card = this.root.querySelector(`[data-token="${kind}"]`);
    const raw = this.tokens[kind];
    card.hidden = !raw;
    if (!raw) return;
    const decoded = decode(raw);
    card.dataset.exp = decoded?.payload.exp ?? "";
    if (decoded) {
      showJson(slot(card, "header"), decoded.header);
      showJson(slot(card, "payload"), decoded.payload, { marked });
    } else {
      slot(card, "header").textContent = "This token is opaque: only Latchkey can read it.";
      slot(card, "payload").textContent = "";
    }
    slot(card, "revocation").textContent = decoded ? revocation(decoded.payload) : "";
    slot(card, "raw").replaceChildren(...raw.split(".").flatMap((part, i) =>
      [i ? "." : "", el("span", { className: `part-${i}`, textContent: part })]));
  }

  #age() {
    if (this.root.hidden) return;
    for (const card of this.root.querySelectorAll("[data-token]")) {
      const exp = Number(card.dataset.exp);
      const left = exp - Date.now() / 1000;
      const note = slot(card, "expiry");
      note.hidden = !exp;
      note.classList.toggle("over", left <= 0);
      note.textContent = left > 0 ? `Expires in ${spell(left)}` : `Expired ${spell(-left)} ago`;
    }
  }
}

// personOf reads who signed in out of an answer of the token endpoint, as an app would.
export function personOf(answer) {
  const id = decode(answer.id_token)?.payload ?? {};
  const access = decode(answer.access_token)?.payload ?? {};
  return {
    name: typeof id.name === "string" ? id.name : "",
    tier: typeof access.tier === "string" ? access.tier : "unknown tier",
    permissions: Array.isArray(access.permissions) ? access.permissions : [],
  };
}
