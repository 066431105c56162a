// The app's sign-in: number, code, in. It keeps to what a mobile app can know.
import { clock, countdown } from "./time.js";
import { describe } from "./words.js";
import { slot } from "./dom.js";

// How long the server lets pass between two texts of one code.
const resendGap = 30;

export class SignIn {
  // onSent is told the number that a code went to, in E.164; onTokens the number and the answer;
  // onLeave that the sign-in was given up or left.
  constructor(root, api, { onSent, onTokens, onLeave }) {
    Object.assign(this, { root, api, onSent, onTokens, onLeave });
    this.status = root.querySelector("[data-app-status]");
    this.views = Object.fromEntries([...root.querySelectorAll("[data-view]")].map((view) => [view.dataset.view, view]));
    this.number = new Step(root.querySelector('[data-form="number"]'), "Text me a code");
    this.code = new Step(root.querySelector('[data-form="code"]'), "Sign in");
    this.again = root.querySelector("[data-again]");
    this.turn = 0; // an answer that comes after the person went elsewhere is told by its turn
    this.#listen();
  }

  #listen() {
    this.number.form.addEventListener("submit", (event) => { event.preventDefault(); this.#ask(); });
    this.number.input.addEventListener("input", () => this.number.forgive());
    this.code.form.addEventListener("submit", (event) => { event.preventDefault(); this.#redeem(); });
    this.code.input.addEventListener("input", () => this.#tidyCode());
    this.again.addEventListener("click", () => this.#ask({ again: true }));
    this.root.querySelector("[data-change]").addEventListener("click", () => this.restart());
    for (const out of this.root.querySelectorAll("[data-out]")) out.addEventListener("click", () => this.restart(""));
  }

  // restart goes back to the number, and puts in another one if it is given.
  restart(number = this.number.input.value, { focus = true } = {}) {
    this.turn++;
    this.number.input.value = number;
    this.number.idle();
    this.number.forgive();
    this.code.idle();
    this.#show("number", focus && this.number.input);
    this.onLeave();
  }

  // fillCode puts a code in, as a telephone's keyboard offers to.
  fillCode(code) {
    if (!this.views.number.hidden) return this.number.say("That code is for an earlier sign-in. Ask for one first.");
    if (this.views.code.hidden) return;
    this.code.input.value = code;
    this.code.say("");
    this.code.button.focus();
  }

  async #ask({ again = false } = {}) {
    const step = again ? this.code : this.number;
    const number = this.number.input.value.replace(/\s+/g, "");
    if (!number) return step.say("Type your mobile number.", true);
    const turn = ++this.turn;
    step.say("");
    if (again) this.again.disabled = true;
    else step.busy("Sending…");
    const answer = await this.api.start(number);
    if (turn !== this.turn) return;
    if (!again) step.idle();
    if (answer.ok) return this.#sent(answer.json.phone_number ?? number, again);
    step.say(describe(answer), !again && answer.status === 400);
    if (again) this.#holdAgain(answer.retryAfter ?? (answer.status === 429 ? resendGap : 0));
    else if (answer.status === 429) step.hold(answer.retryAfter ?? resendGap);
  }

  #sent(number, again) {
    this.sentTo = number;
    slot(this.root, "sent-to").textContent = this.onSent(number);
    this.status.textContent = again ? "The code was sent again." : "A code was sent.";
    this.#holdAgain(resendGap);
    if (again) return;
    this.code.input.value = "";
    this.code.idle();
    this.code.forgive();
    this.#show("code", this.code.input);
  }

  async #redeem() {
    const code = this.code.input.value;
    if (!/^\d{6}$/.test(code)) return this.code.say("The code has six digits.", true);
    const turn = ++this.turn;
    this.code.say("");
    this.code.busy("Checking…");
    const answer = await this.api.token(this.sentTo, code);
    if (turn !== this.turn) return;
    this.code.idle();
    if (answer.ok && answer.json.access_token) return this.onTokens(this.sentTo, answer.json);
    this.code.say(describe(answer), answer.status === 403);
    if (answer.status === 429) this.code.hold(answer.retryAfter ?? resendGap);
  }

  // welcome shows an app's first screen to an employee.
  welcome({ name, initials, hue, tier, permissions }) {
    const first = name.split(/\s+/)[0];
    slot(this.root, "in-title").textContent = first ? `Welcome, ${first}` : "You’re in";
    Object.assign(slot(this.root, "in-initials").dataset, { hue });
    slot(this.root, "in-initials").textContent = initials;
    showTier(slot(this.root, "in-tier"), tier);
    slot(this.root, "in-grants").hidden = !permissions.length;
    slot(this.root, "in-permissions").replaceChildren(...permissions.slice(0, 4).map((permission) => {
      const item = document.createElement("li");
      item.textContent = permission;
      return item;
    }));
    this.#show("in");
  }

  // wait shows the screen of somebody whom HR does not have.
  wait({ tier, display }) {
    slot(this.root, "wait-number").textContent = display;
    showTier(slot(this.root, "wait-tier"), tier);
    this.#show("waiting");
  }

  #show(name, focus) {
    for (const [key, view] of Object.entries(this.views)) view.hidden = key !== name;
    if (focus === false) return;
    (focus ?? this.views[name].querySelector("h3")).focus({ preventScroll: true });
  }

  #holdAgain(seconds) {
    this.stopAgain?.();
    this.again.disabled = true;
    this.stopAgain = countdown(Date.now() + seconds * 1000,
      (left) => { this.again.textContent = `Send again in ${clock(left)}`; },
      () => { this.again.textContent = "Send again"; this.again.disabled = false; });
  }

  #tidyCode() {
    const digits = this.code.input.value.replace(/\D/g, "").slice(0, 6);
    if (digits !== this.code.input.value) this.code.input.value = digits;
    this.code.say("");
  }
}

// Step is one form: an input, its error and its button.
class Step {
  constructor(form, label) {
    this.form = form;
    this.label = label;
    this.input = form.querySelector("input");
    this.error = form.querySelector('[role="alert"]');
    this.button = form.querySelector('[type="submit"]');
    this.caption = this.button.querySelector("span");
  }

  // say shows an error; blame marks the input as its cause and goes there.
  say(words, blame = false) {
    this.error.textContent = words;
    if (words && blame) this.input.setAttribute("aria-invalid", "true");
    else this.input.removeAttribute("aria-invalid");
    if (blame) this.input.select();
  }

  busy(caption) {
    this.idle();
    this.button.disabled = true;
    this.button.setAttribute("aria-busy", "true");
    this.caption.textContent = caption;
  }

  idle() {
    this.stop?.();
    this.button.disabled = false;
    this.button.removeAttribute("aria-busy");
    this.caption.textContent = this.label;
  }

  // hold keeps the button back until the server wants to hear from us again.
  hold(seconds) {
    this.button.disabled = true;
    this.stop = countdown(Date.now() + seconds * 1000,
      (left) => { this.caption.textContent = `Try again in ${clock(left)}`; },
      () => { this.idle(); this.say(""); });
  }

  // forgive takes back what was said about another input. Limits are per number: a new number
  // need not wait for the old one.
  forgive() {
    this.say("");
    if (!this.button.hasAttribute("aria-busy")) this.idle();
  }
}

// showTier names a tier on a chip and gives it its colour.
export function showTier(chip, tier) {
  chip.textContent = tier;
  chip.dataset.tier = tier;
}
