// Following an inbox: its texts once a second, while somebody looks.

const every = 1000;

export class TextFeed {
  #timer = 0;
  #round = 0;
  #to = null;

  // onTexts gets the texts, newest first; onTrouble gets true when the server does not answer,
  // and false when it does again.
  constructor({ onTexts, onTrouble }) {
    this.onTexts = onTexts;
    this.onTrouble = onTrouble;
    document.addEventListener("visibilitychange", () => this.#next(0));
  }

  // follow begins to read the texts to a number; "" is everybody's, and null ends it.
  follow(to) {
    this.#to = to;
    this.#round++;
    this.#next(0);
  }

  #next(wait) {
    clearTimeout(this.#timer);
    if (this.#to === null || document.hidden) return;
    this.#timer = setTimeout(() => this.#read(), wait);
  }

  async #read() {
    const round = this.#round;
    try {
      const query = this.#to ? `?to=${encodeURIComponent(this.#to)}` : "";
      const response = await fetch(`/dev/inbox.json${query}`, { signal: AbortSignal.timeout(8000) });
      if (!response.ok) throw new Error(`status ${response.status}`);
      const texts = await response.json();
      if (round !== this.#round) return; // another number was chosen meanwhile
      this.onTrouble(false);
      this.onTexts(texts);
    } catch {
      if (round !== this.#round) return;
      this.onTrouble(true);
    }
    this.#next(every);
  }
}

// keyOf tells one text from another.
export const keyOf = (text) => `${text.sent_at} ${text.to} ${text.body}`;

// syncList makes the list's items those of texts, newest first, and leaves alone what is there
// already. It returns the texts that are new. make builds one item.
export function syncList(list, texts, make) {
  const wanted = new Set(texts.map(keyOf));
  const present = new Set();
  for (const item of [...list.children]) {
    if (wanted.has(item.dataset.key)) present.add(item.dataset.key);
    else item.remove();
  }
  const fresh = texts.filter((text) => !present.has(keyOf(text)));
  for (const text of [...fresh].reverse()) {
    const item = make(text);
    item.dataset.key = keyOf(text);
    list.prepend(item);
  }
  return fresh;
}
