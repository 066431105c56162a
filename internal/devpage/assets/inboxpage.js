// The inbox page, kept up to date.
import { copy } from "./copy.js";
import { el, slot } from "./dom.js";
import { TextFeed, syncList } from "./texts.js";

const list = slot(document, "mail");
const empty = slot(document, "empty");
const offline = document.querySelector("[data-offline]");
const status = document.querySelector("[data-inbox-status]");
const choose = document.getElementById("to");
const clock = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });
let loaded = false;

const feed = new TextFeed({
  onTrouble: (on) => { offline.hidden = !on; },
  onTexts: (texts) => {
    // What the server wrote has no keys and is replaced by the first answer, which is the same.
    const fresh = syncList(list, texts, item);
    empty.hidden = texts.length > 0;
    if (loaded && fresh.length) status.textContent = `New text: ${fresh[0].body}`;
    loaded = true;
  },
});

function item(text) {
  const known = [...choose.options].find((option) => option.value === text.to);
  const display = known?.dataset.display ?? text.to;
  const meta = el("div", { className: "mail-meta" }, el("b", { textContent: known?.dataset.owner ?? display }));
  if (known) meta.append(el("span", { className: "mono", textContent: display }));
  meta.append(el("time", { dateTime: text.sent_at, textContent: clock.format(new Date(text.sent_at)) }));
  const row = el("div", { className: "mail-row" }, el("p", { className: "bubble", textContent: text.body }));
  if (text.code) {
    const button = el("button", { type: "button", className: "copy", textContent: `Copy ${text.code}` });
    button.addEventListener("click", () => copy(button, text.code));
    row.append(button);
  }
  return el("li", { className: loaded ? "card mail-item arriving" : "card mail-item" }, meta, row);
}

choose.addEventListener("change", () => choose.form.submit());
if (!("stopped" in list.dataset)) feed.follow(choose.value);
