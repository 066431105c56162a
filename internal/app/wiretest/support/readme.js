// The README's code, as it stands there.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';

const readme = readFileSync(resolve(import.meta.dirname, '../../../../README.md'), 'utf8');

// serviceCode returns what a service does with an access token: first that it verifies it, then
// that it looks into the status list.
export function serviceCode() {
  const blocks = [...readme.matchAll(/^```js\n(.*?)^```$/gms)].map((match) => match[1]);
  assert.equal(blocks.length, 2, "the README's blocks of JavaScript");
  const [verify, look] = blocks;
  assert.match(verify, /jwtVerify\(token,/);
  assert.match(look, /status_list/);
  return { verify, look };
}

let runs = 0;

// runForToken runs code as a module where token is a constant. The issuer becomes issuer, since
// nobody runs at the README's. What the code throws, this throws.
export async function runForToken(code, token, issuer) {
  assert.match(code, /'https:\/\/login\.example\.com\//);
  const module = code
    .replaceAll('https://login.example.com/', issuer)
    .replaceAll("from 'jose'", `from '${import.meta.resolve('jose')}'`); // a data: URL has no node_modules
  const lines = [`const token = ${JSON.stringify(token)}`, module, `// ${++runs}`]; // or Node remembers the last run
  await import(`data:text/javascript,${encodeURIComponent(lines.join('\n'))}`);
}
