// The start page: the parts, and who tells whom what.
import { Api } from "./api.js";
import { listenForCopies } from "./copy.js";
import { initials } from "./dom.js";
import { Handset } from "./handset.js";
import { personOf, Result } from "./result.js";
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
const signIn = new SignIn(document.querySelector(".app-screen"), api, { onSent: sent, onTokens: signedIn, onLeave: () => result.hide() });
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

function signedIn(phone, answer) {
  const about = staff.about(phone);
  const person = personOf(answer);
  const known = person.tier !== "anonymous";
  const row = document.querySelector(`[data-phone="${CSS.escape(phone)}"] .avatar`);
  person.initials = known ? initials(person.name) : "?";
  person.hue = known ? row?.dataset.hue ?? "0" : "none";
  if (known) signIn.welcome(person);
  else signIn.wait({ tier: person.tier, display: about.display });
  result.show(answer, about, person);
}

// fill puts the number or the code in use into the commands.
function fill(name, value) {
  for (const place of document.querySelectorAll(`[data-fill="${name}"]`)) place.textContent = value;
}

document.querySelector("[data-show-staff]").addEventListener("click", () => staff.open());
listenForCopies({
  access: () => result.raw("access"),
  id: () => result.raw("id"),
  userinfo: () => `curl -s ${base}/userinfo -H 'Authorization: Bearer ${result.raw("access")}'`,
});
keepClocks();
