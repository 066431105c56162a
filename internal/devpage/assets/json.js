// JSON for reading: indented, coloured, with times in words, and long tokens shortened.
import { el } from "./dom.js";
import { moment } from "./time.js";

const times = new Set(["exp", "iat", "nbf", "auth_time"]);
const token = /^(\S+)?"(ey[\w-]{18})[\w.-]{80,}"(,?)$/;
const line = /^(\s*)(?:("(?:[^"\\]|\\.)*")(: ?))?(.*)$/;
// A list of plain values reads better on one line, as a person would write it.
const shortList = /\[\n\s+((?:"(?:[^"\\]|\\.)*"|[\d.]+)(?:,\n\s+(?:"(?:[^"\\]|\\.)*"|[\d.]+))*)\n\s*\]/g;

// showJson fills node with value. Lines of the keys in marked are marked.
export function showJson(node, value, { marked = [], shorten = false } = {}) {
  const text = JSON.stringify(value, null, 2)
    .replace(shortList, (_, items) => `[${items.replace(/,\n\s+/g, ", ")}]`);
  node.replaceChildren();
  for (const row of text.split("\n")) {
    const [, indent, key, colon, rest] = row.match(line);
    const home = marked.includes(bare(key)) ? el("mark") : document.createDocumentFragment();
    if (key) home.append(el("span", { className: "key", textContent: key }), colon);
    home.append(...valueParts(shorten ? shortened(rest) : rest));
    if (times.has(bare(key))) home.append(el("span", { className: "aside", textContent: `  ${moment(Number.parseInt(rest, 10))}` }));
    // Each line hangs from its own indent, so that a long value wraps under itself.
    node.append(el("span", { className: `line depth-${Math.min(indent.length / 2, 3)}` }, indent, home));
  }
}

const bare = (key) => key?.slice(1, -1);

function shortened(rest) {
  const found = rest.match(token);
  return found ? `"${found[2]}… ${rest.length} characters"${found[3]}` : rest;
}

function valueParts(rest) {
  const parts = rest.match(/"(?:[^"\\]|\\.)*"|-?[\d.]+(?:e[+-]?\d+)?|true|false|null|[^"\d\-tfn]+|./g) ?? [];
  return parts.map((part) => {
    const className = part[0] === '"' ? "string" : /^-?\d/.test(part) ? "number" : /^(true|false|null)$/.test(part) ? "word" : "";
    return className ? el("span", { className, textContent: part }) : part;
  });
}
