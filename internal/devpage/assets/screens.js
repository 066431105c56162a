// The app's screens, of which one is shown.

export class Screens {
  constructor(root) {
    this.views = Object.fromEntries([...root.querySelectorAll("[data-view]")].map((view) => [view.dataset.view, view]));
    this.shown = "number";
  }

  // show changes to a screen and goes to focus, or to its heading; false leaves the focus alone.
  show(name, focus) {
    this.shown = name;
    for (const [key, view] of Object.entries(this.views)) view.hidden = key !== name;
    if (focus === false) return;
    (focus ?? this.views[name].querySelector("h3")).focus({ preventScroll: true });
  }
}
