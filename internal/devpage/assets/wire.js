// The log of requests, for whoever builds an app against this server.
import { el } from "./dom.js";
import { showJson } from "./json.js";

const kept = 20;

export class Wire {
  constructor(root) {
    this.list = root.querySelector("[data-wire]");
    this.empty = root.querySelector('[data-slot="wire-empty"]');
    this.clear = root.querySelector("[data-clear]");
    this.clear.addEventListener("click", () => {
      this.list.replaceChildren();
      this.#settle();
    });
  }

  // add lists an exchange on top, open; those before it are closed.
  add(exchange) {
    for (const open of this.list.querySelectorAll("details[open]")) open.open = false;
    this.list.prepend(el("li", {}, el("details", { open: true }, summary(exchange), body(exchange))));
    while (this.list.children.length > kept) this.list.lastElementChild.remove();
    this.#settle();
  }

  #settle() {
    this.empty.hidden = this.list.children.length > 0;
    this.clear.hidden = !this.empty.hidden;
  }
}

function summary({ method, path, status, took }) {
  return el("summary", {},
    el("span", { textContent: method }),
    el("span", { className: "path", textContent: path }),
    el("span", { className: status >= 200 && status < 300 ? "status" : "status bad", textContent: status || "no answer" }),
    el("span", { className: "took", textContent: `${took} ms` }));
}

function body({ request, json, text, retryAfter }) {
  const sent = el("pre", { className: "json", tabIndex: 0 });
  const got = el("pre", { className: "json", tabIndex: 0 });
  showJson(sent, request);
  if (json) showJson(got, json, { shorten: true });
  else got.textContent = text || "(empty)";
  const answer = retryAfter === null ? "Answer" : `Answer, Retry-After: ${retryAfter}`;
  return el("div", { className: "log-body" },
    el("h3", { textContent: "Sent" }), sent, el("h3", { textContent: answer }), got);
}
