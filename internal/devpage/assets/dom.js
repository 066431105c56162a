// The one way in which these pages make elements: what is put in is text, never markup.

// el makes an element. props are set as properties, data-* and aria-* as attributes; children are
// elements or text.
export function el(tag, props = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (name.includes("-")) node.setAttribute(name, value);
    else node[name] = value;
  }
  node.append(...children);
  return node;
}

// slot finds the named place inside root.
export function slot(root, name) {
  return root.querySelector(`[data-slot="${name}"]`);
}

// initials are the first letters of the first and the last word.
export function initials(name) {
  const words = name.split(/\s+/).filter((word) => /\p{L}/u.test(word));
  if (!words.length) return "?";
  const ends = words.length > 1 ? [words[0], words.at(-1)] : [words[0]];
  return ends.map((word) => word.match(/\p{L}/u)[0].toUpperCase()).join("");
}

// chips fills list with values, or with what to say when there are none.
export function chips(list, values, none) {
  list.replaceChildren(...values.map((value) => el("li", { textContent: value })));
  if (!values.length) list.append(el("li", { className: "none", textContent: none }));
}

// showTier names a tier on a chip and gives it its colour.
export function showTier(chip, tier) {
  chip.textContent = tier;
  chip.dataset.tier = tier;
}
