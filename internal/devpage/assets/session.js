// The app once somebody is in: its first screen or the waiting one, the refresh and the sign-out.
import { el, showTier, slot } from "./dom.js";
import { timeOfDay } from "./time.js";
import { describe, endsSession, refreshed } from "./words.js";

export class Session {
  #refreshToken = ""; // the newest; an app keeps none that it has used
  #accessToken = "";
  #turn = 0; // as in SignIn
  #busy = false;

  // onTokens is told the number and an answer with tokens, and returns the person in them; onEnd that
  // the session is over, in words unless the person wanted it.
  constructor(root, screens, api, { onTokens, onEnd }) {
    Object.assign(this, { root, screens, api, onTokens, onEnd });
    for (const button of root.querySelectorAll("[data-refresh]")) button.addEventListener("click", () => this.#refresh(button));
    for (const button of root.querySelectorAll("[data-out]")) button.addEventListener("click", () => this.#signOut(button));
  }

  // begin shows who has signed in with a number.
  begin(number, answer) {
    this.number = number;
    this.#keep(answer);
    this.#say("");
  }

  // forget drops the tokens, as an app does that is left.
  forget() {
    this.#turn++;
    this.#busy = false;
    this.#refreshToken = this.#accessToken = "";
  }

  // The busy buttons are not disabled, for that would take the focus from them.
  async #call(button, caption, call) {
    if (this.#busy) return null;
    const turn = ++this.#turn;
    const label = (button.dataset.label ??= button.textContent);
    this.#busy = true;
    this.#say("");
    button.setAttribute("aria-busy", "true");
    button.textContent = caption;
    const answer = await call();
    button.removeAttribute("aria-busy");
    button.textContent = label;
    if (turn !== this.#turn) return null; // somebody else signs in meanwhile
    this.#busy = false;
    return answer;
  }

  async #refresh(button) {
    const answer = await this.#call(button, "Asking…", () => this.api.refresh(this.#refreshToken));
    if (!answer) return;
    if (endsSession(answer)) return this.onEnd(describe(answer));
    if (!answer.ok || !answer.json.access_token) return this.#say(`${describe(answer)} You stay signed in.`, true);
    const before = this.person;
    this.#keep(answer.json);
    this.#say(refreshed(before, this.person, timeOfDay()));
  }

  async #signOut(button) {
    // Either token ends the session; a tier may be without refresh tokens.
    const answer = await this.#call(button, "Signing out…", () => this.api.revoke(this.#refreshToken || this.#accessToken));
    if (!answer) return;
    if (!answer.ok) return this.#say(`${describe(answer)} You are still signed in.`, true);
    this.root.querySelector("[data-app-status]").textContent = "You are signed out.";
    this.onEnd("");
  }

  #keep(answer) {
    this.#refreshToken = answer.refresh_token ?? "";
    this.#accessToken = answer.access_token;
    this.person = this.onTokens(this.number, answer);
    if (this.person.known) this.#welcome(this.person);
    else this.#wait(this.person);
    for (const button of this.root.querySelectorAll("[data-refresh]")) button.hidden = !this.#refreshToken;
  }

  // An app's first screen, for an employee.
  #welcome({ name, initials, hue, tier, permissions }) {
    const first = name.split(/\s+/)[0];
    slot(this.root, "in-title").textContent = first ? `Welcome, ${first}` : "You’re in";
    slot(this.root, "in-initials").dataset.hue = hue;
    slot(this.root, "in-initials").textContent = initials;
    showTier(slot(this.root, "in-tier"), tier);
    slot(this.root, "in-grants").hidden = !permissions.length;
    slot(this.root, "in-permissions").replaceChildren(...permissions.slice(0, 4).map((textContent) => el("li", { textContent })));
    this.#show("in");
  }

  // The screen of somebody whom HR does not have.
  #wait({ tier, display }) {
    slot(this.root, "wait-number").textContent = display;
    showTier(slot(this.root, "wait-tier"), tier);
    this.#show("waiting");
  }

  // Whoever stays on a screen keeps their place on it.
  #show(name) {
    if (this.screens.shown !== name) this.screens.show(name);
  }

  #say(words, trouble = false) {
    for (const line of this.root.querySelectorAll("[data-said]")) {
      line.textContent = line.closest("[data-view]").dataset.view === this.screens.shown ? words : "";
      line.classList.toggle("error", trouble);
    }
  }
}
