// The app's sign-in: number, code. It keeps to what a mobile app can know.
import { clock, countdown } from "./time.js";
import { describe } from "./words.js";
import { slot } from "./dom.js";

// How long the server lets pass between two texts of one code.
const resendGap = 30;

export class SignIn {
  // onSent is told the number that a code went to, in E.164; onTokens the number and the answer;
  // onStart that it begins anew, whatever was there before.
  constructor(root, screens, api, { onSent, onTokens, onStart }) {
    Object.assign(this, { root, screens, api, onSent, onTokens, onStart });
    this.status = root.querySelector("[data-app-status]");
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
  }

  // restart goes back to the number, puts in another one if it is given, and says why in words.
  restart(number = this.number.input.value, { focus = true, words = "" } = {}) {
    this.turn++;
    this.number.input.value = number;
    this.number.idle();
    this.number.forgive();
    this.code.idle();
    this.screens.show("number", focus && this.number.input);
    this.number.say(words); // after it is shown, or a screen reader does not tell
    this.onStart();
  }

  // fillCode puts a code in, as a telephone's keyboard offers to.
  fillCode(code) {
    if (this.screens.shown === "number") return this.number.say("That code is for an earlier sign-in. Ask for one first.");
    if (this.screens.shown !== "code") return;
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
    this.screens.show("code", this.code.input);
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
