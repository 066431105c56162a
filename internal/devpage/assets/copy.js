// Copy buttons: data-copy names what is copied.

// listenForCopies serves every copy button. sources maps names to functions that return the text;
// a name without one is the id of the element whose text it is.
export function listenForCopies(sources) {
  document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-copy]");
    if (!button) return;
    const name = button.dataset.copy;
    const text = sources[name]?.() ?? document.getElementById(name)?.textContent ?? "";
    await copy(button, text);
  });
}

// copy puts text on the clipboard and says so on the button.
export async function copy(button, text) {
  const label = (button.dataset.label ??= button.textContent);
  let done = true;
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // No clipboard outside https and loopback, as when a phone opens the page over the network.
    done = false;
  }
  button.textContent = done ? "Copied" : "Not allowed here";
  button.classList.toggle("done", done);
  clearTimeout(button.copyTimer);
  button.copyTimer = setTimeout(() => {
    button.textContent = label;
    button.classList.remove("done");
  }, 1600);
}
