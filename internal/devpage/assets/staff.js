// The list of people, and what it knows of a number.

export class Staff {
  constructor(root, onPick) {
    this.box = root;
    this.rows = [...root.querySelectorAll("[data-person]")];
    for (const row of this.rows) row.addEventListener("click", () => onPick(row.dataset));
    // A narrow page begins with the list closed, for the form comes first there.
    const narrow = matchMedia("(max-width: 719px)");
    const fold = () => { this.box.open = !narrow.matches; };
    narrow.addEventListener("change", fold);
    matchMedia("(min-width: 1160px)").addEventListener("change", (wide) => { if (wide.matches) this.box.open = true; });
    fold();
  }

  // open unfolds the list and brings it into view.
  open() {
    this.box.open = true;
    this.box.scrollIntoView();
    this.box.querySelector("summary").focus({ preventScroll: true });
  }

  // mark shows which number is in use, as it may be that of several people.
  mark(phone, name) {
    for (const row of this.rows) {
      row.setAttribute("aria-pressed", row.dataset.phone === phone && (!name || row.dataset.name === name));
    }
  }

  // about tells what HR has on a number: how it is written, whose it is, and why it may match nobody.
  about(phone) {
    const holders = this.rows.map((row) => row.dataset).filter((row) => row.phone === phone);
    const known = holders.filter((row) => !("stranger" in row));
    const active = known.filter((row) => !("left" in row));
    return {
      phone,
      display: holders[0]?.display ?? phone,
      // A number can pass from one who left to one who came: then it is the latter's.
      names: (active.length ? active : known).map((row) => row.name),
      left: known.length > 0 && active.length === 0,
      shared: active.length > 1,
    };
  }
}
