// The telephone on which the texts arrive.
import { el, slot } from "./dom.js";
import { ago } from "./time.js";
import { TextFeed, syncList } from "./texts.js";

export class Handset {
  // onCode is told which code was tapped, onArrival of the newest text's code.
  constructor(root, { onCode, onArrival }) {
    this.owner = slot(root, "owner");
    this.empty = slot(root, "empty");
    this.list = slot(root, "texts");
    this.status = root.querySelector("[data-inbox-status]");
    this.onCode = onCode;
    this.onArrival = onArrival;
    this.trouble = false;
    this.feed = new TextFeed({ onTexts: (texts) => this.#show(texts), onTrouble: (on) => this.#troubled(on) });
    setInterval(() => this.#age(), 5000);
  }

  // belongTo makes it the telephone of a number, as Staff.about describes it.
  belongTo({ phone, display, names }) {
    if (phone === this.phone) return;
    this.phone = phone;
    this.display = display;
    this.loaded = false;
    const whose = names.length ? `${names.join(" and ")}, ${display}` : display;
    this.owner.textContent = whose;
    this.list.replaceChildren();
    this.#settle();
    this.feed.follow(phone);
  }

  #show(texts) {
    const first = !this.loaded;
    this.loaded = true;
    const fresh = syncList(this.list, texts, (text) => this.#item(text, !first));
    this.#settle();
    if (!fresh.length) return;
    if (!first) this.status.textContent = `New text: ${fresh[0].body}`;
    this.list.scrollTop = 0;
    if (texts[0].code) this.onArrival(texts[0].code);
  }

  #item(text, arriving) {
    const item = el("li", { className: arriving ? "text arriving" : "text" },
      el("div", { className: "text-head" }, icon(), el("b", { textContent: "Messages" }),
        el("time", { dateTime: text.sent_at, textContent: ago(Date.parse(text.sent_at)) })),
      el("p", { className: "text-body", textContent: text.body }));
    if (text.code) {
      const use = el("button", { type: "button", className: "text-code", textContent: `Fill in ${text.code}` });
      use.addEventListener("click", () => this.onCode(text.code));
      item.append(use);
    }
    return item;
  }

  #age() {
    for (const time of this.list.querySelectorAll("time")) time.textContent = ago(Date.parse(time.dateTime));
  }

  #troubled(on) {
    this.trouble = on;
    this.#settle();
  }

  #settle() {
    this.empty.hidden = this.list.children.length > 0 && !this.trouble;
    this.empty.classList.toggle("trouble", this.trouble);
    this.empty.textContent = this.trouble
      ? "Latchkey does not answer. Trying again…"
      : `No texts yet. What is sent to ${this.display} arrives here.`;
  }
}

function icon() {
  const ns = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(ns, "svg");
  svg.setAttribute("viewBox", "0 0 16 16");
  const path = document.createElementNS(ns, "path");
  path.setAttribute("fill", "currentColor");
  path.setAttribute("d", "M8 2c3.6 0 6.5 2.3 6.5 5.2S11.6 12.4 8 12.4c-.6 0-1.2-.1-1.8-.2L3 14l.6-3C2.3 10.1 1.5 8.7 1.5 7.2 1.5 4.3 4.4 2 8 2z");
  svg.append(path);
  return el("span", { className: "text-icon", "aria-hidden": "true" }, svg);
}
