// The start page: the parts, and who tells whom what.
import { Api } from "./api.js";
import { listenForCopies } from "./copy.js";
import { initials } from "./dom.js";
import { Handset } from "./handset.js";
import { personOf, Result } from "./result.js";
import { Screens } from "./screens.js";
import { Session } from "./session.js";
import { SignIn } from "./signin.js";
import { Staff } from "./staff.js";
import { keepClocks } from "./time.js";
import { Wire } from "./wire.js";

const { clientId, audience, base } = document.body.dataset;
const wire = new Wire(document.querySelector(".wire"));
const result = new Result(document.querySelector("[data-result]"));
const api = new Api({ clientId, audience, onExchange: (exchange) => wire.add(exchange) });
const staff = new Staff(document.querySelector("[data-staff]"), pick);
const handset = new Handset(document.querySelector("[data-inbox]"), { onCode: useCode, onArrival: (code) => fill("code", code) });
const app = document.querySelector(".app-screen");
const screens = new Screens(app);
const session = new Session(app, screens, api, { onTokens: received, onEnd: over });
const signIn = new SignIn(app, screens, api, { onSent: sent, onTokens: (phone, answer) => session.begin(phone, answer), onStart: leave });
const narrow = matchMedia("(max-width: 719px)");

// pick takes a person from the list: their number into the form, their telephone beside it.
function pick({ phone, display, name }) {
  staff.mark(phone, name);
  signIn.restart(display, { focus: false });
  handset.belongTo(staff.about(phone));
  fill("phone", phone);
  const button = document.querySelector('[data-form="number"] [type="submit"]');
  button.focus({ preventScroll: true });
  if (narrow.matches) document.querySelector(".app").scrollIntoView();
}

// sent follows a code to the telephone that it goes to, and returns how the number is written.
function sent(phone) {
  const about = staff.about(phone);
  if (!document.querySelector(`[aria-pressed="true"][data-phone="${CSS.escape(phone)}"]`)) staff.mark(phone);
  handset.belongTo(about);
  fill("phone", phone);
  // On a telephone the form goes to the top, so that the text is seen to arrive below it.
  if (narrow.matches) document.querySelector(".app").scrollIntoView();
  return about.display;
}

function useCode(code) {
  signIn.fillCode(code);
  if (narrow.matches) document.querySelector(".app").scrollIntoView();
}

// received shows the tokens of an answer, and returns the person in them as the app shows them.
function received(phone, answer) {
  const about = staff.about(phone);
  const person = { ...personOf(answer), display: about.display };
  person.known = person.tier !== "anonymous";
  const row = document.querySelector(`[data-phone="${CSS.escape(phone)}"] .avatar`);
  person.initials = person.known ? initials(person.name) : "?";
  person.hue = !person.known ? "none" : row?.dataset.hue.replace("none", "0") ?? "0";
  result.show(answer, about, person);
  return person;
}

// over leads back to sign-in: with words, if it was not the person who ended the session.
function over(words) {
  if (words) signIn.restart(undefined, { words });
  else signIn.restart("");
}

// leave forgets whoever was signed in.
function leave() {
  session.forget();
  result.hide();
}

// fill puts the number or the code in use into the commands.
function fill(name, value) {
  for (const place of document.querySelectorAll(`[data-fill="${name}"]`)) place.textContent = value;
}

document.querySelector("[data-show-staff]").addEventListener("click", () => staff.open());
listenForCopies({
  access: () => result.raw("access"),
  id: () => result.raw("id"),
  refresh: () => result.raw("refresh"),
  userinfo: () => `curl -s ${base}/userinfo -H 'Authorization: Bearer ${result.raw("access")}'`,
});
keepClocks();
